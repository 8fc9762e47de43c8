#include "tools/qtool/sight.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/proto/record.h"

/* It is whole, or nearly: what its state is called. */
static void
judge(struct sight *s, int64_t now)
{
	const char *verb = s->ve->verb;

	if (verb != NULL && strcmp(verb, "remove") == 0)
		s->removed = true;
	if (s->e.state == ENVELOPE_FAILED) {
		s->state = "bounce";
		return;
	}
	if (verb != NULL && strcmp(verb, "hold") == 0)
		s->state = "held";
	else if (s->e.state == ENVELOPE_HELD &&
	    (verb == NULL || strcmp(verb, "release") != 0))
		s->state = "held";
	else
		s->state = s->e.next_try <= now ? "ready" : "deferred";
	if (s->e.hold != NULL)
		snprintf(s->reason, sizeof(s->reason), "%s", s->e.hold);
}

void
sight_read(struct sight *s, const struct view_envelope *ve, int64_t now)
{
	const struct view_message *m = ve->message;
	enum envelope_result rc = ENVELOPE_BROKEN;
	char why[256] = "";

	s->ve = ve;
	s->removed = false;
	s->reason[0] = '\0';
	if (ve->text != NULL)
		rc = envelope_parse(&s->e, ve->text, ve->len, why, sizeof(why));
	else
		envelope_init(&s->e);
	s->parsed = ve->text != NULL && rc != ENVELOPE_BROKEN;
	s->e.id = ve->evpid;
	if (ve->status == VIEW_LOCKED || m->status == VIEW_LOCKED) {
		s->state = "locked";
		snprintf(s->reason, sizeof(s->reason), "%s",
		    ve->status == VIEW_LOCKED ? ve->reason : m->reason);
	} else if (ve->status != VIEW_WHOLE && ve->where != VIEW_RECORD) {
		s->state = "corrupt";
		snprintf(s->reason, sizeof(s->reason), "%s", ve->reason);
	} else if (m->status != VIEW_WHOLE) {
		s->state = "corrupt";
		snprintf(
		    s->reason, sizeof(s->reason), "its message: %s", m->reason);
	} else if (ve->text != NULL && rc != ENVELOPE_OK) {
		s->state = "corrupt";
		snprintf(s->reason, sizeof(s->reason), "%s", why);
	} else {
		judge(s, now);
	}
}

void
sight_clear(struct sight *s)
{
	envelope_clear(&s->e);
}

const char *
sight_type(const struct sight *s)
{
	if (!s->parsed)
		return "";
	if (s->e.kind == ENVELOPE_BOUNCE)
		return "bounce";
	return s->e.kind == ENVELOPE_RELAY ? "mta" : "mda";
}

const char *
sight_shown_state(const struct sight *s, bool busy)
{
	if (!busy &&
	    (strcmp(s->state, "ready") == 0 ||
		strcmp(s->state, "deferred") == 0))
		return "offline";
	return s->state;
}

static void
put_text(struct buf *b, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0')
		record_str(b, name, value);
}

const char *
sight_comp(const struct sight *s)
{
	const char *codec = s->ve->message->codec;

	return codec == NULL                ? NULL
	    : strstr(codec, "zstd") != NULL ? "zstd"
					    : "none";
}

const char *
sight_enc(const struct sight *s)
{
	const char *codec = s->ve->message->codec;

	return codec == NULL               ? NULL
	    : strstr(codec, "aes") != NULL ? "aes-256-gcm"
					   : "none";
}

const char *
sight_kid(const struct sight *s)
{
	return s->ve->kid[0] != '\0' ? s->ve->kid : s->ve->message->kid;
}

void
sight_put(const struct sight *s, bool busy, struct buf *b)
{
	const struct envelope *e = &s->e;
	const struct view_message *m = s->ve->message;
	char id[IDENT_TEXT_MAX];

	record_begin(b, "envelope");
	record_str(b, "evpid", ident_evpid_text(id, s->ve->evpid));
	record_str(b, "msgid", ident_msgid_text(id, ident_msgid(s->ve->evpid)));
	if (s->parsed)
		record_u64(b, "gen", e->generation);
	record_str(b, "state", sight_shown_state(s, busy));
	put_text(b, "type", sight_type(s));
	put_text(b, "action", e->action);
	if (e->sender != NULL)
		record_str(b, "sender", e->sender);
	put_text(b, "rcpt", e->recipient);
	put_text(b, "dest", e->destination);
	record_i64(
	    b, "arrival_time", e->arrived != 0 ? e->arrived : m->arrived);
	if (s->parsed) {
		record_i64(b, "expires", e->expires);
		record_u64(b, "tries", e->tries);
		record_i64(b, "last_try", e->last_try);
		record_i64(b, "next_try", e->next_try);
	}
	record_u64(b, "message_size", m->size);
	record_u64(b, "stored_bytes", m->stored);
	put_text(b, "comp", sight_comp(s));
	put_text(b, "enc", sight_enc(s));
	put_text(b, "kid", sight_kid(s));
	put_text(b, "error", e->error);
	if (strcmp(s->state, "held") == 0)
		put_text(b, "hold_reason", s->reason);
	else if (strcmp(s->state, "corrupt") == 0 ||
	    strcmp(s->state, "locked") == 0)
		put_text(b, "reason", s->reason);
}

#include "daemon/spooler/why.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/spooler/known.h"
#include "daemon/spooler/spooler.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "lib/cli/exitcode.h"
#include "lib/mail/backoff.h"
#include "lib/mail/envelope.h"
#include "lib/proto/record.h"

#define MATCHES 65535 /* envelopes one id may name */
#define ENVELOPES 100 /* of one message; more are counted */
#define COMING_MAX 64 /* attempts shown: relayed mail has 29 in 4 days */
#define TEXT_LEN 1024

struct cause {
	const char *state; /* as show queue says it */
	const char *word;
	char text[TEXT_LEN];
};

struct asked {
	struct spooler *s;
	struct answer *a;
	int64_t now;
	unsigned shown;
};

/* "from NAME [ADDRESS]" was added to what a remote host said (settle.c); what
 * the mta waits for itself is 4.4.1. */
static bool
is_of_remote(const char *error)
{
	return strstr(error, " from ") != NULL &&
	    strncmp(error, "451 4.4.1 ", strlen("451 4.4.1 ")) != 0;
}

/* The mta's own words: what it said when the envelope came back. */
static const char *
word_of(const char *error)
{
	static const struct {
		const char *begins, *holds, *word;
	} words[] = {
		{ "451 4.4.1 ", " is paused until ", "paused" },
		{ "451 4.4.1 ", " is disabled until ", "route-penalty" },
		{ "451 4.4.1 ", " is put aside until ", "route-aside" },
		{ "451 4.4.1 ", " is left alone until ", "host-skipped" },
		{ "451 4.4.5 ", "in a row", "route-aside" },
		{ "451 4.4.3 ", "", "dns-failure" },
		{ "451 4.7.4 ", "TLS", "tls-policy" },
		{ "451 4.7.5 ", "TLS", "tls-policy" },
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strncmp(error, words[i].begins, strlen(words[i].begins)) ==
			0 &&
		    strstr(error, words[i].holds) != NULL)
			return words[i].word;
	return "waiting";
}

/* "421 4.7.0 ...": the first digit of the reply; 0: none. */
static int
class_of(const char *error)
{
	if (isdigit((unsigned char)error[0]) &&
	    isdigit((unsigned char)error[1]) &&
	    isdigit((unsigned char)error[2]))
		return error[0] - '0';
	return 0;
}

static void
set(struct cause *c, const char *state, const char *word, const char *text)
{
	c->state = state;
	c->word = word;
	snprintf(c->text, sizeof(c->text), "%s", text);
}

/* What keeps it from being tried at all; false: nothing does. */
static bool
rests(const struct spooler *s, const struct entry *en, struct cause *c)
{
	bool relay = known_kind(s, en) == PLAN_RELAY;

	if (en->flags & ENTRY_LOCKED)
		set(c, "locked", "locked",
		    "it is sealed by a key that is not in the key ring");
	else if (en->flags & ENTRY_BROKEN)
		set(c, "broken", "broken",
		    "its file cannot be used; show envelope tells why");
	else if (en->flags & ENTRY_INFLIGHT)
		set(c, "inflight", "inflight",
		    relay ? "it is being relayed now"
			  : "it is being delivered now");
	else if (en->flags & ENTRY_FAILED)
		set(c, "bounce",
		    en->expires <= en->last_try ? "expired" : "failed",
		    en->expires <= en->last_try
			? "its time was over at the last attempt; a notice to "
			  "the sender is on its way"
			: "it failed for good; a notice to the sender is on "
			  "its way");
	else if (en->flags & ENTRY_HELD)
		set(c, "held", "held",
		    "it is held by an operator, until resume envelope");
	else if (en->flags & ENTRY_NO_ACTION)
		set(c, "held", "no-action",
		    "its action is not in the configuration; it goes on after "
		    "a reload of one that has it");
	else
		return false;
	return true;
}

/* Why it waits for its next attempt. */
static void
waits(const struct asked *q, const struct entry *en, struct cause *c)
{
	bool relay = known_kind(q->s, en) == PLAN_RELAY;
	bool due = en->next_try <= q->now;
	char when[TEXT_TIME_MAX], span[TEXT_SPAN_MAX];

	c->state = due ? "ready" : "deferred";
	text_time(when, en->next_try);
	text_span(span, (int64_t)en->next_try - q->now);
	if (relay ? q->s->paused_mta : q->s->paused_mda) {
		set(c, c->state, "paused",
		    relay ? "relaying is paused, until resume mta"
			  : "local delivery is paused, until resume mda");
	} else if (en->expires <= q->now) {
		c->word = "expired";
		snprintf(c->text, sizeof(c->text),
		    "its time is over: unless the next attempt succeeds, %s%s, "
		    "it is returned to the sender",
		    due ? "now" : "at ", due ? "" : when);
	} else if (due && en->tries == 0) {
		set(c, c->state, "new", "it is new and about to be tried");
	} else if (due) {
		set(c, c->state, "due", "it is due and about to be tried");
	} else if (class_of(en->error) == 4 && is_of_remote(en->error)) {
		c->word = "deferred-by-host";
		snprintf(c->text, sizeof(c->text),
		    "the host put it off, as hosts that greylist do: %.500s; "
		    "next attempt %s, in %s",
		    en->error, when, span);
	} else {
		c->word = word_of(en->error);
		snprintf(c->text, sizeof(c->text),
		    "%.500s; next attempt %s, in %s",
		    en->error[0] != '\0' ? en->error : "it was not tried yet",
		    when, span);
	}
}

static void
send_envelope(struct asked *q, const struct entry *en, const struct cause *c)
{
	char evpid[IDENT_TEXT_MAX], msgid[IDENT_TEXT_MAX];
	struct buf *b = answer_row(q->a);

	record_begin(b, "why");
	record_str(b, "evpid", ident_evpid_text(evpid, en->evpid));
	record_str(b, "msgid", ident_msgid_text(msgid, ident_msgid(en->evpid)));
	record_str(b, "state", c->state);
	record_str(b, "cause", c->word);
	record_str(b, "text", c->text);
	record_str(
	    b, "carrier", known_kind(q->s, en) == PLAN_RELAY ? "mta" : "mda");
	record_str(b, "action", en->action);
	record_str(b, "sender", en->sender);
	record_str(b, "rcpt", entry_recipient(en));
	record_str(b, "dest", entry_destination(en));
	record_u64(b, "arrival_time", en->arrived);
	record_u64(b, "expires", en->expires);
	record_u64(b, "tries", en->tries);
	record_u64(b, "last_try", en->last_try);
	record_u64(b, "next_try", en->next_try);
	if (*en->error != '\0')
		record_str(b, "error", en->error);
	answer_send(q->a);
}

static void
send_attempt(struct asked *q, const struct entry *en, uint64_t n, int64_t when)
{
	struct buf *b = answer_row(q->a);

	record_begin(b, "attempt");
	record_u64(b, "n", n);
	record_u64(b, "after_s", (uint64_t)(when - en->arrived));
	record_u64(b, "next_try", (uint64_t)when);
	answer_send(q->a);
}

/* The attempts to come, if each of them is put off. */
static void
send_coming(struct asked *q, const struct entry *en)
{
	unsigned base = known_kind(q->s, en) == PLAN_RELAY
	    ? q->s->conf->retry_relay
	    : q->s->conf->retry_local;
	int64_t when = en->next_try, next;
	uint64_t n = en->tries;
	unsigned shown;

	if (when < q->now)
		when = q->now;
	for (shown = 0; shown < COMING_MAX; shown++) {
		send_attempt(q, en, ++n, when);
		if (when >= en->expires)
			return;
		next = backoff_next(en->arrived, when, (unsigned)n, base);
		when = next > en->expires ? en->expires : next;
	}
}

static void
explain_entry(void *ctx, struct entry *en)
{
	struct asked *q = ctx;
	struct cause c = { .word = "" };
	bool at_rest = rests(q->s, en, &c);

	if (q->shown++ >= ENVELOPES)
		return;
	if (!at_rest)
		waits(q, en, &c);
	send_envelope(q, en, &c);
	if (!at_rest && q->shown == 1)
		send_coming(q, en);
}

static void
keep_entry(void *ctx, struct entry *en)
{
	*(struct entry **)ctx = en;
}

/* Of a held one, who held it and why is in its text. */
struct reading {
	struct asked q;
	uint64_t evpid;
};

static void
on_text(void *ctx, enum queue_status st, const char *text, size_t len)
{
	struct reading *r = ctx;
	struct entry *en = index_find(r->q.s->index, r->evpid);
	struct envelope e;
	struct cause c = { .word = "" };

	if (en == NULL) {
		answer_end(r->q.a, EXIT_NOINPUT, 0, 0, "it is gone meanwhile");
		free(r);
		return;
	}
	if (!rests(r->q.s, en, &c))
		waits(&r->q, en, &c);
	envelope_init(&e);
	if (st == QUEUE_OK && strcmp(c.word, "held") == 0 &&
	    envelope_parse(&e, text, len, NULL, 0) != ENVELOPE_BROKEN &&
	    e.hold != NULL)
		snprintf(c.text, sizeof(c.text),
		    "it is held by an operator, until resume envelope: %.500s",
		    e.hold);
	envelope_clear(&e);
	send_envelope(&r->q, en, &c);
	answer_end(r->q.a, EXIT_DONE, 1, 0, "");
	free(r);
}

static void
end_unknown(struct answer *a, const char *id, int found)
{
	char text[256];

	if (found < 0)
		snprintf(text, sizeof(text),
		    "'%.40s' is no id: 16 hex digits name an envelope, 12 a "
		    "message, and a beginning of 6 or more will do",
		    id);
	else if (found == 0)
		snprintf(text, sizeof(text),
		    "no envelope %.40s: it is gone, delivered or returned; the "
		    "log has its end",
		    id);
	else
		snprintf(text, sizeof(text),
		    "%.40s is the beginning of several ids; give more of it",
		    id);
	answer_end(a, found < 0 ? EXIT_USAGE : EXIT_NOINPUT, 0, 0, text);
}

/* For explain: what is paused as a whole, a row each. */
static void
answer_pauses(const struct spooler *s, struct answer *a)
{
	static const char *const texts[] = {
		"relaying is paused, until resume mta",
		"local delivery is paused, until resume mda",
	};
	const bool paused[] = { s->paused_mta, s->paused_mda };
	struct buf *b;
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < sizeof(paused) / sizeof(paused[0]); i++) {
		if (!paused[i])
			continue;
		b = answer_row(a);
		record_begin(b, "cause");
		record_str(b, "cause", "paused");
		record_str(b, "text", texts[i]);
		record_i64(b, "until", 0);
		answer_send(a);
		n++;
	}
	answer_end(a, EXIT_DONE, n, 0, "");
}

int
why_on_ask(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	struct asked asked = { .s = arg, .a = a, .now = mono_wall() };
	char text[128] = "";
	struct entry *en = NULL;
	struct reading *r;
	const char *id;
	int found;

	if (q->n != 1) {
		answer_end(a, EXIT_USAGE, 0, 0, "one id is wanted");
		return 0;
	}
	id = unpack_str(args);
	if (strcmp(id, "pauses") == 0) {
		answer_pauses(asked.s, a);
		return 0;
	}
	found = index_match(asked.s->index, id, MATCHES, keep_entry, &en);
	if (found <= 0 || (found > 1 && strlen(id) < IDENT_MSGID_DIGITS)) {
		end_unknown(a, id, found);
		return 0;
	}
	if (found == 1 && (en->flags & ENTRY_HELD)) {
		r = mem_zalloc(sizeof(*r));
		r->q = asked;
		r->evpid = en->evpid;
		queue_envelope(asked.s->q, en->evpid, on_text, r);
		return 0;
	}
	index_match(asked.s->index, id, MATCHES, explain_entry, &asked);
	if (asked.shown > ENVELOPES)
		snprintf(text, sizeof(text), "and %u more of this message",
		    asked.shown - ENVELOPES);
	answer_end(a, EXIT_DONE, asked.shown, 0, text);
	return 0;
}

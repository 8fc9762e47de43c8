#include "tools/qtool/facet.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/text.h"
#include "lib/mail/failure.h"
#include "lib/mail/selector_envelope.h"
#include "tools/qtool/content.h"

int
facet_parse(struct facet *x, struct qtool *t, const char *name)
{
	struct selector_error e;
	size_t len;

	snprintf(x->name, sizeof(x->name), "%s", name);
	x->header[0] = '\0';
	if (strncmp(name, "hdr.", 4) == 0 && name[4] != '\0') {
		name += 4 + (name[4] == '"');
		snprintf(x->header, sizeof(x->header), "%s", name);
		len = strlen(x->header);
		if (len > 0 && x->header[len - 1] == '"')
			x->header[len - 1] = '\0';
		x->field = SELECT_HDR;
		return EXIT_DONE;
	}
	x->field = (unsigned)selector_field_of(name);
	switch (x->field) {
	case SELECT_FIELDS:
		/* Its complaint names what was nearly meant. */
		selector_free(selector_parse(name, t->now, &e));
		return qtool_fail(
		    t, EXIT_USAGE, "--by: %s; selector(7) has them", e.text);
	case SELECT_AGE:
	case SELECT_TTL:
	case SELECT_ARRIVED:
	case SELECT_NEXT:
	case SELECT_LAST:
	case SELECT_EXPIRES:
	case SELECT_BODY:
	case SELECT_HDR:
	case SELECT_MSG_RCPTS:
	case SELECT_MSG_SIZE:
	case SELECT_MSG_STATE:
		return qtool_fail(t, EXIT_USAGE,
		    "--by: %s is nothing to count by%s", name,
		    x->field == SELECT_AGE ? "; see qtool shape" : "");
	default:
		return EXIT_DONE;
	}
}

unsigned
facet_want(const struct facet *x)
{
	switch (x->field) {
	case SELECT_ID:
	case SELECT_MSGID:
		return 0;
	case SELECT_SIZE:
	case SELECT_STORED:
	case SELECT_ENC:
	case SELECT_COMP:
		return VIEW_HEADS;
	case SELECT_STATE:
	case SELECT_HELD:
	case SELECT_KID:
		return VIEW_TEXTS | VIEW_HEADS;
	default:
		return VIEW_TEXTS;
	}
}

/* The part behind the last @, or in front of it. */
static void
half(const char *address, bool domain, char text[FACET_TEXT])
{
	const char *at = address == NULL ? NULL : strrchr(address, '@');

	if (address == NULL)
		return;
	if (!domain)
		snprintf(text, FACET_TEXT, "%.*s",
		    (int)(at == NULL ? strlen(address)
				     : (size_t)(at - address)),
		    address);
	else if (at != NULL) {
		snprintf(text, FACET_TEXT, "%s", at + 1);
		text_lower(text);
	}
}

static void
error_part(const struct facet *x, const char *error, char text[FACET_TEXT])
{
	struct failure f;

	if (error == NULL)
		return;
	failure_read(&f, error);
	switch (x->field) {
	case SELECT_ERROR_CODE:
		if (f.code != 0)
			snprintf(text, FACET_TEXT, "%u", f.code);
		break;
	case SELECT_ERROR_CLASS:
		if (f.klass != 0)
			snprintf(text, FACET_TEXT, "%u", f.klass);
		break;
	case SELECT_ERROR_ENH:
		snprintf(text, FACET_TEXT, "%s", f.enhanced);
		break;
	case SELECT_ERROR_MX:
		snprintf(text, FACET_TEXT, "%s", f.mx);
		break;
	default:
		snprintf(text, FACET_TEXT, "%s", f.phase);
		break;
	}
}

static void
header(const struct facet *x, struct qtool *t, const struct sight *s,
    char text[FACET_TEXT])
{
	struct content *c =
	    content_open(t->view, ident_msgid(s->ve->evpid), true);
	const char *value = c == NULL
	    ? NULL
	    : content_field(
		  c, x->field == SELECT_SUBJECT ? "Subject" : x->header);

	if (value != NULL)
		snprintf(text, FACET_TEXT, "%s", value);
	content_free(c);
}

static void
plain(const struct facet *x, struct qtool *t, const struct sight *s,
    char text[FACET_TEXT])
{
	const struct view_message *m = s->ve->message;
	struct selector_envelope e = { .envelope = &s->e,
		.unread = !s->parsed,
		.now = t->now,
		.size = m->size,
		.stored = m->stored,
		.state = sight_shown_state(s, t->busy),
		.comp = sight_comp(s),
		.enc = sight_enc(s),
		.kid = sight_kid(s) };
	struct selector_subject subject;
	struct selector_value v = { .text = NULL };

	selector_envelope_subject(&e, &subject);
	if (!subject.value(
		subject.ctx, (enum selector_field)x->field, NULL, &v))
		return;
	if (v.text != NULL)
		snprintf(text, FACET_TEXT, "%s", v.text);
	else if (x->field == SELECT_HELD || x->field == SELECT_PAUSED ||
	    x->field == SELECT_INFLIGHT)
		snprintf(text, FACET_TEXT, "%s", v.number != 0 ? "yes" : "no");
	else
		snprintf(text, FACET_TEXT, "%lld", (long long)v.number);
}

void
facet_text(const struct facet *x, struct qtool *t, const struct sight *s,
    char text[FACET_TEXT])
{
	text[0] = '\0';
	switch (x->field) {
	case SELECT_MSGID:
		ident_msgid_text(text, ident_msgid(s->ve->evpid));
		break;
	case SELECT_SENDER:
		if (s->e.sender != NULL)
			snprintf(text, FACET_TEXT, "%s",
			    s->e.sender[0] == '\0' ? "<>" : s->e.sender);
		break;
	case SELECT_SENDER_DOMAIN:
		half(s->e.sender, true, text);
		break;
	case SELECT_SENDER_NULL:
		if (s->e.sender != NULL)
			snprintf(text, FACET_TEXT, "%s",
			    s->e.sender[0] == '\0' ? "yes" : "no");
		break;
	case SELECT_RCPT_DOMAIN:
	case SELECT_RCPT_LOCAL:
		half(s->e.recipient != NULL ? s->e.recipient : s->e.destination,
		    x->field == SELECT_RCPT_DOMAIN, text);
		break;
	case SELECT_ERROR_CODE:
	case SELECT_ERROR_CLASS:
	case SELECT_ERROR_ENH:
	case SELECT_ERROR_MX:
	case SELECT_ERROR_PHASE:
		error_part(x, s->e.error, text);
		break;
	case SELECT_SUBJECT:
	case SELECT_HDR:
		header(x, t, s, text);
		break;
	default:
		plain(x, t, s, text);
		break;
	}
	if (text[0] == '\0')
		snprintf(text, FACET_TEXT, "-");
}

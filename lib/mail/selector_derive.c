#include <stdio.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/mail/failure.h"
#include "lib/mail/selector_tree.h"

/* The subject's own value. */
static bool
ask(const struct selector_subject *s, enum selector_field f, const char *header,
    struct slice *v)
{
	struct selector_value value = { .text = NULL };

	if (!s->value(s->ctx, f, header, &value))
		return false;
	v->text = value.text;
	v->len = value.text == NULL ? 0 : strlen(value.text);
	v->number = value.number;
	return true;
}

static bool
ask_text(
    const struct selector_subject *s, enum selector_field f, struct slice *v)
{
	return ask(s, f, NULL, v) && v->text != NULL;
}

/* The octets before and behind the last @. */
static bool
part(const struct selector_subject *s, enum selector_field f, bool domain,
    struct slice *v)
{
	size_t at;

	if (!ask_text(s, f, v))
		return false;
	for (at = v->len; at > 0 && v->text[at - 1] != '@'; at--)
		;
	if (domain) {
		v->text += at;
		v->len -= at;
		return at > 0;
	}
	if (at > 0)
		v->len = at - 1;
	return true;
}

static bool
from_error(struct asking *k, const struct selector_subject *s,
    enum selector_field f, struct slice *v)
{
	struct failure failure;
	const char *text;

	if (ask(s, f, NULL, v))
		return true;
	if (!ask_text(s, SELECT_ERROR, v) || v->len == 0)
		return false;
	failure_read(&failure, v->text);
	v->text = NULL;
	v->len = 0;
	switch (f) {
	case SELECT_ERROR_CODE:
		v->number = failure.code;
		return v->number != 0;
	case SELECT_ERROR_CLASS:
		v->number = failure.klass;
		return v->number != 0;
	case SELECT_ERROR_PHASE:
		text = failure.phase;
		break;
	case SELECT_ERROR_ENH:
		text = failure.enhanced;
		break;
	default:
		text = failure.mx;
	}
	v->len = strlen(text);
	memcpy(k->room, text, v->len + 1);
	v->text = k->room;
	return v->len > 0;
}

/* How many envelopes the message has, and in which state they all are. */
static bool
count_one(void *arg, const struct selector_subject *s)
{
	struct asking *k = arg;
	struct slice v;

	if (!ask_text(s, SELECT_STATE, &v))
		v.text = "";
	if (k->siblings++ == 0)
		snprintf(k->state, sizeof(k->state), "%s", v.text);
	else if (strcmp(k->state, v.text) != 0)
		snprintf(k->state, sizeof(k->state), "mixed");
	return true;
}

static void
count_siblings(struct asking *k)
{
	if (k->counted)
		return;
	k->counted = true;
	if (k->whole->siblings != NULL)
		k->whole->siblings(k->whole->ctx, count_one, k);
	else
		count_one(k, k->whole);
}

static bool
of_message(struct asking *k, const struct selector_subject *s,
    enum selector_field f, struct slice *v)
{
	if (ask(s, f, NULL, v))
		return true;
	count_siblings(k);
	v->text = f == SELECT_MSG_STATE ? k->state : NULL;
	v->len = v->text == NULL ? 0 : strlen(v->text);
	v->number = k->siblings;
	return true;
}

/* Seconds from then to now. */
static bool
seconds(const struct selector_subject *s, enum selector_field f, int64_t now,
    bool ahead, struct slice *v)
{
	int64_t t;

	if (!ask(s, f, NULL, v) || v->number == 0)
		return false;
	t = v->number;
	/* Nobody's clock is that far off; no sum passes 64 bits. */
	if (t < -INT64_MAX / 4 || t > INT64_MAX / 4 || now < -INT64_MAX / 4 ||
	    now > INT64_MAX / 4)
		return false;
	v->number = ahead ? t - now : now - t;
	return true;
}

static bool
id(const struct selector_subject *s, bool message, struct slice *v)
{
	uint64_t n;

	if (!ask_text(s, SELECT_ID, v) || !ident_evpid_parse(v->text, &n))
		return false;
	v->number = (int64_t)n;
	if (message)
		v->len = IDENT_MSGID_DIGITS;
	return true;
}

static bool
or_none(
    const struct selector_subject *s, enum selector_field f, struct slice *v)
{
	if (ask_text(s, f, v) && v->len > 0)
		return true;
	v->text = "none";
	v->len = strlen(v->text);
	return true;
}

bool
derive_value(struct asking *k, const struct selector_subject *s,
    const struct test *t, struct slice *v)
{
	enum selector_field f = t->field;

	switch (f) {
	case SELECT_ID:
	case SELECT_MSGID:
		return id(s, f == SELECT_MSGID, v);
	case SELECT_SENDER_DOMAIN:
		return part(s, SELECT_SENDER, true, v);
	case SELECT_SENDER_NULL:
		if (!ask_text(s, SELECT_SENDER, v))
			return false;
		v->number = v->len == 0;
		v->text = NULL;
		return true;
	case SELECT_RCPT_DOMAIN:
	case SELECT_RCPT_LOCAL:
		return part(s, SELECT_RCPT, f == SELECT_RCPT_DOMAIN, v);
	case SELECT_AGE:
		return seconds(s, SELECT_ARRIVED, k->s->now, false, v);
	case SELECT_TTL:
		return seconds(s, SELECT_EXPIRES, k->s->now, true, v);
	case SELECT_ERROR_CODE:
	case SELECT_ERROR_CLASS:
	case SELECT_ERROR_ENH:
	case SELECT_ERROR_MX:
	case SELECT_ERROR_PHASE:
		return from_error(k, s, f, v);
	case SELECT_ENC:
	case SELECT_COMP:
		return or_none(s, f, v);
	case SELECT_MSG_SIZE:
		return ask(s, f, NULL, v) || ask(s, SELECT_SIZE, NULL, v);
	case SELECT_MSG_RCPTS:
	case SELECT_MSG_STATE:
		return of_message(k, s, f, v);
	default:
		return ask(s, f, t->header, v);
	}
}

#include "lib/mail/selector_envelope.h"

#include <string.h>

#include "lib/base/ident.h"

const char *
selector_envelope_state(const struct envelope *e, int64_t now)
{
	switch (e->state) {
	case ENVELOPE_HELD:
		return "held";
	case ENVELOPE_FAILED:
		return "bounce";
	default:
		return e->next_try <= now ? "ready" : "deferred";
	}
}

const char *
selector_envelope_type(const struct envelope *e)
{
	switch (e->kind) {
	case ENVELOPE_BOUNCE:
		return "bounce";
	case ENVELOPE_DELIVER:
		return "mda";
	default:
		return "mta";
	}
}

static bool
text(struct selector_value *v, const char *s)
{
	v->text = s;
	return s != NULL;
}

static bool
number(struct selector_value *v, int64_t n)
{
	v->number = n;
	return true;
}

static bool
not_empty(struct selector_value *v, const char *s)
{
	return text(v, s) && *s != '\0';
}

static const char *
state_of(const struct selector_envelope *x)
{
	return x->state != NULL ? x->state
				: selector_envelope_state(x->envelope, x->now);
}

static const char *
route_of(const struct selector_envelope *x)
{
	const struct envelope *e = x->envelope;
	const char *at;

	if (x->route != NULL || e->kind == ENVELOPE_DELIVER ||
	    e->destination == NULL)
		return x->route;
	at = strrchr(e->destination, '@');
	return at == NULL ? NULL : at + 1;
}

/* The value of "rule=" in the hold line. */
static bool
rule_of(struct selector_envelope *x, struct selector_value *v)
{
	const char *s = x->envelope->hold;
	size_t n;

	if (s == NULL || x->envelope->state != ENVELOPE_HELD)
		return false;
	while (strncmp(s, "rule=", 5) != 0) {
		s = strchr(s, ' ');
		if (s == NULL)
			return false;
		s++;
	}
	n = strcspn(s + 5, " ");
	if (n > sizeof(x->room) - 1)
		n = sizeof(x->room) - 1;
	memcpy(x->room, s + 5, n);
	x->room[n] = '\0';
	return not_empty(v, x->room);
}

static bool
origin_of(struct selector_envelope *x, enum selector_field f,
    struct selector_value *v)
{
	if (!x->origin_read)
		origin_read(&x->origin, x->envelope->from);
	x->origin_read = true;
	switch (f) {
	case SELECT_LISTENER:
		return not_empty(v, x->origin.listener);
	case SELECT_CLIENT_IP:
		return not_empty(v, x->origin.client);
	case SELECT_CLIENT_NAME:
		return not_empty(v, x->origin.name);
	case SELECT_HELO:
		return not_empty(v, x->origin.helo);
	case SELECT_AUTH:
		return not_empty(v, x->origin.auth);
	default:
		return not_empty(v, x->origin.tls);
	}
}

/* What the envelope itself does not know. */
static bool
around(struct selector_envelope *x, enum selector_field f, const char *header,
    struct selector_value *v)
{
	switch (f) {
	case SELECT_SIZE:
		return number(v, (int64_t)x->size);
	case SELECT_STORED:
		return x->stored > 0 && number(v, (int64_t)x->stored);
	case SELECT_RELAY:
		return not_empty(v, x->relay);
	case SELECT_SRC:
		return not_empty(v, x->src);
	case SELECT_TAG:
		return not_empty(v, x->tag);
	case SELECT_ENC:
		return not_empty(v, x->enc);
	case SELECT_COMP:
		return not_empty(v, x->comp);
	case SELECT_KID:
		return not_empty(v, x->kid);
	case SELECT_HOST:
		return not_empty(v, x->host);
	case SELECT_SUBJECT:
	case SELECT_HDR:
	case SELECT_BODY:
		return x->message != NULL && x->message(x->ctx, f, header, v);
	default:
		return false;
	}
}

/* What its text says. */
static bool
within(struct selector_envelope *x, enum selector_field f,
    struct selector_value *v)
{
	const struct envelope *e = x->envelope;

	switch (f) {
	case SELECT_TYPE:
		return text(v, selector_envelope_type(e));
	case SELECT_SENDER:
		return text(v, e->sender);
	case SELECT_RCPT:
		return text(
		    v, e->recipient != NULL ? e->recipient : e->destination);
	case SELECT_DEST:
		return text(v, e->destination);
	case SELECT_TRIES:
		return number(v, e->tries);
	case SELECT_NEXT:
		return e->next_try != 0 && number(v, e->next_try);
	case SELECT_LAST:
		return e->last_try != 0 && number(v, e->last_try);
	case SELECT_EXPIRES:
		return number(v, e->expires);
	case SELECT_ERROR:
		return not_empty(v, e->error);
	case SELECT_ROUTE:
		return not_empty(v, route_of(x));
	case SELECT_RULE:
		return rule_of(x, v);
	case SELECT_LISTENER:
	case SELECT_CLIENT_IP:
	case SELECT_CLIENT_NAME:
	case SELECT_HELO:
	case SELECT_AUTH:
	case SELECT_TLS:
		return origin_of(x, f, v);
	default:
		return false;
	}
}

/* What is known of any envelope. */
static bool
on_value(void *ctx, enum selector_field f, const char *header,
    struct selector_value *v)
{
	struct selector_envelope *x = ctx;

	switch (f) {
	case SELECT_ID:
		return text(v, ident_evpid_text(x->id, x->envelope->id));
	case SELECT_STATE:
		return text(v, state_of(x));
	case SELECT_HELD:
		return number(v, strcmp(state_of(x), "held") == 0);
	case SELECT_PAUSED:
		return number(
		    v, x->paused || strcmp(state_of(x), "paused") == 0);
	case SELECT_INFLIGHT:
		return number(v, strcmp(state_of(x), "inflight") == 0);
	case SELECT_ARRIVED:
		return number(v, x->unread ? x->arrived : x->envelope->arrived);
	default:
		return around(x, f, header, v) ||
		    (!x->unread && within(x, f, v));
	}
}

static void
on_siblings(void *ctx,
    bool (*each)(void *arg, const struct selector_subject *s), void *arg)
{
	struct selector_envelope *x = ctx;

	x->siblings(x->ctx, each, arg);
}

void
selector_envelope_subject(
    struct selector_envelope *x, struct selector_subject *subject)
{
	x->origin_read = false;
	subject->value = on_value;
	subject->siblings = x->siblings == NULL ? NULL : on_siblings;
	subject->ctx = x;
}

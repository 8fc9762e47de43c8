#include "daemon/mta/greeting.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
greeting_begin(
    struct greeting *g, const struct greeting_want *want, bool secure)
{
	memset(g, 0, sizeof(*g));
	g->want = want;
	g->secure = secure;
	g->state = GREETING_BANNER;
}

static enum greeting_next
end_by_reply(
    struct greeting *g, enum greeting_fault fault, const struct reply *r)
{
	g->fault = r->code == 421 ? GREETING_421 : fault;
	reply_status(g->status, r);
	return GREETING_END;
}

static enum greeting_next end_with(
    struct greeting *g, enum greeting_fault fault, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static enum greeting_next
end_with(struct greeting *g, enum greeting_fault fault, const char *fmt, ...)
{
	va_list ap;

	g->fault = fault;
	va_start(ap, fmt);
	vsnprintf(g->status, sizeof(g->status), fmt, ap);
	va_end(ap);
	return GREETING_END;
}

static const char *
hello(const struct greeting *g)
{
	if (g->want->lmtp)
		return "LHLO";
	return g->state == GREETING_HELO ? "HELO" : "EHLO";
}

static enum greeting_next
say_hello(struct greeting *g, enum greeting_state state, struct buf *out)
{
	g->state = state;
	buf_putf(out, "%s %s\r\n", hello(g), g->want->helo);
	return GREETING_SAY;
}

static enum greeting_next
authenticate(struct greeting *g, struct buf *out)
{
	const struct greeting_want *w = g->want;

	if (w->user == NULL)
		return GREETING_READY;
	if (!sasl_begin(&g->sasl, &g->host, w->user, w->password))
		return end_with(g, GREETING_NO_AUTH,
		    "451 4.7.0 %s: offers neither AUTH PLAIN nor AUTH LOGIN",
		    w->label);
	g->state = GREETING_AUTH;
	sasl_start(&g->sasl, out);
	return GREETING_SAY_SECRET;
}

/* The host knows us, and we know what it can. */
static enum greeting_next
greeted(struct greeting *g, struct buf *out)
{
	if (g->secure || g->want->tls == GREETING_CLEAR)
		return authenticate(g, out);
	if (g->host.starttls) {
		g->state = GREETING_STARTTLS;
		buf_puts(out, "STARTTLS\r\n");
		return GREETING_SAY;
	}
	if (g->want->tls == GREETING_MUST)
		return end_with(g, GREETING_NO_TLS,
		    "451 4.7.4 %s: TLS is required, and STARTTLS is not "
		    "offered",
		    g->want->label);
	return authenticate(g, out);
}

static enum greeting_next
take_hello(struct greeting *g, const struct reply *r, struct buf *out)
{
	if (r->code / 100 == 2) {
		reply_ehlo(&g->host, r);
		if (g->state == GREETING_HELO)
			memset(&g->host, 0, sizeof(g->host));
		return greeted(g, out);
	}
	if (r->code >= 500 && g->state == GREETING_EHLO && !g->want->lmtp)
		return say_hello(g, GREETING_HELO, out);
	return end_by_reply(g, GREETING_REFUSED, r);
}

static enum greeting_next
take_starttls(struct greeting *g, const struct reply *r, struct buf *out)
{
	char text[REPLY_STATUS_MAX];

	if (r->code / 100 == 2)
		return GREETING_HANDSHAKE;
	if (r->code == 421)
		return end_by_reply(g, GREETING_421, r);
	if (g->want->tls != GREETING_MUST)
		return authenticate(g, out);
	return end_with(g, GREETING_NO_TLS,
	    "451 4.7.4 %s: TLS is required, and STARTTLS fails: %s",
	    g->want->label, reply_status(text, r));
}

static enum greeting_next
take_auth(struct greeting *g, const struct reply *r, struct buf *out)
{
	char text[REPLY_STATUS_MAX];

	switch (sasl_take(&g->sasl, r, out)) {
	case SASL_SAY:
		return GREETING_SAY_SECRET;
	case SASL_DONE:
		return GREETING_READY;
	case SASL_NONSENSE:
		return end_with(g, GREETING_NONSENSE,
		    "451 4.5.0 %s: an answer out of turn in AUTH",
		    g->want->label);
	case SASL_REFUSED:
		break;
	}
	if (r->code == 421)
		return end_by_reply(g, GREETING_421, r);
	reply_status(text, r);
	if (!greeting_harmless(g, r->text))
		snprintf(text, sizeof(text), "%u", r->code);
	return end_with(g, GREETING_NO_AUTH,
	    "451 4.7.0 %s: AUTH %s is refused: %s", g->want->label,
	    sasl_name(&g->sasl), text);
}

enum greeting_next
greeting_take(struct greeting *g, const struct reply *r, struct buf *out)
{
	switch (g->state) {
	case GREETING_BANNER:
		if (r->code / 100 == 2)
			return say_hello(g, GREETING_EHLO, out);
		return end_by_reply(g, GREETING_REFUSED, r);
	case GREETING_EHLO:
	case GREETING_HELO:
		return take_hello(g, r, out);
	case GREETING_STARTTLS:
		return take_starttls(g, r, out);
	case GREETING_AUTH:
		return take_auth(g, r, out);
	}
	return GREETING_END;
}

/* RFC 3207 section 4.2: all that was learnt before is forgotten. */
enum greeting_next
greeting_secured(struct greeting *g, struct buf *out)
{
	bool banner = g->state == GREETING_BANNER;

	g->secure = true;
	memset(&g->host, 0, sizeof(g->host));
	return banner ? GREETING_SAY : say_hello(g, GREETING_EHLO, out);
}

const char *
greeting_phase(const struct greeting *g)
{
	switch (g->state) {
	case GREETING_BANNER:
		return "the greeting";
	case GREETING_STARTTLS:
		return "STARTTLS";
	case GREETING_AUTH:
		return "AUTH";
	default:
		return hello(g);
	}
}

bool
greeting_harmless(const struct greeting *g, const char *text)
{
	return !sasl_leaks(&g->sasl, text);
}

#include "daemon/mta/dialogue.h"

#include <string.h>

#include "lib/mail/status.h"

static unsigned
commands(const struct dialogue *d)
{
	return d->t->n + 2; /* MAIL, RCPT..., DATA */
}

static void
settle(struct dialogue *d, unsigned i, enum carry_result result,
    const char *status)
{
	struct transaction_rcpt *r = &d->t->rcpts[i];

	if (r->state == TRANSACTION_SETTLED)
		return;
	r->state = TRANSACTION_SETTLED;
	d->t->open--;
	d->settle(d->arg, i, result, status);
}

void
dialogue_fail(struct dialogue *d, enum carry_result result, const char *status)
{
	unsigned i;

	for (i = 0; i < d->t->n; i++)
		settle(d, i, result, status);
}

bool
dialogue_begin(struct dialogue *d, struct transaction *t,
    const struct reply_ehlo *host, dialogue_settle *fn, void *arg)
{
	memset(d, 0, sizeof(*d));
	d->t = t;
	d->host = *host;
	d->settle = fn;
	d->arg = arg;
	if (host->size && host->size_limit > 0 && t->size > host->size_limit) {
		dialogue_fail(d, CARRY_NEVER,
		    "552 5.3.4 message is larger than the host takes");
		return false;
	}
	return true;
}

static void
put_command(struct dialogue *d, unsigned which, struct buf *out)
{
	const struct transaction *t = d->t;

	if (which == 0) {
		buf_putf(out, "MAIL FROM:<%s>", t->sender);
		if (d->host.size)
			buf_putf(
			    out, " SIZE=%llu", (unsigned long long)t->size);
		/* Whether the body needs it is not known here; a body of
		 * ASCII is 8BITMIME too. */
		if (d->host.eightbitmime)
			buf_puts(out, " BODY=8BITMIME");
		buf_puts(out, "\r\n");
	} else if (which <= t->n) {
		buf_putf(out, "RCPT TO:<%s>\r\n", t->rcpts[which - 1].address);
	} else {
		buf_puts(out, "DATA\r\n");
	}
}

void
dialogue_put(struct dialogue *d, struct buf *out)
{
	while (d->sent < commands(d) &&
	    (d->host.pipelining || d->sent == d->answered))
		put_command(d, d->sent++, out);
}

bool
dialogue_data_sent(const struct dialogue *d)
{
	return d->sent == commands(d);
}

static enum carry_result
result_of(const struct reply *r)
{
	return r->code >= 500 ? CARRY_NEVER : CARRY_LATER;
}

static enum dialogue_next
take_mail(struct dialogue *d, const struct reply *r)
{
	char text[REPLY_STATUS_MAX];

	if (r->code / 100 == 2)
		return DIALOGUE_GO_ON;
	d->refused = true;
	dialogue_fail(d, result_of(r), reply_status(text, r));
	return d->sent == d->answered ? DIALOGUE_RESET : DIALOGUE_GO_ON;
}

/* RFC 5321 section 4.5.3.1.10: the host takes no more recipients at a time;
 * the rest goes in the next transaction. */
static bool
too_many(const struct dialogue *d, const struct reply *r, const char *text)
{
	struct status s;

	if (d->accepted == 0 || (r->code != 452 && r->code != 552))
		return false;
	status_parse(&s, text);
	return s.subject == 5 && s.detail == 3;
}

static enum dialogue_next
take_rcpt(struct dialogue *d, const struct reply *r)
{
	unsigned i = d->answered - 2;
	char text[REPLY_STATUS_MAX];

	if (d->refused)
		return DIALOGUE_GO_ON;
	if (r->code / 100 == 2) {
		d->t->rcpts[i].state = TRANSACTION_ACCEPTED;
		d->accepted++;
	} else {
		reply_status(text, r);
		settle(d, i,
		    too_many(d, r, text) ? CARRY_UNTRIED : result_of(r), text);
	}
	/* Without PIPELINING DATA is spared when nobody was accepted. */
	if (d->accepted == 0 && d->answered == commands(d) - 1 &&
	    d->sent == d->answered)
		return DIALOGUE_RESET;
	return DIALOGUE_GO_ON;
}

static enum dialogue_next
take_data(struct dialogue *d, const struct reply *r)
{
	char text[REPLY_STATUS_MAX];

	if (r->code == 354) {
		d->body = true;
		d->empty = d->accepted == 0;
		return d->empty ? DIALOGUE_NO_BODY : DIALOGUE_BODY;
	}
	dialogue_fail(d, result_of(r), reply_status(text, r));
	return DIALOGUE_RESET;
}

static enum dialogue_next
take_body(struct dialogue *d, const struct reply *r)
{
	char text[REPLY_STATUS_MAX];

	if (r->code / 100 == 2) {
		dialogue_fail(d, CARRY_DONE, reply_status(text, r));
		return DIALOGUE_DONE;
	}
	dialogue_fail(d, result_of(r), reply_status(text, r));
	return DIALOGUE_RESET;
}

/* 354 answers DATA, 2xx the others; 4xx and 5xx may come at any time. */
static bool
in_turn(const struct dialogue *d, const struct reply *r)
{
	bool data = d->answered == commands(d) - 1;

	if (d->answered == d->sent)
		return false;
	return r->code >= 400 || (data ? r->code == 354 : r->code < 300);
}

enum dialogue_next
dialogue_take(struct dialogue *d, const struct reply *r)
{
	char text[REPLY_STATUS_MAX];

	d->heard = true;
	if (r->code == 421) {
		dialogue_fail(d, CARRY_LATER, reply_status(text, r));
		return DIALOGUE_CLOSE;
	}
	if (d->body)
		return take_body(d, r);
	if (!in_turn(d, r)) {
		dialogue_fail(
		    d, CARRY_LATER, "451 4.5.0 the host answers out of turn");
		return DIALOGUE_CLOSE;
	}
	d->answered++;
	if (d->answered == 1)
		return take_mail(d, r);
	if (d->answered < commands(d))
		return take_rcpt(d, r);
	return take_data(d, r);
}

const char *
dialogue_phase(const struct dialogue *d)
{
	if (d->body)
		return "the end of the message";
	if (d->answered == 0)
		return "MAIL FROM";
	return d->answered < commands(d) - 1 ? "RCPT TO" : "DATA";
}

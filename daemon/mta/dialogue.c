#include "daemon/mta/dialogue.h"

#include <string.h>

#include "lib/mail/status.h"

/* MAIL, RCPT..., and DATA where there is one. */
static unsigned
commands(const struct dialogue *d)
{
	return d->rcpts + (d->chunking ? 1 : 2);
}

static void
settle(struct dialogue *d, unsigned i, enum carry_result result,
    enum conn_phase phase, const char *status)
{
	struct transaction_rcpt *r = &d->t->rcpts[i];

	r->state = TRANSACTION_SETTLED;
	d->t->open--;
	if (!d->ops->settle(d->arg, i, result, phase, status))
		d->stopped = true;
}

static bool
fails_too(const struct dialogue *d, unsigned i)
{
	enum transaction_state state = d->t->rcpts[i].state;

	return state == TRANSACTION_OPEN || state == TRANSACTION_ACCEPTED;
}

/* After a stop the rest is not to be tried, and so has no outcome. */
void
dialogue_fail(struct dialogue *d, enum carry_result result,
    enum conn_phase phase, const char *status)
{
	unsigned i;

	if (d->stopped)
		return;
	for (i = 0; i < d->t->n; i++)
		if (fails_too(d, i))
			settle(d, i, result, phase, status);
}

unsigned
dialogue_open(const struct dialogue *d)
{
	unsigned i, n = 0;

	if (d->stopped)
		return 0;
	for (i = 0; i < d->t->n; i++)
		n += fails_too(d, i);
	return n;
}

bool
dialogue_begin(struct dialogue *d, struct transaction *t,
    const struct dialogue_way *way, const struct dialogue_ops *ops, void *arg)
{
	const struct reply_ehlo *host = &way->host;

	memset(d, 0, sizeof(*d));
	d->t = t;
	d->way = *way;
	d->ops = ops;
	d->arg = arg;
	d->rcpts = t->n;
	/* Not for LMTP: RFC 2033 says what follows a dot, and few servers
	 * agree on what follows a last chunk. */
	d->chunking = host->chunking && !way->lmtp;
	if (host->size && host->size_limit > 0 && t->size > host->size_limit) {
		dialogue_fail(d, CARRY_NEVER, CONN_PHASE_MAIL,
		    "552 5.3.4 message is larger than the host takes");
		return false;
	}
	return true;
}

static void
put_command(struct dialogue *d, struct buf *out)
{
	const struct transaction *t = d->t;
	unsigned which = d->sent++;

	if (which == 0) {
		buf_putf(out, "MAIL FROM:<%s>", t->sender);
		if (d->way.host.size)
			buf_putf(
			    out, " SIZE=%llu", (unsigned long long)t->size);
		/* Whether the body needs it is not known here; a body of
		 * ASCII is 8BITMIME too. */
		if (d->way.host.eightbitmime)
			buf_puts(out, " BODY=8BITMIME");
		buf_puts(out, "\r\n");
	} else if (which <= d->rcpts) {
		buf_putf(out, "RCPT TO:<%s>\r\n", t->rcpts[which - 1].address);
	} else {
		buf_puts(out, "DATA\r\n");
	}
}

/* How many commands may have been put once this batch is. DATA comes with the
 * last recipients; but by LMTP only when somebody was accepted, for a host
 * that says 354 nevertheless would never answer the empty message. */
static unsigned
batch_end(const struct dialogue *d)
{
	unsigned end = d->sent == 0 ? 1 : d->sent;

	if (!d->way.host.pipelining)
		return d->sent + 1;
	if (d->sent == d->rcpts + 1)
		return commands(d);
	if (d->way.window == 0 || d->way.window >= d->rcpts + 1 - end)
		return d->way.lmtp ? d->rcpts + 1 : commands(d);
	return end + d->way.window;
}

void
dialogue_put(struct dialogue *d, struct buf *out)
{
	unsigned end;

	if (d->sent != d->answered || d->stopped || d->refused || d->body)
		return;
	end = batch_end(d);
	while (d->sent < end && d->sent < commands(d))
		put_command(d, out);
}

bool
dialogue_body_near(const struct dialogue *d)
{
	return d->sent == commands(d) && !d->refused && !d->stopped &&
	    !d->failed;
}

void
dialogue_chunks(struct dialogue *d, unsigned n, bool last)
{
	d->chunks = n;
	d->last = last;
}

bool
dialogue_may_chunk(const struct dialogue *d)
{
	if (!d->chunking)
		return true;
	if (d->failed)
		return false;
	return d->way.host.pipelining || d->chunks == d->chunks_answered;
}

bool
dialogue_final(const struct dialogue *d)
{
	return d->body &&
	    (!d->chunking || (d->last && d->chunks_answered + 1 == d->chunks));
}

static enum carry_result
result_of(const struct reply *r)
{
	return r->code >= 500 ? CARRY_NEVER : CARRY_LATER;
}

/* No more recipients are put; the replies to those that were still come. */
static void
cut_short(struct dialogue *d)
{
	if (d->sent <= d->rcpts)
		d->rcpts = d->sent - 1;
}

static enum dialogue_next
take_mail(struct dialogue *d, const struct reply *r)
{
	char text[REPLY_STATUS_MAX];

	if (r->code / 100 == 2)
		return DIALOGUE_GO_ON;
	cut_short(d);
	d->refused = true;
	dialogue_fail(d, result_of(r), CONN_PHASE_MAIL, reply_status(text, r));
	return d->sent == d->answered ? DIALOGUE_RESET : DIALOGUE_GO_ON;
}

/* RFC 5321 section 4.5.3.1.10: the host takes no more recipients at a time;
 * the rest goes in the next transaction. Either code may mean a full mailbox
 * as well, but then says so. */
static bool
too_many(const struct dialogue *d, const struct reply *r, const char *text)
{
	struct status s;

	if (d->accepted == 0 || (r->code != 452 && r->code != 552))
		return false;
	if (!reply_enhanced(r))
		return true;
	status_parse(&s, text);
	return s.subject == 5 && s.detail == 3;
}

/* All recipients were answered, and nothing else is under way. */
static enum dialogue_next
after_rcpts(struct dialogue *d)
{
	if (d->accepted == 0 || d->stopped || d->refused)
		return DIALOGUE_RESET;
	if (!d->chunking)
		return DIALOGUE_GO_ON;
	d->body = true;
	return DIALOGUE_BODY;
}

static void
take_rcpt(struct dialogue *d, const struct reply *r)
{
	unsigned i = d->answered - 2;
	char text[REPLY_STATUS_MAX];

	if (d->refused)
		return;
	if (r->code / 100 == 2) {
		d->t->rcpts[i].state = TRANSACTION_ACCEPTED;
		d->accepted++;
		d->ops->accepted(d->arg, i);
		return;
	}
	reply_status(text, r);
	if (too_many(d, r, text)) {
		d->t->rcpts[i].state = TRANSACTION_SPARED;
		cut_short(d);
		for (i = d->rcpts; i < d->t->n; i++)
			d->t->rcpts[i].state = TRANSACTION_SPARED;
		return;
	}
	settle(d, i, result_of(r), CONN_PHASE_RCPT, text);
	if (d->stopped)
		cut_short(d);
}

static enum dialogue_next
take_data(struct dialogue *d, const struct reply *r)
{
	char text[REPLY_STATUS_MAX];

	if (r->code != 354) {
		dialogue_fail(
		    d, result_of(r), CONN_PHASE_DATA, reply_status(text, r));
		return DIALOGUE_RESET;
	}
	d->body = true;
	d->empty = d->accepted == 0;
	/* A message that is not to be carried on cannot be ended by a dot: it
	 * would be taken as it is. */
	if (d->stopped && !d->empty)
		return DIALOGUE_CLOSE;
	return d->empty ? DIALOGUE_NO_BODY : DIALOGUE_BODY;
}

/* LMTP: the reply of the next recipient that was accepted. */
static enum dialogue_next
take_own(struct dialogue *d, const struct reply *r, const char *text)
{
	const struct transaction *t = d->t;

	while (t->rcpts[d->next].state != TRANSACTION_ACCEPTED)
		d->next++;
	settle(d, d->next, r->code / 100 == 2 ? CARRY_DONE : result_of(r),
	    CONN_PHASE_BODY, text);
	d->accepted--;
	return d->accepted == 0 ? DIALOGUE_DONE : DIALOGUE_GO_ON;
}

static enum dialogue_next
take_chunk(struct dialogue *d, const struct reply *r, const char *text)
{
	bool last;

	d->chunks_answered++;
	last = d->chunks_answered == d->chunks;
	if (!d->failed && r->code / 100 == 2) {
		if (!d->last || !last)
			return DIALOGUE_GO_ON;
		dialogue_fail(d, CARRY_DONE, CONN_PHASE_BODY, text);
		return DIALOGUE_DONE;
	}
	if (!d->failed)
		dialogue_fail(d, result_of(r), CONN_PHASE_BODY, text);
	d->failed = true;
	return last ? DIALOGUE_RESET : DIALOGUE_GO_ON;
}

static enum dialogue_next
take_body(struct dialogue *d, const struct reply *r)
{
	char text[REPLY_STATUS_MAX];
	bool good = r->code / 100 == 2;

	reply_status(text, r);
	if (d->chunking)
		return take_chunk(d, r, text);
	if (d->way.lmtp && !d->empty)
		return take_own(d, r, text);
	dialogue_fail(
	    d, good ? CARRY_DONE : result_of(r), CONN_PHASE_BODY, text);
	return good ? DIALOGUE_DONE : DIALOGUE_RESET;
}

/* 354 answers DATA, 2xx the others; 4xx and 5xx may come at any time. */
static bool
in_turn(const struct dialogue *d, const struct reply *r)
{
	bool data = !d->chunking && d->answered == d->rcpts + 1;

	if (d->body)
		return !d->chunking || d->chunks_answered < d->chunks;
	if (d->answered == d->sent)
		return false;
	return r->code >= 400 || (data ? r->code == 354 : r->code < 300);
}

enum dialogue_next
dialogue_take(struct dialogue *d, const struct reply *r)
{
	char text[REPLY_STATUS_MAX];
	enum conn_phase phase;

	d->heard = true;
	if (r->code == 421) {
		phase = d->body              ? CONN_PHASE_BODY
		    : d->answered == 0       ? CONN_PHASE_MAIL
		    : dialogue_waits_data(d) ? CONN_PHASE_DATA
					     : CONN_PHASE_RCPT;
		dialogue_fail(d, CARRY_LATER, phase, reply_status(text, r));
		return DIALOGUE_CLOSE;
	}
	if (!in_turn(d, r)) {
		dialogue_fail(d, CARRY_LATER, CONN_PHASE_LOST,
		    "451 4.5.0 the host answers out of turn");
		return DIALOGUE_CLOSE;
	}
	if (d->body)
		return take_body(d, r);
	d->answered++;
	if (d->answered == 1)
		return take_mail(d, r);
	if (!d->chunking && d->answered == d->rcpts + 2)
		return take_data(d, r);
	take_rcpt(d, r);
	if (d->answered == d->rcpts + 1 && d->sent == d->answered)
		return after_rcpts(d);
	return DIALOGUE_GO_ON;
}

const char *
dialogue_phase(const struct dialogue *d)
{
	if (d->body)
		return "the end of the message";
	if (d->answered == 0)
		return "MAIL FROM";
	return dialogue_waits_data(d) ? "DATA" : "RCPT TO";
}

bool
dialogue_waits_data(const struct dialogue *d)
{
	return !d->chunking && !d->body && d->answered == d->rcpts + 1;
}

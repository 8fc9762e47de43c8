#include "daemon/mta/conn_inside.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/mono.h"

#define ENVELOPE_MS (20u * 60 * 1000) /* MAIL to DATA, however slow a host */

static bool
sent_whole(const struct conn *c)
{
	return c->d.empty || body_sent(&c->body);
}

bool
conn_mail_uncertain(const struct conn *c)
{
	return c->t != NULL && c->d.body && !c->d.empty && !c->d.failed &&
	    body_sent(&c->body);
}

void
conn_mail_go_on(struct conn *c)
{
	uint64_t offset;

	if (dialogue_may_chunk(&c->d) && body_wants(&c->body, &offset))
		c->env->ops->on_want(c->arg, c->stream, c->t->msgid, offset);
}

static void
note_chunks(struct conn *c)
{
	if (c->d.chunking)
		dialogue_chunks(&c->d, c->body.chunks, c->body.ended);
}

void
conn_body(struct conn *c, const struct carry_body *piece)
{
	const char *status;

	if (c->t == NULL || c->d.failed)
		return;
	if (body_take(&c->body, piece) == 0) {
		note_chunks(c);
		if (c->body.open)
			conn_mail_go_on(c);
		return;
	}
	/* What was sent cannot be taken back but by closing. */
	status = piece->status == CARRY_BODY_GONE
	    ? "451 4.3.0 the message is gone"
	    : "451 4.3.0 the message cannot be read now";
	dialogue_fail(&c->d, CARRY_LATER, CONN_PHASE_LOST, status);
	conn_hand_back(c, false);
	conn_close(c, CONN_END_QUIT, status);
}

uint32_t
conn_mail_patience(const struct conn *c)
{
	if (c->d.body)
		return c->body.ended || c->d.empty ? WAIT_END : WAIT_BLOCK;
	return dialogue_waits_data(&c->d) ? WAIT_DATA : WAIT_COMMAND;
}

static void
put_commands(struct conn *c)
{
	dialogue_put(&c->d, c->out);
	conn_flush(c);
	/* It is on its way when its turn comes. */
	if (dialogue_body_near(&c->d))
		conn_mail_go_on(c);
}

static void
begin_body(struct conn *c)
{
	body_open(&c->body);
	note_chunks(c);
	conn_mail_go_on(c);
	conn_wait(c, WAIT_BLOCK);
}

/* The transaction is over, one way or another. */
static void
end_transaction(struct conn *c, enum dialogue_next next)
{
	char status[REPLY_STATUS_MAX];
	enum conn_end end = c->reply.code == 421 ? CONN_END_421
	    : c->d.stopped                       ? CONN_END_QUIT
						 : CONN_END_LOST;

	/* A body that was begun can only be ended by closing; chunks stand
	 * each for itself. */
	if (c->d.body && !c->d.chunking && !sent_whole(c))
		next = DIALOGUE_CLOSE;
	reply_status(status, &c->reply);
	conn_hand_back(c, false);
	if (next == DIALOGUE_CLOSE) {
		conn_close(c, end, status);
	} else if (c->d.stopped) {
		conn_say_quit(c);
	} else if (next == DIALOGUE_DONE) {
		conn_ready(c);
	} else {
		c->state = CONN_RESET;
		conn_say(c, "RSET");
		conn_wait(c, WAIT_RESET);
	}
}

void
conn_mail_take(struct conn *c)
{
	char status[REPLY_STATUS_MAX];
	enum dialogue_next next;

	if (c->reply.code == 421 && !c->d.heard && c->messages > 1) {
		/* It had ended the session while that rested. */
		conn_hand_back(c, true);
		conn_close(c, CONN_END_LOST, reply_status(status, &c->reply));
		return;
	}
	if (c->reply.code < 400 && dialogue_final(&c->d) && !sent_whole(c)) {
		conn_broken(c, "451 4.5.0", "an answer out of turn");
		return;
	}
	next = dialogue_take(&c->d, &c->reply);
	switch (next) {
	case DIALOGUE_GO_ON:
		if (c->d.body) {
			conn_mail_go_on(c);
		} else if (mono_ms() - c->begun > ENVELOPE_MS) {
			conn_broken(c, "451 4.4.2", "too slow");
			return;
		} else {
			put_commands(c);
		}
		conn_wait(c, conn_mail_patience(c));
		return;
	case DIALOGUE_BODY:
		begin_body(c);
		return;
	case DIALOGUE_NO_BODY:
		conn_say(c, ".");
		conn_wait(c, WAIT_END);
		return;
	default:
		end_transaction(c, next);
		return;
	}
}

static void
on_accepted(void *arg, unsigned i)
{
	struct conn *c = arg;

	c->env->ops->on_accepted(c->arg, c->t, i);
}

static bool
on_settle(void *arg, unsigned i, enum carry_result result,
    enum conn_phase where, const char *status)
{
	struct conn *c = arg;

	return c->env->ops->on_settle(c->arg, c->t, i, result, where, status);
}

static const struct dialogue_ops dialogue_ops = { on_accepted, on_settle };

void
conn_carry(struct conn *c, struct transaction *t, uint32_t stream)
{
	struct dialogue_way way = { .host = c->greeting.host,
		.lmtp = c->want.lmtp,
		.window = c->way.recipients };

	assert(c->state == CONN_REST && c->t == NULL);
	c->state = CONN_MAIL;
	c->t = t;
	c->stream = stream;
	c->begun = mono_ms();
	c->messages++;
	if (!dialogue_begin(&c->d, t, &way, &dialogue_ops, c)) {
		conn_hand_back(c, false);
		if (c->d.stopped)
			conn_say_quit(c);
		else
			conn_ready(c);
		return;
	}
	body_start(&c->body, wire_output(c->wire), c->d.chunking);
	put_commands(c);
	conn_wait(c, WAIT_COMMAND);
}

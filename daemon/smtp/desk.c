#include "daemon/smtp/desk.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/proc/pending.h"
#include "lib/base/mem.h"

#define ASKS_PER_SESSION 16
#define SPARE 1024 /* tickets beyond what the sessions need */
#define CROWDED (1u << 20) /* octets queued, apart from bodies */

struct desk {
	struct peer *lookup, *spooler;
	const struct desk_events *events;
	struct pending *asks, *opens, *commits;
	size_t credit;
	bool refused;
	TAILQ_HEAD(desk_line, desk_wait) line;
};

static uint16_t
cap_for(unsigned sessions, unsigned each)
{
	uint64_t n = (uint64_t)sessions * each + SPARE;

	return n < UINT16_MAX ? (uint16_t)n : UINT16_MAX;
}

struct desk *
desk_new(struct peer *lookup, struct peer *spooler, unsigned sessions,
    const struct desk_events *events)
{
	struct desk *d = mem_zalloc(sizeof(*d));

	d->lookup = lookup;
	d->spooler = spooler;
	d->events = events;
	d->asks = pending_new(cap_for(sessions, ASKS_PER_SESSION));
	d->opens = pending_new(cap_for(sessions, 1));
	d->commits = pending_new(cap_for(sessions, 1));
	d->credit = INTAKE_WINDOW;
	TAILQ_INIT(&d->line);
	return d;
}

void
desk_free(struct desk *d)
{
	if (d == NULL)
		return;
	pending_free(d->asks);
	pending_free(d->opens);
	pending_free(d->commits);
	free(d);
}

uint32_t
desk_ask(struct desk *d, const char *client, const char *sender,
    const char *recipient, void *ctx)
{
	struct ask_rcpt m = {
		.client = client, .sender = sender, .recipient = recipient
	};

	m.ticket = pending_park(d->asks, ctx);
	if (m.ticket == 0)
		return 0;
	ask_rcpt_put(peer_begin(d->lookup), &m);
	peer_send(d->lookup, ASK_RCPT);
	return m.ticket;
}

uint32_t
desk_open(struct desk *d, void *ctx)
{
	struct intake_open m = { .ticket = pending_park(d->opens, ctx) };

	if (m.ticket == 0)
		return 0;
	intake_open_put(peer_begin(d->spooler), &m);
	peer_send(d->spooler, INTAKE_OPEN);
	return m.ticket;
}

uint32_t
desk_commit(struct desk *d, uint64_t msgid, uint64_t size, uint16_t envelopes,
    void *ctx)
{
	struct intake_commit m = {
		.msgid = msgid, .size = size, .envelopes = envelopes
	};

	m.ticket = pending_park(d->commits, ctx);
	if (m.ticket == 0)
		return 0;
	intake_commit_put(peer_begin(d->spooler), &m);
	peer_send(d->spooler, INTAKE_COMMIT);
	return m.ticket;
}

void
desk_forget_ask(struct desk *d, uint32_t ticket)
{
	pending_take(d->asks, ticket);
}

void
desk_forget_open(struct desk *d, uint32_t ticket)
{
	pending_take(d->opens, ticket);
}

void
desk_envelope(struct desk *d, uint64_t msgid, const struct buf *text)
{
	struct intake_envelope m = {
		.msgid = msgid, .text = buf_data(text), .len = buf_len(text)
	};

	intake_envelope_put(peer_begin(d->spooler), &m);
	peer_send(d->spooler, INTAKE_ENVELOPE);
}

void
desk_body(struct desk *d, uint64_t msgid, const void *data, size_t len)
{
	struct intake_body m = { .msgid = msgid, .data = data, .len = len };

	assert(len <= d->credit && len <= INTAKE_PIECE);
	d->credit -= len;
	intake_body_put(peer_begin(d->spooler), &m);
	peer_send(d->spooler, INTAKE_BODY);
}

void
desk_abort(struct desk *d, uint64_t msgid)
{
	struct intake_abort m = { .msgid = msgid };

	intake_abort_put(peer_begin(d->spooler), &m);
	peer_send(d->spooler, INTAKE_ABORT);
}

size_t
desk_credit(const struct desk *d)
{
	return d->credit;
}

bool
desk_refused(const struct desk *d)
{
	return d->refused;
}

bool
desk_crowded(const struct desk *d)
{
	return peer_queued(d->spooler) > INTAKE_WINDOW - d->credit + CROWDED;
}

void
desk_wait(struct desk *d, struct desk_wait *w)
{
	if (w->waiting)
		return;
	w->waiting = true;
	TAILQ_INSERT_TAIL(&d->line, w, link);
}

void
desk_unwait(struct desk *d, struct desk_wait *w)
{
	if (!w->waiting)
		return;
	w->waiting = false;
	TAILQ_REMOVE(&d->line, w, link);
}

void
desk_next(struct desk *d)
{
	struct desk_wait *w = TAILQ_FIRST(&d->line);

	if (w == NULL || d->credit < INTAKE_PIECE)
		return;
	desk_unwait(d, w);
	w->fn(w->arg);
}

int
desk_on_answer(struct desk *d, struct message *m)
{
	struct ask_answer a;
	void *ctx;

	if (ask_answer_get(&m->body, &a) == -1)
		return -1;
	ctx = pending_take(d->asks, a.ticket);
	if (ctx == NULL)
		return 0;
	return d->events->answered(ctx, &a, &m->body);
}

int
desk_on_opened(struct desk *d, struct message *m)
{
	struct intake_opened o;
	void *ctx;

	if (intake_opened_get(&m->body, &o) == -1)
		return -1;
	d->refused = o.status != INTAKE_OK;
	ctx = pending_take(d->opens, o.ticket);
	if (ctx != NULL)
		d->events->opened(ctx, &o);
	else if (o.status == INTAKE_OK)
		desk_abort(d, o.msgid);
	return 0;
}

int
desk_on_done(struct desk *d, struct message *m)
{
	struct intake_done done;
	void *ctx;

	if (intake_done_get(&m->body, &done) == -1)
		return -1;
	ctx = pending_take(d->commits, done.ticket);
	if (ctx != NULL)
		d->events->done(ctx, done.status);
	return 0;
}

int
desk_on_credit(struct desk *d, struct message *m)
{
	struct intake_credit c;
	unsigned n;

	if (intake_credit_get(&m->body, &c) == -1 ||
	    c.octets > INTAKE_WINDOW - d->credit)
		return -1;
	d->credit += c.octets;
	for (n = 0; n <= c.octets / INTAKE_PIECE; n++)
		desk_next(d);
	return 0;
}

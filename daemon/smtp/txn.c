#include "daemon/smtp/txn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/smtp/stamp.h"
#include "lib/base/hmap.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

#define TURN_ENVELOPES 64
#define TEXT_MAX (INTAKE_PIECE + 128u * 1024)

struct target {
	enum envelope_kind kind;
	uint32_t ttl;
	const char *destination; /* both lie in name, after the struct */
	const char *action;
	char name[];
};

/* One RCPT. */
struct rcpt {
	struct txn *txn;
	uint32_t ticket; /* 0: answered */
	enum ask_verdict verdict;
	char *reply; /* when it was not accepted */
	char *recipient; /* as given */
	struct target **targets;
	uint16_t n;
};

enum txn_state {
	OPENING,
	OPEN, /* the spooler holds something of it */
	CLOSED, /* it does not, or not any more */
	COMMITTING,
	DONE
};

struct txn {
	struct desk *desk;
	const struct txn_client *client; /* NULL: the session has gone */
	uint32_t session;
	enum txn_state state;
	enum intake_status status;
	uint32_t open_ticket;
	uint64_t msgid;
	char *sender;

	struct rcpt **rcpts;
	size_t nrcpts, replied;
	unsigned accepted;
	size_t envelopes; /* of accepted recipients */
	struct hmap *seen; /* hash of a target -> target */
	size_t at_rcpt, at_target; /* the next envelope to be sent */
	unsigned sent;

	struct stamp stamp;
	struct stamp_facts facts;
	struct buf *body; /* not yet sent */
	uint64_t body_size; /* sent */
	uint64_t size;
	const char *refusal;
};

struct txn *
txn_new(
    struct desk *d, const struct txn_client *client, const struct addr *sender)
{
	struct txn *t = mem_zalloc(sizeof(*t));
	char text[ADDR_TEXT_MAX];

	t->desk = d;
	t->client = client;
	t->session = client->session;
	t->sender = mem_strdup(addr_text(text, sender));
	t->open_ticket = desk_open(d, t);
	if (t->open_ticket == 0) {
		t->state = CLOSED;
		t->status = INTAKE_TEMPORARY;
	}
	return t;
}

static void
rcpt_free(struct rcpt *r)
{
	uint16_t i;

	for (i = 0; i < r->n; i++)
		free(r->targets[i]);
	free(r->targets);
	free(r->recipient);
	free(r->reply);
	free(r);
}

/* Gives up what the spooler holds. */
static void
close_intake(struct txn *t)
{
	if (t->state == OPENING)
		desk_forget_open(t->desk, t->open_ticket);
	else if (t->state == OPEN)
		desk_abort(t->desk, t->msgid);
	else
		return;
	t->state = CLOSED;
}

static void
destroy(struct txn *t)
{
	size_t i;

	for (i = 0; i < t->nrcpts; i++) {
		if (t->rcpts[i]->ticket != 0)
			desk_forget_ask(t->desk, t->rcpts[i]->ticket);
		rcpt_free(t->rcpts[i]);
	}
	free(t->rcpts);
	hmap_free(t->seen);
	buf_free(t->body);
	free(t->sender);
	free(t);
}

void
txn_free(struct txn *t)
{
	if (t == NULL)
		return;
	t->client = NULL;
	if (t->state == COMMITTING)
		return; /* until on_done() */
	close_intake(t);
	destroy(t);
}

bool
txn_opening(const struct txn *t)
{
	return t->state == OPENING;
}

const char *
txn_trouble(const struct txn *t)
{
	if (t->state != CLOSED || t->status == INTAKE_OK)
		return NULL;
	return t->status == INTAKE_FULL
	    ? "452 4.3.1 Insufficient system storage"
	    : "451 4.3.0 Mail cannot be taken now, try again later";
}

void
txn_rcpt(struct txn *t, const struct addr *recipient)
{
	struct rcpt *r = mem_zalloc(sizeof(*r));
	char text[ADDR_TEXT_MAX];

	r->txn = t;
	/* The one address without a domain is ours (RFC 5321 4.5.1). */
	if (recipient->domain[0] == '\0')
		r->recipient =
		    mem_printf("%s@%s", recipient->local, t->client->host);
	else
		r->recipient = mem_strdup(addr_text(text, recipient));
	t->rcpts = mem_rearray(t->rcpts, t->nrcpts + 1, sizeof(*t->rcpts));
	t->rcpts[t->nrcpts++] = r;
	r->ticket =
	    desk_ask(t->desk, t->client->address, t->sender, r->recipient, r);
	if (r->ticket == 0) {
		r->verdict = ASK_TEMPFAIL;
		r->reply = mem_strdup("451 4.3.2 Too busy, try again later");
	}
}

static void
log_rejected(const struct txn *t, const struct rcpt *r, const char *reply)
{
	char rcpt[ADDR_TEXT_MAX * 2], from[ADDR_TEXT_MAX * 2], text[600];

	log_info("session=%08x event=rejected from=%s rcpt=%s reply=%s",
	    t->session, text_quote(from, sizeof(from), t->sender),
	    text_quote(rcpt, sizeof(rcpt), r->recipient),
	    text_quote(text, sizeof(text), reply));
}

const char *
txn_reply(struct txn *t)
{
	struct rcpt *r;
	const char *reply;

	if (t->replied == t->nrcpts || t->state == OPENING)
		return NULL;
	r = t->rcpts[t->replied];
	if (r->ticket != 0)
		return NULL;
	t->replied++;
	reply = r->reply;
	if (reply == NULL)
		reply = txn_trouble(t);
	if (reply == NULL && t->envelopes + r->n > TXN_ENVELOPES)
		reply = "452 4.5.3 Too many recipients";
	if (reply == NULL) {
		t->accepted++;
		t->envelopes += r->n;
		return "250 2.1.5 Recipient ok";
	}
	r->verdict = ASK_TEMPFAIL;
	log_rejected(t, r, reply);
	return reply;
}

unsigned
txn_asking(const struct txn *t)
{
	return (unsigned)(t->nrcpts - t->replied);
}

unsigned
txn_accepted(const struct txn *t)
{
	return t->accepted;
}

/* The same mailbox by two names gets one copy. */
static bool
is_new(struct txn *t, struct target *g)
{
	struct target *other;
	size_t len = strlen(g->action) + 1 + strlen(g->destination);

	if (t->seen == NULL)
		t->seen = hmap_new();
	other = hmap_put(t->seen, hmap_hash(g->name, len), g);
	return other == NULL || other->kind != g->kind ||
	    strcmp(other->action, g->action) != 0 ||
	    strcmp(other->destination, g->destination) != 0;
}

static void
send_envelope(struct txn *t, const struct rcpt *r, const struct target *g,
    struct buf *text)
{
	/* Lent for the printing: the fields are not const there. */
	struct envelope e;

	envelope_init(&e);
	e.id = ident_evpid(t->msgid, ++t->sent);
	e.state = ENVELOPE_QUEUED;
	e.kind = g->kind;
	e.action = (char *)(uintptr_t)g->action;
	e.sender = t->sender;
	e.recipient = r->recipient;
	e.destination = (char *)(uintptr_t)g->destination;
	e.from = (char *)(uintptr_t)t->client->from;
	e.arrived = t->facts.now;
	e.expires = t->facts.now + g->ttl;
	e.generation = 1;
	buf_reset(text);
	if (envelope_print(&e, text) == -1) {
		txn_refuse(t, "451 4.3.0 An envelope is too large");
		return;
	}
	desk_envelope(t->desk, t->msgid, text);
}

/* Everything the trace fields say is known by now. */
static void
start_body(struct txn *t)
{
	const struct txn_client *c = t->client;
	size_t i;

	t->facts.helo = c->helo;
	t->facts.client = c->literal;
	t->facts.host = c->host;
	t->facts.esmtp = c->esmtp;
	t->facts.msgid = t->msgid;
	for (i = 0; i < t->nrcpts && t->accepted == 1; i++)
		if (t->rcpts[i]->verdict == ASK_ACCEPT)
			t->facts.recipient = t->rcpts[i]->recipient;
	stamp_init(&t->stamp, c->local);
	t->body = buf_new(TEXT_MAX);
	stamp_received(t->body, &t->facts);
}

/* At most TURN_ENVELOPES; true once all are sent. */
static bool
send_envelopes(struct txn *t)
{
	struct buf *text;
	struct target *g;
	struct rcpt *r;
	int n = 0;

	if (t->at_rcpt == t->nrcpts || t->refusal != NULL)
		return true;
	text = buf_new(ENVELOPE_TEXT_MAX);
	while (t->at_rcpt < t->nrcpts && n < TURN_ENVELOPES &&
	    t->refusal == NULL) {
		r = t->rcpts[t->at_rcpt];
		if (r->verdict != ASK_ACCEPT || t->at_target == r->n) {
			t->at_rcpt++;
			t->at_target = 0;
			continue;
		}
		g = r->targets[t->at_target++];
		if (is_new(t, g))
			send_envelope(t, r, g, text);
		n++;
	}
	buf_free(text);
	return t->at_rcpt == t->nrcpts || t->refusal != NULL;
}

bool
txn_start(struct txn *t, int64_t now)
{
	assert(t->state == OPEN && t->accepted > 0);
	if (t->facts.now == 0)
		t->facts.now = now;
	/* A few go with the text: that spares the spooler a wakeup. */
	if (t->envelopes >= TURN_ENVELOPES && !send_envelopes(t))
		return false;
	start_body(t);
	return true;
}

void
txn_text(struct txn *t, const void *text, size_t len, uint64_t limit)
{
	t->size += len;
	if (t->refusal != NULL)
		return;
	if (t->size > limit) {
		txn_refuse(t, "552 5.3.4 The message is too big");
		return;
	}
	if (stamp_feed(&t->stamp, &t->facts, text, len, t->body) == -1)
		txn_refuse(t, "451 4.3.0 The message cannot be taken");
	else if (t->stamp.header.received > TXN_RECEIVED)
		txn_refuse(t, "550 5.4.6 Too many hops, this is a loop");
}

/* Sends text while at least so much of it waits, and envelopes before it. */
static bool
send_body(struct txn *t, size_t least)
{
	size_t n;

	if (t->refusal != NULL || buf_len(t->body) < least)
		return true;
	if (!send_envelopes(t))
		return false;
	if (t->refusal != NULL)
		return true;
	while ((n = buf_len(t->body)) >= least && n > 0) {
		if (n > INTAKE_PIECE)
			n = INTAKE_PIECE;
		if (desk_credit(t->desk) < n)
			return false;
		desk_body(t->desk, t->msgid, buf_data(t->body), n);
		t->body_size += n;
		buf_consume(t->body, n);
	}
	return true;
}

bool
txn_flush(struct txn *t)
{
	return send_body(t, INTAKE_PIECE);
}

void
txn_refuse(struct txn *t, const char *reply)
{
	if (t->refusal != NULL)
		return;
	t->refusal = reply;
	close_intake(t);
	if (t->body != NULL)
		buf_reset(t->body);
}

const char *
txn_refusal(const struct txn *t)
{
	return t->refusal;
}

bool
txn_commit(struct txn *t)
{
	assert(t->state == OPEN && t->refusal == NULL);
	if (stamp_end(&t->stamp, &t->facts, t->body) == -1) {
		txn_refuse(t, "451 4.3.0 The message cannot be taken");
		return true;
	}
	if (!send_body(t, 1))
		return false;
	if (t->refusal != NULL)
		return true;
	t->state = COMMITTING;
	if (desk_commit(
		t->desk, t->msgid, t->body_size, (uint16_t)t->sent, t) != 0)
		return true;
	t->state = OPEN;
	txn_refuse(t, "451 4.3.2 Too busy, try again later");
	return true;
}

bool
txn_done(const struct txn *t, enum intake_status *status)
{
	*status = t->status;
	return t->state == DONE;
}

uint64_t
txn_msgid(const struct txn *t)
{
	return t->msgid;
}

uint64_t
txn_size(const struct txn *t)
{
	return t->size;
}

static struct target *
target_new(const struct ask_target *from)
{
	size_t na = strlen(from->action) + 1;
	size_t nd = strlen(from->destination) + 1;
	struct target *g = mem_zalloc(sizeof(*g) + na + nd);

	g->kind = from->kind;
	g->ttl = from->ttl;
	memcpy(g->name, from->action, na);
	memcpy(g->name + na, from->destination, nd);
	g->action = g->name;
	g->destination = g->name + na;
	return g;
}

/* A reply is one line of ours; anything else would confuse the client. */
static bool
reply_ok(const char *reply)
{
	size_t i;

	for (i = 0; i < 3; i++)
		if (reply[i] < '0' || reply[i] > '9')
			return false;
	return (reply[0] == '4' || reply[0] == '5') && reply[3] == ' ' &&
	    strlen(reply) < 500 && strpbrk(reply, "\r\n") == NULL;
}

static int
on_answered(void *ctx, const struct ask_answer *m, struct unpack *targets)
{
	struct rcpt *r = ctx;
	struct ask_target one;

	r->ticket = 0;
	r->verdict = m->verdict;
	if (m->verdict != ASK_ACCEPT || m->n == 0)
		r->reply = mem_strdup(reply_ok(m->reply)
			? m->reply
			: "451 4.3.0 No answer about this recipient");
	else
		r->targets = mem_zarray(m->n, sizeof(*r->targets));
	while (unpack_more(targets)) {
		if (ask_target_get(targets, &one) == -1 || r->n == m->n)
			return -1;
		if (r->targets != NULL)
			r->targets[r->n++] = target_new(&one);
	}
	if (unpack_done(targets) == -1 || (r->targets != NULL && r->n != m->n))
		return -1;
	r->txn->client->wake(r->txn->client->arg);
	return 0;
}

static void
on_opened(void *ctx, const struct intake_opened *m)
{
	struct txn *t = ctx;

	t->state = m->status == INTAKE_OK ? OPEN : CLOSED;
	t->status = m->status;
	t->msgid = m->msgid;
	t->client->wake(t->client->arg);
}

static void
on_done(void *ctx, enum intake_status status)
{
	struct txn *t = ctx;
	char from[ADDR_TEXT_MAX * 2], id[IDENT_TEXT_MAX];

	t->state = DONE;
	t->status = status;
	if (status == INTAKE_OK)
		log_info("session=%08x msgid=%s event=accepted from=<%s> "
			 "size=%llu rcpts=%u envelopes=%u%s",
		    t->session, ident_msgid_text(id, t->msgid),
		    text_printable(from, sizeof(from), t->sender),
		    (unsigned long long)t->body_size, t->accepted, t->sent,
		    t->client == NULL ? " client=gone" : "");
	else
		log_warn("session=%08x msgid=%s event=not-accepted from=<%s> "
			 "size=%llu reason=%s",
		    t->session, ident_msgid_text(id, t->msgid),
		    text_printable(from, sizeof(from), t->sender),
		    (unsigned long long)t->body_size,
		    status == INTAKE_FULL ? "full" : "temporary");
	if (t->client == NULL)
		destroy(t);
	else
		t->client->wake(t->client->arg);
}

const struct desk_events txn_events = {
	.answered = on_answered,
	.opened = on_opened,
	.done = on_done,
};

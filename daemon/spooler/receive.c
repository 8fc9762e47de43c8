#include "daemon/spooler/receive.h"

#include <stdlib.h>

#include "daemon/edge/intake.h"
#include "daemon/spooler/known.h"
#include "daemon/spooler/spooler.h"
#include "lib/base/hmap.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define CREDIT_STEP (512u * 1024) /* given back in pieces of at least this */

/* An open transaction, then one whose commit is awaited. */
struct intake {
	struct spooler *s;
	uint64_t msgid;
	struct queue_txn *txn; /* NULL once committed */
	uint64_t size;
	uint32_t ticket; /* of the commit */
	uint16_t n, room;
	struct envelope *envelopes;
	struct queue_text *texts;
};

struct receive {
	struct hmap *open; /* by message id */
	uint32_t consumed; /* body octets not yet given back as credit */
	bool choked; /* the queue asked to stop: no credit */
};

static void
give_credit(struct spooler *s)
{
	struct peer *smtp = proc_peer(s->proc, ROLE_SMTP);
	struct intake_credit m = { .octets = s->receive->consumed };

	if (s->receive->choked || m.octets == 0)
		return;
	s->receive->consumed = 0;
	intake_credit_put(peer_begin(smtp), &m);
	peer_send(smtp, INTAKE_CREDIT);
}

static void
on_relief(void *ctx)
{
	struct spooler *s = ctx;

	s->receive->choked = false;
	give_credit(s);
}

struct receive *
receive_new(struct spooler *s)
{
	struct receive *r = mem_zalloc(sizeof(*r));

	r->open = hmap_new();
	queue_relief(s->q, on_relief, s);
	return r;
}

static void
intake_free(struct intake *in)
{
	uint16_t i;

	if (in->txn != NULL)
		queue_abort(in->txn);
	for (i = 0; i < in->n; i++) {
		envelope_clear(&in->envelopes[i]);
		free((char *)(uintptr_t)in->texts[i].text);
	}
	free(in->envelopes);
	free(in->texts);
	free(in);
}

static enum intake_status
intake_status_of(enum queue_status st)
{
	if (st == QUEUE_OK)
		return INTAKE_OK;
	return st == QUEUE_FULL ? INTAKE_FULL : INTAKE_TEMPORARY;
}

static int
on_open(void *arg, struct message *m)
{
	struct spooler *s = arg;
	struct peer *smtp = proc_peer(s->proc, ROLE_SMTP);
	struct intake_opened answer = { 0 };
	enum queue_status why = QUEUE_OK;
	struct intake_open open;
	struct queue_txn *txn;
	struct intake *in;

	if (intake_open_get(&m->body, &open) == -1)
		return -1;
	txn = queue_begin(s->q, &why);
	answer.ticket = open.ticket;
	if (txn == NULL) {
		answer.status = intake_status_of(why);
	} else {
		in = mem_zalloc(sizeof(*in));
		in->s = s;
		in->txn = txn;
		in->msgid = answer.msgid = queue_txn_id(txn);
		hmap_put(s->receive->open, in->msgid, in);
	}
	intake_opened_put(peer_begin(smtp), &answer);
	peer_send(smtp, INTAKE_OPENED);
	return 0;
}

static struct intake *
find(struct spooler *s, uint64_t msgid)
{
	return msgid == 0 ? NULL : hmap_get(s->receive->open, msgid);
}

/* smtp parses what strangers send: it is believed as far as this goes. */
static bool
as_it_must_be(const struct intake *in, const struct envelope *e)
{
	return e->id == ident_evpid(in->msgid, in->n + 1u) &&
	    e->state == ENVELOPE_QUEUED && e->generation == 1 &&
	    e->kind != ENVELOPE_BOUNCE && e->tries == 0 && e->action != NULL &&
	    e->recipient != NULL && e->sender != NULL;
}

static int
on_envelope(void *arg, struct message *m)
{
	struct spooler *s = arg;
	struct intake_envelope ie;
	struct envelope e;
	struct intake *in;
	char why[128];

	if (intake_envelope_get(&m->body, &ie) == -1)
		return -1;
	in = find(s, ie.msgid);
	if (in == NULL || in->n == IDENT_RCPT_MAX)
		return -1;
	if (envelope_parse(&e, (const char *)ie.text, ie.len, why,
		sizeof(why)) != ENVELOPE_OK ||
	    !as_it_must_be(in, &e)) {
		envelope_clear(&e);
		return -1;
	}
	if (in->n == in->room) {
		in->room = (uint16_t)(in->room == 0     ? 4
			: in->room > IDENT_RCPT_MAX / 2 ? IDENT_RCPT_MAX
							: in->room * 2);
		in->envelopes = mem_rearray(
		    in->envelopes, in->room, sizeof(*in->envelopes));
		in->texts =
		    mem_rearray(in->texts, in->room, sizeof(*in->texts));
	}
	in->envelopes[in->n] = e;
	in->texts[in->n].evpid = e.id;
	in->texts[in->n].text = mem_strndup((const char *)ie.text, ie.len);
	in->texts[in->n].len = ie.len;
	in->n++;
	return 0;
}

static int
on_body(void *arg, struct message *m)
{
	struct spooler *s = arg;
	struct intake_body body;
	struct intake *in;

	if (intake_body_get(&m->body, &body) == -1)
		return -1;
	in = find(s, body.msgid);
	if (in == NULL || in->txn == NULL)
		return -1;
	/* More than was ever allowed would fill our memory. */
	if (body.len > INTAKE_WINDOW - s->receive->consumed)
		return -1;
	in->size += body.len;
	if (!queue_write(in->txn, body.data, body.len))
		s->receive->choked = true;
	s->receive->consumed += (uint32_t)body.len;
	if (s->receive->consumed >= CREDIT_STEP)
		give_credit(s);
	return 0;
}

static void
answer_commit(struct spooler *s, uint32_t ticket, enum intake_status status)
{
	struct peer *smtp = proc_peer(s->proc, ROLE_SMTP);
	struct intake_done m = { .ticket = ticket, .status = status };

	intake_done_put(peer_begin(smtp), &m);
	peer_send(smtp, INTAKE_DONE);
}

static void
committed(void *ctx, enum queue_status st)
{
	struct intake *in = ctx;
	struct spooler *s = in->s;
	uint16_t i;

	answer_commit(s, in->ticket, intake_status_of(st));
	if (st == QUEUE_OK) {
		s->count.received++;
		s->count.envelopes += in->n;
		for (i = 0; i < in->n; i++)
			known_add(s,
			    index_add(s->index, &in->envelopes[i], in->size));
	}
	intake_free(in);
}

static int
on_commit(void *arg, struct message *m)
{
	struct spooler *s = arg;
	struct intake_commit c;
	struct queue_txn *txn;
	struct intake *in;

	if (intake_commit_get(&m->body, &c) == -1)
		return -1;
	in = find(s, c.msgid);
	if (in == NULL || in->size != c.size || in->n != c.envelopes ||
	    in->n == 0)
		return -1;
	hmap_del(s->receive->open, in->msgid);
	in->ticket = c.ticket;
	txn = in->txn;
	in->txn = NULL;
	queue_commit(txn, in->texts, in->n, NULL, 0, committed, in);
	return 0;
}

static int
on_abort(void *arg, struct message *m)
{
	struct spooler *s = arg;
	struct intake_abort a;
	struct intake *in;

	if (intake_abort_get(&m->body, &a) == -1)
		return -1;
	in = find(s, a.msgid);
	if (in == NULL)
		return -1;
	hmap_del(s->receive->open, in->msgid);
	intake_free(in);
	return 0;
}

const struct handler receive_handlers[RECEIVE_HANDLERS] = {
	{ INTAKE_OPEN, "intake-open", on_open },
	{ INTAKE_ENVELOPE, "intake-envelope", on_envelope },
	{ INTAKE_BODY, "intake-body", on_body },
	{ INTAKE_COMMIT, "intake-commit", on_commit },
	{ INTAKE_ABORT, "intake-abort", on_abort },
};

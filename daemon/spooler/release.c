#include "daemon/spooler/release.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/edge/carry.h"
#include "daemon/edge/plan.h"
#include "daemon/spooler/known.h"
#include "daemon/spooler/spooler.h"
#include "daemon/spooler/unusable.h"
#include "lib/base/hmap.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/mail/envelope.h"
#include "lib/proto/frame.h"

#define FAILED_DELAY 5 /* seconds, when it is no fault of the file */
#define UNREADABLE_DELAY 60 /* seconds until a file is looked at again */
#define TASK_OCTETS (128u * 1024) /* of texts in one task, or one text */

_Static_assert(TASK_OCTETS >= ENVELOPE_TEXT_MAX &&
	TASK_OCTETS + 5 * PLAN_BATCH + 64 <= FRAME_MAX,
    "a task must fit a frame");

struct release {
	struct hmap *flights; /* by evpid */
	struct hmap *lost; /* messages whose file is gone, by msgid */
};

/* The envelopes of one message whose texts are being read. */
struct batch {
	struct spooler *s;
	uint64_t msgid;
	uint64_t size;
	enum role carrier;
	unsigned n, waiting;
	struct slot {
		struct batch *batch;
		uint64_t evpid;
		struct flight *flight;
	} slots[];
};

struct release *
release_new(struct spooler *s)
{
	struct release *r = mem_zalloc(sizeof(*r));

	(void)s;
	r->flights = hmap_new();
	r->lost = hmap_new();
	return r;
}

/* As many as one message to the carrier has room for. */
static unsigned
take_off(struct batch *b, struct flight *const *flights, unsigned n)
{
	struct peer *carrier = proc_peer(b->s->proc, b->carrier);
	struct carry_task task = { .msgid = b->msgid, .size = b->size };
	struct buf *out = peer_begin(carrier);
	size_t octets = flights[0]->len;
	unsigned i;

	for (task.n = 1; task.n < n; task.n++) {
		octets += flights[task.n]->len;
		if (octets > TASK_OCTETS)
			break;
	}
	carry_task_put(out, &task);
	for (i = 0; i < task.n; i++) {
		flights[i]->out = true;
		carry_text_put(out, flights[i]->text, flights[i]->len);
	}
	peer_send(carrier, CARRY_TASK);
	return task.n;
}

static void
send_task(struct batch *b)
{
	struct flight *flights[PLAN_BATCH];
	unsigned i, n = 0;

	for (i = 0; i < b->n; i++)
		if (b->slots[i].flight != NULL)
			flights[n++] = b->slots[i].flight;
	for (i = 0; i < n;)
		i += take_off(b, flights + i, n - i);
	free(b);
}

/* Says once why an envelope stays, in the log and in the listing. */
static void
excuse(struct spooler *s, struct entry *en, const char *event, const char *why)
{
	char id[IDENT_TEXT_MAX];

	bool news = index_excuse(s->index, en, why);

	unusable_note(s->unusable, en);
	/* Without an event the queue has said it, for all of them. */
	if (news && event != NULL)
		log_warn("evpid=%s event=%s text=\"%s\"",
		    ident_evpid_text(id, en->evpid), event, why);
}

/* An envelope that cannot be given out now. */
static void
not_readable(
    struct spooler *s, uint64_t evpid, struct entry *en, enum queue_status st)
{
	char id[IDENT_TEXT_MAX];

	if (en != NULL)
		en->flags &= (uint8_t)~ENTRY_INFLIGHT;
	s->count.inflight--;
	if (en == NULL || st == QUEUE_GONE) {
		log_warn("evpid=%s event=gone text=its file was taken away",
		    ident_evpid_text(id, evpid));
		if (en != NULL) {
			queue_done(s->q, evpid, "gone", NULL, NULL);
			index_remove(s->index, en);
		}
		known_settled(s, evpid, PLAN_GONE, 0);
	} else if (st == QUEUE_LOCKED) {
		en->flags |= ENTRY_BROKEN | ENTRY_LOCKED;
		excuse(s, en, "locked",
		    "sealed by a key that is not in the key ring");
		known_settled(s, evpid, PLAN_HELD, 0);
	} else if (st == QUEUE_DAMAGED) {
		en->flags |= ENTRY_BROKEN;
		excuse(s, en, "damaged",
		    "its file is cut short, edited or damaged");
		known_settled(s, evpid, PLAN_HELD, 0);
	} else if (st == QUEUE_FAILED) {
		excuse(s, en, NULL, "files cannot be read now");
		en->next_try = (uint32_t)(mono_wall() + FAILED_DELAY);
		known_settled(s, evpid, PLAN_AGAIN, en->next_try);
	} else {
		excuse(s, en, "unavailable", "its file cannot be read");
		en->next_try = (uint32_t)(mono_wall() + UNREADABLE_DELAY);
		known_settled(s, evpid, PLAN_AGAIN, en->next_try);
	}
}

static void
on_text(void *ctx, enum queue_status st, const char *text, size_t len)
{
	struct slot *slot = ctx;
	struct batch *b = slot->batch;
	struct entry *en = index_find(b->s->index, slot->evpid);
	struct flight *f;

	if (st == QUEUE_OK && en != NULL && !(en->flags & ENTRY_REMOVED)) {
		index_tried(b->s->index, en);
		f = mem_zalloc(sizeof(*f) + len + 1);
		f->evpid = slot->evpid;
		f->carrier = b->carrier;
		f->len = len;
		memcpy(f->text, text, len);
		hmap_put(b->s->release->flights, f->evpid, f);
		slot->flight = f;
		b->size = en->size;
	} else {
		not_readable(b->s, slot->evpid, en, st);
	}
	if (--b->waiting == 0)
		send_task(b);
}

/* ids[0..n) are of one message. */
static void
gather(struct spooler *s, enum role carrier, const uint64_t *ids, unsigned n)
{
	struct batch *b = mem_zalloc(sizeof(*b) + n * sizeof(struct slot));
	unsigned i;

	b->s = s;
	b->msgid = ident_msgid(ids[0]);
	b->carrier = carrier;
	b->n = n;
	b->waiting = n;
	for (i = 0; i < n; i++) {
		b->slots[i].batch = b;
		b->slots[i].evpid = ids[i];
	}
	/* The last answer frees the batch, and may come before this returns. */
	for (i = 0; i < n; i++)
		queue_envelope(s->q, ids[i], on_text, &b->slots[i]);
}

/* Drops those that have gone since; returns how many are left. One that is out
 * already is not given out twice. */
static unsigned
still_there(struct spooler *s, uint64_t *ids, unsigned n)
{
	unsigned i, kept = 0;
	struct entry *en;

	for (i = 0; i < n; i++) {
		en = index_find(s->index, ids[i]);
		if (en != NULL && (en->flags & ENTRY_INFLIGHT))
			continue;
		if (en == NULL ||
		    (en->flags & (ENTRY_REMOVED | ENTRY_FAILED))) {
			known_settled(s, ids[i], PLAN_GONE, 0);
			continue;
		}
		if (en->flags & (ENTRY_HELD | ENTRY_BROKEN | ENTRY_NO_ACTION)) {
			known_settled(s, ids[i], PLAN_HELD, en->next_try);
			continue;
		}
		en->flags |= ENTRY_INFLIGHT;
		s->count.inflight++;
		ids[kept++] = ids[i];
	}
	return kept;
}

int
release_on_due(void *arg, struct message *m)
{
	struct spooler *s = arg;
	enum role carrier;
	struct plan_due due;
	unsigned i, n, from;

	if (plan_due_get(&m->body, &due) == -1)
		return -1;
	carrier = due.kind == PLAN_RELAY ? ROLE_MTA : ROLE_MDA;
	n = still_there(s, due.evpids, due.n);
	for (from = 0, i = 1; i <= n; i++) {
		if (i < n &&
		    ident_msgid(due.evpids[i]) == ident_msgid(due.evpids[from]))
			continue;
		gather(s, carrier, due.evpids + from, i - from);
		from = i;
	}
	return 0;
}

struct flight *
release_land(struct spooler *s, uint64_t evpid, enum role from)
{
	struct flight *f =
	    evpid == 0 ? NULL : hmap_get(s->release->flights, evpid);

	/* What has not been given out is nobody's to answer for. */
	if (f == NULL || f->carrier != from || !f->out)
		return NULL;
	hmap_del(s->release->flights, evpid);
	s->count.inflight--;
	return f;
}

bool
release_lost(struct spooler *s, uint64_t msgid)
{
	return hmap_get(s->release->lost, msgid) != NULL;
}

void
release_forget(struct spooler *s, uint64_t msgid)
{
	if (!index_any(s->index, msgid, ENTRY_INFLIGHT))
		hmap_del(s->release->lost, msgid);
}

/* A piece of a body that a carrier waits for. */
struct piece {
	struct spooler *s;
	uint64_t msgid;
	enum role carrier;
	uint32_t stream;
	uint64_t offset;
};

/* The body is not what was accepted, or lacks its key: nothing of the message
 * is given out again before somebody has looked. What is in flight comes back
 * by its carrier, who drops the connection before the final dot. */
static void
stop_message(struct spooler *s, uint64_t msgid, enum queue_status st)
{
	bool locked = st == QUEUE_LOCKED;
	struct entry *en = NULL;

	while ((en = index_sibling(s->index, msgid, en)) != NULL) {
		if (en->flags & ENTRY_FAILED)
			continue;
		if (!(en->flags & ENTRY_BROKEN))
			s->count.alarms++;
		en->flags |=
		    locked ? ENTRY_BROKEN | ENTRY_LOCKED : ENTRY_BROKEN;
		excuse(s, en, locked ? "locked" : "damaged",
		    locked ? "sealed by a key that is not in the key ring"
			   : "its message is cut short or damaged");
	}
}

static void
on_piece(void *ctx, enum queue_status st, const uint8_t *data, size_t len,
    uint64_t total)
{
	struct piece *p = ctx;
	struct peer *carrier = proc_peer(p->s->proc, p->carrier);
	struct carry_body m = { .stream = p->stream };

	if (st == QUEUE_GONE)
		hmap_put(p->s->release->lost, p->msgid, p->s->release);
	if (st == QUEUE_OK) {
		m.data = data;
		m.len = len;
		m.last = p->offset + len >= total;
	} else {
		m.status =
		    st == QUEUE_GONE ? CARRY_BODY_GONE : CARRY_BODY_UNAVAILABLE;
		if (st == QUEUE_DAMAGED || st == QUEUE_LOCKED)
			stop_message(p->s, p->msgid, st);
	}
	carry_body_put(peer_begin(carrier), &m);
	peer_send(carrier, CARRY_BODY);
	free(p);
}

static int
want(struct spooler *s, struct message *m, enum role carrier)
{
	struct carry_body gone = { .status = CARRY_BODY_GONE };
	struct carry_want w;
	struct piece *p;

	if (carry_want_get(&m->body, &w) == -1 || w.max == 0 ||
	    w.max > CARRY_PIECE || w.msgid == 0)
		return -1;
	/* A carrier reads the mail it was given, and no other. It may still ask
	 * for what has just ended. */
	if (!index_any(s->index, w.msgid, ENTRY_INFLIGHT)) {
		gone.stream = w.stream;
		carry_body_put(peer_begin(proc_peer(s->proc, carrier)), &gone);
		peer_send(proc_peer(s->proc, carrier), CARRY_BODY);
		return 0;
	}
	p = mem_zalloc(sizeof(*p));
	p->s = s;
	p->msgid = w.msgid;
	p->carrier = carrier;
	p->stream = w.stream;
	p->offset = w.offset;
	queue_body(s->q, w.msgid, w.offset, w.max, on_piece, p);
	return 0;
}

int
release_on_want_mta(void *arg, struct message *m)
{
	return want(arg, m, ROLE_MTA);
}

int
release_on_want_mda(void *arg, struct message *m)
{
	return want(arg, m, ROLE_MDA);
}

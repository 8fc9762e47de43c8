#include "daemon/scheduler/agenda.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/scheduler/dueheap.h"
#include "daemon/scheduler/finder.h"
#include "daemon/scheduler/lane.h"
#include "daemon/scheduler/slab.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"

/* Places are numbered from 1; 0 is none. */
struct entry {
	uint64_t evpid;
	uint32_t id_link, message_link; /* chains of the indexes */
	uint32_t sibling_next, sibling_prev; /* ring of the message */
	uint32_t key;
	uint32_t at; /* waiting: position in the heap; ready, flying: group */
	uint32_t due; /* of a held one */
	uint32_t next, prev; /* ready: of its group; flying: of its kind */
	uint8_t state;
	uint8_t kind;
	bool fenced; /* the verb about all is not for this one */
};

struct agenda {
	struct slab slab; /* of entries */
	struct finder by_id, by_message;
	struct dueheap waiting;
	struct lane lanes[PLAN_KINDS];
	uint32_t held;
	uint32_t now; /* as of the last ripening */
	uint8_t next_kind; /* whose turn it is */
	bool fence;
};

static uint64_t
id_of(const void *place)
{
	const struct entry *e = place;

	return e->evpid;
}

static uint64_t
message_of(const void *place)
{
	const struct entry *e = place;

	return ident_msgid(e->evpid);
}

static struct entry *
entry_at(const struct agenda *a, uint32_t i)
{
	return slab_at(&a->slab, i);
}

static struct lane *
lane_of(struct agenda *a, const struct entry *e)
{
	return &a->lanes[e->kind];
}

/* Times outside of 1970 to 2106 are as good as the nearest one inside. */
static uint32_t
clamp_time(int64_t t)
{
	if (t < 0)
		return 0;
	return t > UINT32_MAX ? UINT32_MAX : (uint32_t)t;
}

struct agenda *
agenda_new(void)
{
	struct agenda *a = mem_zalloc(sizeof(*a));
	int kind;

	slab_init(&a->slab, sizeof(struct entry));
	finder_init(
	    &a->by_id, &a->slab, id_of, offsetof(struct entry, id_link));
	finder_init(&a->by_message, &a->slab, message_of,
	    offsetof(struct entry, message_link));
	dueheap_init(&a->waiting, &a->slab, offsetof(struct entry, at));
	for (kind = 0; kind < PLAN_KINDS; kind++)
		lane_init(&a->lanes[kind]);
	return a;
}

void
agenda_free(struct agenda *a)
{
	int kind;

	if (a == NULL)
		return;
	finder_free(&a->by_id);
	finder_free(&a->by_message);
	dueheap_free(&a->waiting);
	slab_free(&a->slab);
	for (kind = 0; kind < PLAN_KINDS; kind++)
		lane_free(&a->lanes[kind]);
	free(a);
}

void
agenda_limit(
    struct agenda *a, enum plan_kind kind, uint32_t total, uint32_t per_key)
{
	a->lanes[kind].total = total;
	a->lanes[kind].per_key = per_key;
}

void
agenda_pause(struct agenda *a, enum plan_kind kind, bool paused)
{
	a->lanes[kind].paused = paused;
}

static void
park_waiting(struct agenda *a, uint32_t i, uint32_t due)
{
	entry_at(a, i)->state = AGENDA_WAITING;
	dueheap_push(&a->waiting, i, due);
}

static void
park_held(struct agenda *a, uint32_t i, uint32_t due)
{
	struct entry *e = entry_at(a, i);

	e->state = AGENDA_HELD;
	e->due = due;
	a->held++;
}

static void
park_ready(struct agenda *a, uint32_t i)
{
	struct entry *e = entry_at(a, i);
	struct lane *l = lane_of(a, e);
	struct group *g;

	e->state = AGENDA_READY;
	e->at = lane_of_key(l, e->key);
	g = lane_group(l, e->at);
	e->next = 0;
	e->prev = g->tail;
	if (g->tail != 0)
		entry_at(a, g->tail)->next = i;
	else
		g->head = i;
	g->tail = i;
	l->ready++;
	if (g->ready++ == 0)
		lane_join(l, e->at);
}

/* What is due goes to the end of its queue, so that fresh mail keeps its order,
 * which a heap does not know. */
static void
park_until(struct agenda *a, uint32_t i, uint32_t due)
{
	if (due <= a->now)
		park_ready(a, i);
	else
		park_waiting(a, i, due);
}

static void
unpark_ready(struct agenda *a, struct entry *e)
{
	struct lane *l = lane_of(a, e);
	struct group *g = lane_group(l, e->at);

	if (e->prev != 0)
		entry_at(a, e->prev)->next = e->next;
	else
		g->head = e->next;
	if (e->next != 0)
		entry_at(a, e->next)->prev = e->prev;
	else
		g->tail = e->prev;
	l->ready--;
	if (--g->ready == 0)
		lane_leave(l, e->at);
}

static void
park_flying(struct agenda *a, uint32_t i)
{
	struct entry *e = entry_at(a, i);
	struct lane *l = lane_of(a, e);

	e->state = AGENDA_FLYING;
	e->prev = 0;
	e->next = l->first_flying;
	if (e->next != 0)
		entry_at(a, e->next)->prev = i;
	l->first_flying = i;
	l->flying++;
	lane_group(l, e->at)->flying++;
}

static void
unpark_flying(struct agenda *a, struct entry *e)
{
	struct lane *l = lane_of(a, e);

	if (e->prev != 0)
		entry_at(a, e->prev)->next = e->next;
	else
		l->first_flying = e->next;
	if (e->next != 0)
		entry_at(a, e->next)->prev = e->prev;
	l->flying--;
	lane_group(l, e->at)->flying--;
	lane_drop_if_idle(l, e->at);
}

/* Takes the entry from wherever it is. Returns when it was due; 0: now. */
static uint32_t
unpark(struct agenda *a, struct entry *e)
{
	uint32_t due = 0;

	switch ((enum agenda_state)e->state) {
	case AGENDA_WAITING:
		due = ((struct duenode *)chunks_at(&a->waiting.nodes, e->at))
			  ->due;
		dueheap_del(&a->waiting, e->at);
		break;
	case AGENDA_READY:
		unpark_ready(a, e);
		lane_drop_if_idle(lane_of(a, e), e->at);
		break;
	case AGENDA_FLYING:
		unpark_flying(a, e);
		break;
	case AGENDA_HELD:
		due = e->due;
		a->held--;
		break;
	case AGENDA_NONE:
		break;
	}
	e->state = AGENDA_NONE;
	return due;
}

/* The first of a message stands for it in the index. */
static void
join_message(struct agenda *a, uint32_t i)
{
	struct entry *e = entry_at(a, i), *first;
	uint32_t f = finder_find(&a->by_message, message_of(e));

	if (f == 0) {
		e->sibling_next = e->sibling_prev = i;
		finder_add(&a->by_message, i);
		return;
	}
	first = entry_at(a, f);
	e->sibling_next = f;
	e->sibling_prev = first->sibling_prev;
	entry_at(a, first->sibling_prev)->sibling_next = i;
	first->sibling_prev = i;
}

static void
leave_message(struct agenda *a, uint32_t i)
{
	struct entry *e = entry_at(a, i);
	uint32_t next = e->sibling_next;

	if (finder_find(&a->by_message, message_of(e)) == i) {
		finder_del(&a->by_message, i);
		if (next != i)
			finder_add(&a->by_message, next);
	}
	entry_at(a, e->sibling_prev)->sibling_next = next;
	entry_at(a, next)->sibling_prev = e->sibling_prev;
}

static void
forget(struct agenda *a, uint32_t i)
{
	unpark(a, entry_at(a, i));
	leave_message(a, i);
	finder_del(&a->by_id, i);
	slab_put(&a->slab, i);
}

void
agenda_add(struct agenda *a, const struct plan_row *row)
{
	uint32_t i = finder_find(&a->by_id, row->evpid);
	struct entry *e;

	if (i == 0) {
		i = slab_take(&a->slab);
		e = entry_at(a, i);
		e->evpid = row->evpid;
		finder_add(&a->by_id, i);
		join_message(a, i);
	} else {
		e = entry_at(a, i);
		if (e->state == AGENDA_FLYING)
			return;
		unpark(a, e);
	}
	e->fenced = a->fence;
	e->kind = (uint8_t)row->kind;
	e->key = row->key;
	if (row->held)
		park_held(a, i, clamp_time(row->due));
	else
		park_until(a, i, clamp_time(row->due));
}

int64_t
agenda_next_due(const struct agenda *a)
{
	const struct duenode *n = dueheap_first(&a->waiting);

	return n == NULL ? AGENDA_NEVER : n->due;
}

bool
agenda_ripen(struct agenda *a, int64_t now, unsigned max)
{
	const struct duenode *n;
	uint32_t i;

	a->now = clamp_time(now);
	while ((n = dueheap_first(&a->waiting)) != NULL && n->due <= a->now) {
		if (max-- == 0)
			return true;
		i = n->place;
		dueheap_del(&a->waiting, 0);
		park_ready(a, i);
	}
	return false;
}

static bool
take_from(struct agenda *a, struct lane *l, struct plan_due *batch)
{
	struct group *g;
	uint32_t i, room;

	batch->n = 0;
	if (l->paused)
		return false;
	g = lane_next(l, &room);
	if (g == NULL)
		return false;
	if (room > PLAN_BATCH)
		room = PLAN_BATCH;
	batch->key = g->key;
	while (batch->n < room && g->ready > 0) {
		i = g->head;
		batch->evpids[batch->n++] = entry_at(a, i)->evpid;
		unpark_ready(a, entry_at(a, i));
		park_flying(a, i);
	}
	return true;
}

bool
agenda_take(struct agenda *a, struct plan_due *batch)
{
	unsigned n;

	for (n = 0; n < PLAN_KINDS; n++) {
		batch->kind = (enum plan_kind)a->next_kind;
		a->next_kind = (uint8_t)((a->next_kind + 1) % PLAN_KINDS);
		if (take_from(a, &a->lanes[batch->kind], batch))
			return true;
	}
	return false;
}

void
agenda_settle(struct agenda *a, const struct plan_settled *s)
{
	uint32_t i = finder_find(&a->by_id, s->evpid);

	if (i == 0)
		return;
	if (s->result == PLAN_GONE) {
		forget(a, i);
		return;
	}
	unpark(a, entry_at(a, i));
	if (s->result == PLAN_HELD)
		park_held(a, i, clamp_time(s->due));
	else
		park_until(a, i, clamp_time(s->due));
}

enum agenda_state
agenda_find(const struct agenda *a, uint64_t evpid)
{
	uint32_t i = finder_find(&a->by_id, evpid);

	return i == 0 ? AGENDA_NONE : (enum agenda_state)entry_at(a, i)->state;
}

uint64_t
agenda_of_message(const struct agenda *a, uint64_t msgid)
{
	uint32_t i = finder_find(&a->by_message, msgid);

	return i == 0 ? 0 : entry_at(a, i)->evpid;
}

uint64_t
agenda_sibling(const struct agenda *a, uint64_t evpid)
{
	uint32_t i = finder_find(&a->by_id, evpid);

	return i == 0 ? 0 : entry_at(a, entry_at(a, i)->sibling_next)->evpid;
}

void
agenda_hold(struct agenda *a, uint64_t evpid)
{
	uint32_t i = finder_find(&a->by_id, evpid);

	if (i != 0 && entry_at(a, i)->state != AGENDA_FLYING)
		park_held(a, i, unpark(a, entry_at(a, i)));
}

void
agenda_release(struct agenda *a, uint64_t evpid)
{
	uint32_t i = finder_find(&a->by_id, evpid);

	if (i != 0 && entry_at(a, i)->state == AGENDA_HELD)
		park_waiting(a, i, unpark(a, entry_at(a, i)));
}

void
agenda_schedule(struct agenda *a, uint64_t evpid, int64_t now)
{
	uint32_t i = finder_find(&a->by_id, evpid), due;
	struct entry *e;

	if (i == 0)
		return;
	e = entry_at(a, i);
	if (e->state == AGENDA_WAITING) {
		due = unpark(a, e);
		park_waiting(
		    a, i, due < clamp_time(now) ? due : clamp_time(now));
	} else if (e->state == AGENDA_HELD && e->due > clamp_time(now)) {
		e->due = clamp_time(now);
	}
}

void
agenda_remove(struct agenda *a, uint64_t evpid)
{
	uint32_t i = finder_find(&a->by_id, evpid);

	if (i != 0 && entry_at(a, i)->state != AGENDA_FLYING)
		forget(a, i);
}

void
agenda_fence(struct agenda *a)
{
	uint32_t i;
	int kind;

	a->fence = true;
	for (kind = 0; kind < PLAN_KINDS; kind++)
		for (i = a->lanes[kind].first_flying; i != 0;
		     i = entry_at(a, i)->next)
			entry_at(a, i)->fenced = true;
}

/* Does act for every entry within the fence, and lifts it. */
static void
sweep(struct agenda *a, uint32_t now,
    void (*act)(struct agenda *a, uint32_t i, struct entry *e, uint32_t now))
{
	uint32_t i, used = a->slab.used;
	struct entry *e;

	a->fence = false;
	for (i = 1; i <= used && a->slab.live > 0; i++) {
		e = entry_at(a, i);
		if (!e->fenced && e->state != AGENDA_NONE &&
		    e->state != AGENDA_FLYING)
			act(a, i, e, now);
		else
			e->fenced = false;
	}
}

static void
nothing(struct agenda *a, uint32_t i, struct entry *e, uint32_t now)
{
	(void)a;
	(void)i;
	(void)e;
	(void)now;
}

static void
hold_one(struct agenda *a, uint32_t i, struct entry *e, uint32_t now)
{
	(void)now;
	if (e->state != AGENDA_HELD)
		park_held(a, i, unpark(a, e));
}

/* The heap is put in order once, after all have come. */
static void
release_one(struct agenda *a, uint32_t i, struct entry *e, uint32_t now)
{
	uint32_t due;

	(void)now;
	if (e->state != AGENDA_HELD)
		return;
	due = unpark(a, e);
	e->state = AGENDA_WAITING;
	dueheap_append(&a->waiting, i, due);
}

/* Those that wait are left to the heap. */
static void
schedule_one(struct agenda *a, uint32_t i, struct entry *e, uint32_t now)
{
	(void)a;
	(void)i;
	if (e->state == AGENDA_HELD && e->due > now)
		e->due = now;
}

static void
remove_one(struct agenda *a, uint32_t i, struct entry *e, uint32_t now)
{
	(void)e;
	(void)now;
	forget(a, i);
}

void
agenda_unfence(struct agenda *a)
{
	sweep(a, 0, nothing);
}

void
agenda_hold_all(struct agenda *a)
{
	sweep(a, 0, hold_one);
}

/* A fence would leave some held here that the spool has released; the other
 * way round the spool says so when they come due. */
void
agenda_release_all(struct agenda *a)
{
	agenda_unfence(a);
	sweep(a, 0, release_one);
	dueheap_order(&a->waiting);
}

/* Those that come due at once become ready turn by turn. One of them that the
 * fence would keep out is tried early, which is no harm. */
void
agenda_schedule_all(struct agenda *a, int64_t now)
{
	sweep(a, clamp_time(now), schedule_one);
	dueheap_clamp(&a->waiting, clamp_time(now));
}

void
agenda_remove_all(struct agenda *a)
{
	sweep(a, 0, remove_one);
}

void
agenda_stats(const struct agenda *a, struct agenda_stats *s)
{
	const struct lane *l;
	int kind;

	memset(s, 0, sizeof(*s));
	s->envelopes = a->slab.live;
	s->waiting = a->waiting.count;
	s->held = a->held;
	s->bytes = sizeof(*a) + chunks_bytes(&a->slab.places) +
	    chunks_bytes(&a->by_id.heads) + chunks_bytes(&a->by_message.heads) +
	    chunks_bytes(&a->waiting.nodes);
	for (kind = 0; kind < PLAN_KINDS; kind++) {
		l = &a->lanes[kind];
		s->ready[kind] = l->ready;
		s->flying[kind] = l->flying;
		s->paused[kind] = l->paused;
		s->keys += l->slab.live;
		s->bytes += chunks_bytes(&l->slab.places) +
		    chunks_bytes(&l->by_key.heads);
	}
}

#include "daemon/scheduler/agenda.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/scheduler/agenda_inside.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"

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

static struct lane *
lane_of(struct agenda *a, const struct entry *e)
{
	return &a->lanes[e->kind];
}

static uint32_t
ready_of_key(void *lane, uint32_t key)
{
	return lane_ready(lane, key);
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
	for (kind = 0; kind < PLAN_KINDS; kind++) {
		lane_init(&a->lanes[kind]);
		haste_init(&a->haste[kind], &a->slab,
		    offsetof(struct entry, next), offsetof(struct entry, prev),
		    ready_of_key, &a->lanes[kind]);
	}
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
	for (kind = 0; kind < PLAN_KINDS; kind++) {
		lane_free(&a->lanes[kind]);
		haste_free(&a->haste[kind]);
	}
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

void
agenda_begin_waiting(struct agenda *a, uint32_t i)
{
	struct entry *e = entry_at(a, i);

	e->state = AGENDA_WAITING;
	if (e->destination)
		haste_wait(&a->haste[e->kind], e->key, i);
}

static void
park_waiting(struct agenda *a, uint32_t i, uint32_t due)
{
	agenda_begin_waiting(a, i);
	dueheap_push(&a->waiting, i, due);
}

static void
unpark_waiting(struct agenda *a, uint32_t i)
{
	struct entry *e = entry_at(a, i);

	dueheap_del(&a->waiting, e->at);
	if (e->destination)
		haste_leave(&a->haste[e->kind], e->key, i);
}

void
agenda_park_held(struct agenda *a, uint32_t i, uint32_t due)
{
	struct entry *e = entry_at(a, i);

	e->state = AGENDA_HELD;
	e->due = due;
	a->held++;
}

/* Behind the place prev of its queue, 0: in front. */
static void
park_ready_behind(struct agenda *a, uint32_t i, uint32_t prev)
{
	struct entry *e = entry_at(a, i);
	struct lane *l = lane_of(a, e);
	struct group *g = lane_group(l, e->at);

	e->state = AGENDA_READY;
	e->destination = false;
	e->prev = prev;
	e->next = prev != 0 ? entry_at(a, prev)->next : g->head;
	if (prev != 0)
		entry_at(a, prev)->next = i;
	else
		g->head = i;
	if (e->next != 0)
		entry_at(a, e->next)->prev = i;
	else
		g->tail = i;
	l->ready++;
	if (g->ready++ == 0)
		lane_join(l, e->at);
}

static void
park_ready(struct agenda *a, uint32_t i)
{
	struct entry *e = entry_at(a, i);
	struct lane *l = lane_of(a, e);

	e->at = lane_of_key(l, e->key);
	park_ready_behind(a, i, lane_group(l, e->at)->tail);
}

/* Its own time has come again: it goes before the crowd of those that only
 * waited for the destination, of which it may be the one that opens the door
 * (a greylist). Each comes rarely, so that it keeps nobody waiting for long. */
static void
park_ready_first(struct agenda *a, uint32_t i)
{
	struct entry *e = entry_at(a, i);
	struct lane *l = lane_of(a, e);
	struct group *g;

	e->at = lane_of_key(l, e->key);
	g = lane_group(l, e->at);
	park_ready_behind(a, i, g->own);
	g->own = i;
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

	if (g->own != 0 && entry_at(a, g->own) == e)
		g->own = e->prev;
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

uint32_t
agenda_unpark(struct agenda *a, uint32_t i)
{
	struct entry *e = entry_at(a, i);
	uint32_t due = 0;

	switch ((enum agenda_state)e->state) {
	case AGENDA_WAITING:
		due = ((struct duenode *)chunks_at(&a->waiting.nodes, e->at))
			  ->due;
		unpark_waiting(a, i);
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

void
agenda_forget(struct agenda *a, uint32_t i)
{
	agenda_unpark(a, i);
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
		agenda_unpark(a, i);
	}
	e->fenced = a->fence;
	e->destination = false;
	e->kind = (uint8_t)row->kind;
	e->key = row->key;
	if (row->held)
		agenda_park_held(a, i, agenda_time(row->due));
	else
		park_until(a, i, agenda_time(row->due));
}

int64_t
agenda_next_due(const struct agenda *a)
{
	const struct duenode *n = dueheap_first(&a->waiting);
	int64_t next = n == NULL ? AGENDA_NEVER : n->due;
	uint32_t due;
	int kind;

	for (kind = 0; kind < PLAN_KINDS; kind++) {
		due = haste_due(&a->haste[kind]);
		if (due != HASTE_NEVER && due < next)
			next = due;
	}
	return next;
}

/* What waits for a destination that takes mail. True: there is more. */
static bool
hasten(struct agenda *a, unsigned max)
{
	struct haste *h;
	uint32_t i;
	int kind;

	for (kind = 0; kind < PLAN_KINDS; kind++) {
		h = &a->haste[kind];
		while (max > 0 && (i = haste_next(h, a->now)) != 0) {
			unpark_waiting(a, i);
			park_ready(a, i);
			max--;
		}
		if (haste_due(h) <= a->now)
			return true;
	}
	return false;
}

bool
agenda_ripen(struct agenda *a, int64_t now, unsigned max)
{
	const struct duenode *n;
	bool more, own;
	uint32_t i;

	a->now = agenda_time(now);
	more = hasten(a, max);
	while ((n = dueheap_first(&a->waiting)) != NULL && n->due <= a->now) {
		if (max-- == 0)
			return true;
		i = n->place;
		own = !entry_at(a, i)->destination;
		unpark_waiting(a, i);
		if (own)
			park_ready_first(a, i);
		else
			park_ready(a, i);
	}
	return more;
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
	struct entry *e;

	if (i == 0)
		return;
	e = entry_at(a, i);
	if (s->destination && s->result == PLAN_GONE)
		haste_success(&a->haste[e->kind], e->key, a->now);
	else if (s->destination)
		haste_failure(&a->haste[e->kind], e->key);
	if (s->result == PLAN_GONE) {
		agenda_forget(a, i);
		return;
	}
	agenda_unpark(a, i);
	e->destination = s->destination;
	if (s->result == PLAN_HELD)
		agenda_park_held(a, i, agenda_time(s->due));
	else
		park_until(a, i, agenda_time(s->due));
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
		agenda_park_held(a, i, agenda_unpark(a, i));
}

void
agenda_release(struct agenda *a, uint64_t evpid)
{
	uint32_t i = finder_find(&a->by_id, evpid);

	if (i != 0 && entry_at(a, i)->state == AGENDA_HELD)
		park_waiting(a, i, agenda_unpark(a, i));
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
		due = agenda_unpark(a, i);
		park_waiting(
		    a, i, due < agenda_time(now) ? due : agenda_time(now));
	} else if (e->state == AGENDA_HELD && e->due > agenda_time(now)) {
		e->due = agenda_time(now);
	}
}

void
agenda_remove(struct agenda *a, uint64_t evpid)
{
	uint32_t i = finder_find(&a->by_id, evpid);

	if (i != 0 && entry_at(a, i)->state != AGENDA_FLYING)
		agenda_forget(a, i);
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
		    chunks_bytes(&l->by_key.heads) +
		    haste_bytes(&a->haste[kind]);
	}
}

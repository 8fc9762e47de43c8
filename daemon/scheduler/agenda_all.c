/*
 * agenda_all - the verbs about all
 */
#include "daemon/scheduler/agenda_inside.h"

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
		agenda_park_held(a, i, agenda_unpark(a, i));
}

/* The heap is put in order once, after all have come. */
static void
release_one(struct agenda *a, uint32_t i, struct entry *e, uint32_t now)
{
	uint32_t due;

	(void)now;
	if (e->state != AGENDA_HELD)
		return;
	due = agenda_unpark(a, i);
	agenda_begin_waiting(a, i);
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
	agenda_forget(a, i);
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
	sweep(a, agenda_time(now), schedule_one);
	dueheap_clamp(&a->waiting, agenda_time(now));
}

void
agenda_remove_all(struct agenda *a)
{
	sweep(a, 0, remove_one);
}

void
agenda_hasten(struct agenda *a)
{
	int kind;

	for (kind = 0; kind < PLAN_KINDS; kind++)
		haste_all(&a->haste[kind], a->now);
}

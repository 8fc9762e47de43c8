#include "daemon/mta/timer.h"

#include <stdlib.h>

#include "lib/base/mem.h"

static void
put(struct timers *ts, size_t place, struct timer *t)
{
	ts->heap[place - 1] = t;
	t->place = place;
}

static void
rise(struct timers *ts, struct timer *t)
{
	size_t place = t->place;

	while (place > 1 && ts->heap[place / 2 - 1]->at > t->at) {
		put(ts, place, ts->heap[place / 2 - 1]);
		place /= 2;
	}
	put(ts, place, t);
}

static void
sink(struct timers *ts, struct timer *t)
{
	size_t place = t->place, child;

	while ((child = place * 2) <= ts->n) {
		if (child < ts->n &&
		    ts->heap[child]->at < ts->heap[child - 1]->at)
			child++;
		if (ts->heap[child - 1]->at >= t->at)
			break;
		put(ts, place, ts->heap[child - 1]);
		place = child;
	}
	put(ts, place, t);
}

void
timer_set(struct timers *ts, struct timer *t, uint64_t at)
{
	t->at = at;
	if (t->place == 0) {
		if (ts->n == ts->room) {
			ts->room = ts->room == 0 ? 64 : ts->room * 2;
			ts->heap =
			    mem_rearray(ts->heap, ts->room, sizeof(*ts->heap));
		}
		put(ts, ++ts->n, t);
	}
	rise(ts, t);
	sink(ts, t);
}

void
timer_clear(struct timers *ts, struct timer *t)
{
	struct timer *last;
	size_t place = t->place;

	if (place == 0)
		return;
	t->place = 0;
	last = ts->heap[--ts->n];
	if (last == t)
		return;
	put(ts, place, last);
	rise(ts, last);
	sink(ts, last);
}

struct timer *
timer_due(struct timers *ts, uint64_t now)
{
	struct timer *t;

	if (ts->n == 0 || ts->heap[0]->at > now)
		return NULL;
	t = ts->heap[0];
	timer_clear(ts, t);
	return t;
}

uint64_t
timer_next(const struct timers *ts)
{
	return ts->n == 0 ? UINT64_MAX : ts->heap[0]->at;
}

void
timers_clear(struct timers *ts)
{
	free(ts->heap);
	ts->heap = NULL;
	ts->n = ts->room = 0;
}

/*
 * timer - what is to be looked at again and when: a heap, pure
 *
 * A timer is part of what it belongs to; setting, clearing and taking the next
 * are O(log n). Times are milliseconds of the engine's clock.
 */
#ifndef DAEMON_MTA_TIMER_H
#define DAEMON_MTA_TIMER_H

#include <stddef.h>
#include <stdint.h>

enum timer_kind {
	TIMER_ROUTE,
	TIMER_RELAY,
	TIMER_DOMAIN
};

struct timer {
	uint64_t at;
	size_t place; /* in the heap, from 1; 0: not set */
	enum timer_kind kind;
};

struct timers {
	struct timer **heap;
	size_t n, room;
};

void timer_set(struct timers *ts, struct timer *t, uint64_t at);
void timer_clear(struct timers *ts, struct timer *t); /* set or not */
/* Takes one that is due; NULL: none is. */
struct timer *timer_due(struct timers *ts, uint64_t now);
uint64_t timer_next(const struct timers *ts); /* UINT64_MAX: none is set */
void timers_clear(struct timers *ts); /* frees the heap, not what is in it */

#endif

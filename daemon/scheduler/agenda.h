/*
 * agenda - which envelope is tried next
 *
 * Pure: time comes in, batches go out. An envelope waits for its time (heap),
 * is ready (a queue for each key), is in flight, or is held. Keys with ready
 * work are served in turn, so ten thousand for one destination never delay a
 * fresh one for another. What waits for its destination is tried when that
 * takes other mail (haste.h). At most 96 octets an envelope with everything; every
 * step is O(log n), but for the verbs about all.
 */
#ifndef DAEMON_SCHEDULER_AGENDA_H
#define DAEMON_SCHEDULER_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/edge/plan.h"

struct agenda;

enum agenda_state {
	AGENDA_NONE, /* not known here */
	AGENDA_WAITING,
	AGENDA_READY,
	AGENDA_FLYING, /* in flight */
	AGENDA_HELD
};

#define AGENDA_NEVER INT64_MAX

struct agenda *agenda_new(void);
void agenda_free(struct agenda *a);

/* In flight at most total of a kind, and per_key of one key beside others that
 * have ready work; a key leaves half as many as it has, and a tenth (lane.c). */
void agenda_limit(
    struct agenda *a, enum plan_kind kind, uint32_t total, uint32_t per_key);
/* Nothing of a paused kind is taken. */
void agenda_pause(struct agenda *a, enum plan_kind kind, bool paused);

/* One that is known already is filed anew, unless it is in flight. What was
 * due at the last ripening is ready at once, in the order of coming. */
void agenda_add(struct agenda *a, const struct plan_row *row);
/* When the first of those that wait is due, or AGENDA_NEVER. */
int64_t agenda_next_due(const struct agenda *a);
/* Moves at most max that are due to the ready ones, and as many that wait for a
 * destination that takes mail. True: there are more. */
bool agenda_ripen(struct agenda *a, int64_t now, unsigned max);
/* A batch of one key; the kinds take turns. False: nothing may go now. */
bool agenda_take(struct agenda *a, struct plan_due *batch);
/* The end of an attempt, or a change by the spooler to one that is not in
 * flight. */
void agenda_settle(struct agenda *a, const struct plan_settled *s);

/* What waits for its destination may be tried, a part of each key at first: an
 * operator has ended what kept it. */
void agenda_hasten(struct agenda *a);

enum agenda_state agenda_find(const struct agenda *a, uint64_t evpid);
/* The envelopes of a message form a ring: one of it (0: none), and the next. */
uint64_t agenda_of_message(const struct agenda *a, uint64_t msgid);
uint64_t agenda_sibling(const struct agenda *a, uint64_t evpid);

/* Verbs. They pass over what is unknown or in flight: of the latter the
 * spooler says at its end whether it is held. */
void agenda_hold(struct agenda *a, uint64_t evpid);
void agenda_release(struct agenda *a, uint64_t evpid);
void agenda_schedule(struct agenda *a, uint64_t evpid, int64_t now);
void agenda_remove(struct agenda *a, uint64_t evpid);

/*
 * A verb about all takes two steps, for the spool must know first. The fence
 * keeps out of hold and remove whatever is in flight now or is added from now
 * on, as nobody here can tell whether the spool counted it in.
 */
void agenda_fence(struct agenda *a);
void agenda_unfence(struct agenda *a); /* and nothing changed */
void agenda_hold_all(struct agenda *a);
void agenda_release_all(struct agenda *a);
void agenda_schedule_all(struct agenda *a, int64_t now);
void agenda_remove_all(struct agenda *a);

struct agenda_stats {
	uint32_t envelopes, waiting, held, keys;
	uint32_t ready[PLAN_KINDS], flying[PLAN_KINDS];
	bool paused[PLAN_KINDS];
	size_t bytes; /* of memory */
};
void agenda_stats(const struct agenda *a, struct agenda_stats *s);

#endif

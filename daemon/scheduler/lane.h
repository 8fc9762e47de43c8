/*
 * lane - the keys of one kind that have work, and whose turn it is
 *
 * A group exists while its key has ready entries or some in flight; those with
 * ready ones stand in a ring and are served in turn, within the limits. The
 * entries themselves are the agenda's.
 */
#ifndef DAEMON_SCHEDULER_LANE_H
#define DAEMON_SCHEDULER_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/scheduler/finder.h"
#include "daemon/scheduler/slab.h"

struct group {
	uint32_t link; /* chain of the index */
	uint32_t key;
	uint32_t head, tail; /* ready entries */
	uint32_t own; /* the last of those that go first; 0: none do */
	uint32_t ready;
	uint32_t flying;
	uint32_t next, prev; /* ring of those with ready work */
};

struct lane {
	uint32_t total, per_key; /* most in flight */
	uint32_t ready, flying;
	uint32_t turn; /* the group whose turn it is; 0: no ready work */
	uint32_t groups; /* in the ring */
	uint32_t first_flying; /* entry */
	bool paused;
	struct slab slab; /* of groups */
	struct finder by_key;
};

void lane_init(struct lane *l);
void lane_free(struct lane *l);

/* The group of the key, made when there is none. */
uint32_t lane_of_key(struct lane *l, uint32_t key);
/* How many of the key are ready. */
uint32_t lane_ready(const struct lane *l, uint32_t key);
void lane_drop_if_idle(struct lane *l, uint32_t group);
void lane_join(struct lane *l, uint32_t group); /* last in the ring */
void lane_leave(struct lane *l, uint32_t group);
/* The next group that may have some taken, and how many; NULL: none may. The
 * turn passes on. */
struct group *lane_next(struct lane *l, uint32_t *room);

static inline struct group *
lane_group(const struct lane *l, uint32_t group)
{
	return slab_at(&l->slab, group);
}

#endif

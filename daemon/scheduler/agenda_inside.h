/*
 * agenda_inside - the agenda as its own files see it
 */
#ifndef DAEMON_SCHEDULER_AGENDA_INSIDE_H
#define DAEMON_SCHEDULER_AGENDA_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/scheduler/agenda.h"
#include "daemon/scheduler/dueheap.h"
#include "daemon/scheduler/finder.h"
#include "daemon/scheduler/haste.h"
#include "daemon/scheduler/lane.h"
#include "daemon/scheduler/slab.h"

/* Places are numbered from 1; 0 is none. */
struct entry {
	uint64_t evpid;
	uint32_t id_link, message_link; /* chains of the indexes */
	uint32_t sibling_next, sibling_prev; /* ring of the message */
	uint32_t key;
	uint32_t at; /* waiting: position in the heap; ready, flying: group */
	uint32_t due; /* of a held one */
	uint32_t next, prev; /* ready: of its group; flying: of its kind;
			      * waiting for its destination: in that line */
	uint8_t state;
	uint8_t kind;
	bool fenced; /* the verb about all is not for this one */
	bool destination; /* waiting or held: for its destination */
};

struct agenda {
	struct slab slab; /* of entries */
	struct finder by_id, by_message;
	struct dueheap waiting;
	struct lane lanes[PLAN_KINDS];
	struct haste haste[PLAN_KINDS];
	uint32_t held;
	uint32_t now; /* as of the last ripening */
	uint8_t next_kind; /* whose turn it is */
	bool fence;
};

static inline struct entry *
entry_at(const struct agenda *a, uint32_t i)
{
	return slab_at(&a->slab, i);
}

/* Times outside of 1970 to 2106 are as good as the nearest one inside. */
static inline uint32_t
agenda_time(int64_t t)
{
	if (t < 0)
		return 0;
	return t > UINT32_MAX ? UINT32_MAX : (uint32_t)t;
}

/* Takes the entry from wherever it is. Returns when it was due; 0: now. */
uint32_t agenda_unpark(struct agenda *a, uint32_t i);
void agenda_park_held(struct agenda *a, uint32_t i, uint32_t due);
/* All of it but the heap. */
void agenda_begin_waiting(struct agenda *a, uint32_t i);
void agenda_forget(struct agenda *a, uint32_t i);

#endif

/*
 * finder - finds numbered places by a 64-bit key (linear hashing)
 *
 * Chains run through the places themselves. The table grows and shrinks by one
 * bucket at each change, so that no insertion ever pays for all the others,
 * and there is one bucket, four octets, for each member.
 */
#ifndef DAEMON_SCHEDULER_FINDER_H
#define DAEMON_SCHEDULER_FINDER_H

#include <stdint.h>

#include "daemon/scheduler/slab.h"

struct finder {
	const struct slab *slab;
	uint64_t (*key)(const void *place);
	size_t link; /* offset of the uint32_t that a chain runs through */
	struct chunks heads;
	uint32_t buckets, base; /* base: the power of two at or below it */
	uint32_t count;
};

void finder_init(struct finder *x, const struct slab *slab,
    uint64_t (*key)(const void *place), size_t link);
void finder_free(struct finder *x);

uint32_t finder_find(const struct finder *x, uint64_t key); /* 0: none */
/* No other member has its key. */
void finder_add(struct finder *x, uint32_t place);
void finder_del(struct finder *x, uint32_t place); /* is a member */

#endif

/*
 * dueheap - which place is due next: a binary heap of times
 *
 * Eight octets a member. Each member's own position is kept where the owner
 * says, so that it can be taken out of the middle.
 */
#ifndef DAEMON_SCHEDULER_DUEHEAP_H
#define DAEMON_SCHEDULER_DUEHEAP_H

#include <stdint.h>

#include "daemon/scheduler/slab.h"

struct dueheap {
	const struct slab *slab;
	size_t position; /* offset of the uint32_t in each place */
	struct chunks nodes;
	uint32_t count;
};

struct duenode {
	uint32_t due, place;
};

void dueheap_init(struct dueheap *h, const struct slab *slab, size_t position);
void dueheap_free(struct dueheap *h);

void dueheap_push(struct dueheap *h, uint32_t place, uint32_t due);
void dueheap_del(struct dueheap *h, uint32_t position);
const struct duenode *dueheap_first(const struct dueheap *h); /* or NULL */
/* Whatever is due later becomes due then. Linear, and moves nothing. */
void dueheap_clamp(struct dueheap *h, uint32_t due);
/* Many at once: append them all, then put them in order. Linear. */
void dueheap_append(struct dueheap *h, uint32_t place, uint32_t due);
void dueheap_order(struct dueheap *h);

#endif

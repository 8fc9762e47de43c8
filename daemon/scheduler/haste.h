/*
 * haste - what waits for its destination, and is tried once that takes mail
 *
 * The envelopes of a key that wait for its destination stand in a line. A
 * success of the key lets some of the line go at once, and twice as many a
 * second later if there was another one meanwhile, and so on; so a host that
 * has come back is tested before it is flooded. A failure ends it. Of one key
 * no more is let go than makes HASTE_MOST ready, so that not much goes in vain
 * when it fails again.
 *
 * Pure, O(1) a step. 24 octets for each key that has such a line; the line
 * itself runs through the owner's places.
 */
#ifndef DAEMON_SCHEDULER_HASTE_H
#define DAEMON_SCHEDULER_HASTE_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/scheduler/finder.h"
#include "daemon/scheduler/slab.h"

#define HASTE_FIRST 64
#define HASTE_MOST 4096 /* of one key in one second */
#define HASTE_NEVER UINT32_MAX

struct haste_queue {
	uint32_t head, tail;
};

struct haste {
	const struct slab *slab; /* of the owner */
	size_t next, prev; /* offsets of the uint32_t in each place */
	uint32_t (*ready)(void *owner, uint32_t key); /* how many it has */
	void *owner;
	struct slab crowds; /* keys that have a line */
	struct finder by_key;
	struct slab runs; /* of them, those that are let go */
	struct haste_queue ripe, resting;
};

void haste_init(struct haste *h, const struct slab *slab, size_t next,
    size_t prev, uint32_t (*ready)(void *owner, uint32_t key), void *owner);
void haste_free(struct haste *h);

/* The place joins the key's line at its end, or leaves it. */
void haste_wait(struct haste *h, uint32_t key, uint32_t place);
void haste_leave(struct haste *h, uint32_t key, uint32_t place);

void haste_success(struct haste *h, uint32_t key, uint32_t now);
/* As if each key had one. Linear in the keys. */
void haste_all(struct haste *h, uint32_t now);
void haste_failure(struct haste *h, uint32_t key);

/* When haste_next() has something; HASTE_NEVER. */
uint32_t haste_due(const struct haste *h);
/* One that is to be tried now, still in its line; 0: none. The keys take
 * turns. It has to leave the line before the next is asked for. */
uint32_t haste_next(struct haste *h, uint32_t now);

size_t haste_bytes(const struct haste *h);

#endif

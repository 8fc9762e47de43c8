/*
 * legal - which of what is pending may be on the disk after a power cut
 *
 * ordered  ext4 with data=ordered and delayed allocation: names and sizes are
 *          a prefix of their order, and a flush of a file with such changes
 *          carries all earlier ones; data of a file that was not flushed is
 *          there, or the file is as short as it was, or its tail is zeros.
 * xfs      the same, but a flush carries only what belongs to that file.
 * btrfs    everything up to some moment, and what was flushed since, with the
 *          flushed file's names; the journal, which is not copied on write,
 *          in any mixture of sectors.
 * weak     POSIX: any choice at all, sector by sector; a size without its
 *          data shows zeros or what the disk held before.
 *
 * One thing no model does: a rename never takes the old name away and keeps
 * the new one back, for then the file would be gone, and no program could do
 * anything about it.
 */
#ifndef REGRESS_QCRASH_LEGAL_H
#define REGRESS_QCRASH_LEGAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "regress/qcrash/disk.h"

enum model {
	MODEL_ORDERED,
	MODEL_XFS,
	MODEL_BTRFS,
	MODEL_WEAK,
	MODELS
};

#define LEGAL_ROUNDS 6 /* from the telling to the random */

extern const char *const legal_models[MODELS];

struct legal;

struct legal *legal_new(const struct disk *d, uint64_t seed);
void legal_free(struct legal *l); /* NULL is accepted */

/* Calls fn for the choices of one model and round at the moment after event
 * at, for about so many of them as are wanted: a sample where there are more.
 * Choices may come more than once. False from fn ends it. */
void legal_each(struct legal *l, enum model model, unsigned round, uint32_t at,
    const uint32_t *pending, size_t n, double wanted,
    bool (*fn)(void *ctx, const uint8_t *chosen, bool garbage, const char *how),
    void *ctx);

#endif

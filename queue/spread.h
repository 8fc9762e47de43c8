/*
 * spread - how long something takes, as a histogram of logarithmic steps
 *
 * Sixteen steps an octave, so a percentile is right within a sixteenth. Adding
 * is a handful of instructions and never allocates. It has no lock.
 */
#ifndef QUEUE_SPREAD_H
#define QUEUE_SPREAD_H

#include <stdint.h>

#define SPREAD_STEPS 480 /* up to 2^33 us; what is longer counts as that */

struct spread {
	uint64_t n, max;
	uint32_t count[SPREAD_STEPS];
};

void spread_add(struct spread *s, uint64_t us);
/* No less than this share of all, and at most a sixteenth more; 0: none yet. */
uint64_t spread_percentile(const struct spread *s, unsigned percent);

#endif

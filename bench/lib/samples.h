/*
 * samples - durations kept one by one, for exact percentiles
 */
#ifndef BENCH_LIB_SAMPLES_H
#define BENCH_LIB_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct samples { /* microseconds; begins zeroed */
	uint32_t *v;
	size_t n, room;
};

void samples_add(struct samples *p, uint64_t us);
void samples_sort(struct samples *p);
/* They must be sorted; 100 is the greatest; 0 when there is none. */
uint32_t samples_percentile(const struct samples *p, unsigned percent);
void samples_free(struct samples *p);

#endif

/*
 * asking - what selectors cost
 */
#ifndef BENCH_LIB_ASKING_H
#define BENCH_LIB_ASKING_H

#include "bench/lib/figure.h"

/* Each of some selectors is asked about n envelopes. */
void asking_measure(const struct figure *out, unsigned n);

#endif

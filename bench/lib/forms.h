/*
 * forms - what it costs to store a message in each form, and to read it back
 */
#ifndef BENCH_LIB_FORMS_H
#define BENCH_LIB_FORMS_H

#include <stddef.h>

#include "bench/lib/figure.h"

/* n messages of so many octets of prose in all four forms, in memory. */
void forms_measure(const struct figure *out, size_t size, unsigned n);

#endif

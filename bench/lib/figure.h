/*
 * figure - lines of a table of measurements
 *
 * A line has a name, a value with its unit, and, where something bounds it,
 * how it compares with that. For a program that reads them: fields between
 * tabs.
 */
#ifndef BENCH_LIB_FIGURE_H
#define BENCH_LIB_FIGURE_H

#include <stdbool.h>
#include <stdint.h>

struct figure {
	bool tabs;
};

void figure_section(const struct figure *f, const char *name);
/* limit 0: nothing to compare with. Tells at once: what comes next may take a
 * while. */
void figure_put(const struct figure *f, const char *name, double value,
    const char *unit, double limit, const char *of);

/* Processor time of this thread: what else the machine does counts less. */
uint64_t figure_cpu_us(void);

#endif

/*
 * cost - what operations cost, added up from profile lines
 *
 * A line is key=value words; us= is the cost, and the other values together
 * (but for trace= and profile=) name the operation. Percentiles are kept in
 * logarithmic buckets, exact to a sixteenth.
 */
#ifndef LIB_CLI_COST_H
#define LIB_CLI_COST_H

#include <stddef.h>

#include "lib/base/buf.h"

#define COST_OPERATIONS 256 /* further ones are added up as "other" */

struct cost;

struct cost *cost_new(void);
void cost_free(struct cost *c); /* NULL is accepted */

/* -1 when the line holds no cost. */
int cost_add(struct cost *c, const char *line);

/* Calls fn with a record of type "cost" for each operation, the most
 * expensive first. */
void cost_each(struct cost *c,
    void (*fn)(void *arg, const void *record, size_t len), void *arg);

#endif

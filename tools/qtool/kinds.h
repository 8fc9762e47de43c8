/*
 * kinds - how many of each kind
 *
 * A kind is a key of text; it has a row of counters. Threads fill one each,
 * which are then put together.
 */
#ifndef TOOLS_QTOOL_KINDS_H
#define TOOLS_QTOOL_KINDS_H

#include <stddef.h>
#include <stdint.h>

struct kinds;

struct kinds_row {
	const char *key;
	uint64_t *counts; /* the first is that of all */
};

struct kinds *kinds_new(unsigned width); /* counters of a kind */
void kinds_free(struct kinds *c); /* NULL is accepted */
/* The counters of a kind, zero when it is new. */
uint64_t *kinds_of(struct kinds *c, const char *key);
/* Adds other to c; other is gone. */
void kinds_merge(struct kinds *c, struct kinds *other);

size_t kinds_count(const struct kinds *c);
/* By their first counter, the most first, then by key. Lent. */
const struct kinds_row *kinds_sorted(struct kinds *c);

#endif

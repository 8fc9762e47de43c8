/*
 * table - hashes that were seen, each with a pointer
 */
#ifndef REGRESS_QCRASH_TABLE_H
#define REGRESS_QCRASH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table {
	uint64_t *keys; /* 0: free */
	void **values; /* NULL for a set */
	size_t slots, count;
	bool valued;
};

void table_clear(struct table *t);
/* False: it was there. */
bool table_add(struct table *t, uint64_t key, void *value);
void *table_get(const struct table *t, uint64_t key);

#endif

/*
 * hmap - a hash map from 64-bit keys to pointers
 *
 * Open addressing with linear probing; 16 bytes a slot, at most 3/4 full.
 * Keys are our own ids or seeded hashes, so nobody outside can choose them.
 * Key 0 is not a key; values are never NULL and stay the caller's.
 */
#ifndef LIB_BASE_HMAP_H
#define LIB_BASE_HMAP_H

#include <stddef.h>
#include <stdint.h>

struct hmap;

struct hmap *hmap_new(void);
void hmap_free(struct hmap *m); /* not what it holds; NULL is accepted */

void *hmap_get(const struct hmap *m, uint64_t key);
/* Returns the value that was there before, or NULL. */
void *hmap_put(struct hmap *m, uint64_t key, void *value);
/* Returns the value that was there, or NULL. */
void *hmap_del(struct hmap *m, uint64_t key);
size_t hmap_count(const struct hmap *m);

/*
 * Walks all entries: start with *at = 0, ends with NULL. Deleting while
 * walking may show an entry twice or not at all; putting may move all.
 */
void *hmap_next(const struct hmap *m, size_t *at);
#define HMAP_FOREACH(value, m, at)                                             \
	for ((at) = 0; ((value) = hmap_next((m), &(at))) != NULL;)

/* A hash of bytes, seeded at random once per process: for string keys, whose
 * owner compares the strings as well. Never 0. */
uint64_t hmap_hash(const void *data, size_t len);

#endif

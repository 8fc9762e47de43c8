/*
 * cache - texts of envelopes that were read from their files a moment ago
 *
 * An attempt reads an envelope twice: to try it, and to write down what came of
 * it. What was used longest ago goes first when the bound is reached. Nothing
 * stays longer than a minute, so that a file which a person took away is not
 * used for ever. The caller's thread only.
 *
 * A text is read by a worker while its envelope may change: who is about to
 * read says so, and what was read is only kept when nobody has dropped it since.
 */
#ifndef QUEUE_CACHE_H
#define QUEUE_CACHE_H

#include <stddef.h>
#include <stdint.h>

#define CACHE_LIFE_MS 60000

struct cache;

/* Of at most so many octets, all that belongs to it counted but the map. */
struct cache *cache_new(size_t octets);
void cache_free(struct cache *c); /* NULL is accepted */

/* The text, lent until the next call; NULL: it is not here. */
const char *cache_get(
    struct cache *c, uint64_t evpid, uint64_t now, size_t *len);
/* Its file is about to be read. Returns a word for cache_put(). */
uint64_t cache_expect(struct cache *c, uint64_t evpid, uint64_t now);
/* Keeps a copy, unless the envelope was dropped after this word was given. */
void cache_put(struct cache *c, uint64_t evpid, uint64_t word, const char *text,
    size_t len);
/* The file is no longer what it was, or is about to be. */
void cache_drop(struct cache *c, uint64_t evpid);
size_t cache_octets(const struct cache *c);

#endif

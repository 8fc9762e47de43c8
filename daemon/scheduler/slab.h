/*
 * slab - arrays in chunks, addressed by small numbers
 *
 * Grows without moving or copying what is there and without the doubling that
 * would leave half of it empty: a million entries cost what they need, and no
 * single insertion costs more than a chunk. struct chunks is the bare array;
 * a slab hands out places of it, numbered from 1, and takes them back.
 */
#ifndef DAEMON_SCHEDULER_SLAB_H
#define DAEMON_SCHEDULER_SLAB_H

#include <stddef.h>
#include <stdint.h>

#define SLAB_SHIFT 12
#define SLAB_CHUNK (1u << SLAB_SHIFT) /* places of one chunk */

struct chunks {
	char **chunk;
	uint32_t n; /* chunks */
	uint32_t room; /* of the directory */
	size_t size; /* of one place */
};

/* Makes room for exactly the first want places, zeroing new chunks; frees the
 * chunks beyond, but for one. */
void chunks_fit(struct chunks *c, uint32_t want);
void chunks_free(struct chunks *c);
size_t chunks_bytes(const struct chunks *c);

static inline void *
chunks_at(const struct chunks *c, uint32_t i)
{
	return c->chunk[i >> SLAB_SHIFT] + (i & (SLAB_CHUNK - 1)) * c->size;
}

struct slab {
	struct chunks places;
	uint32_t used; /* highest number handed out so far */
	uint32_t live;
	uint32_t free; /* head of those taken back; 0: none */
};

void slab_init(struct slab *s, size_t size); /* at least four octets each */
void slab_free(struct slab *s);
uint32_t slab_take(struct slab *s); /* a zeroed place; never 0 */
/* Zeroes the place, but for its first four octets. */
void slab_put(struct slab *s, uint32_t i);

static inline void *
slab_at(const struct slab *s, uint32_t i)
{
	return chunks_at(&s->places, i);
}

#endif

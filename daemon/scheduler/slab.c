#include "daemon/scheduler/slab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

void
chunks_fit(struct chunks *c, uint32_t want)
{
	uint32_t need =
	    (uint32_t)(((uint64_t)want + SLAB_CHUNK - 1) >> SLAB_SHIFT);

	while (c->n < need) {
		if (c->n == c->room) {
			c->room = c->room == 0 ? 16 : 2 * c->room;
			c->chunk =
			    mem_rearray(c->chunk, c->room, sizeof(c->chunk[0]));
		}
		c->chunk[c->n++] = mem_zarray(SLAB_CHUNK, c->size);
	}
	while (c->n > need + 1)
		free(c->chunk[--c->n]);
}

void
chunks_free(struct chunks *c)
{
	while (c->n > 0)
		free(c->chunk[--c->n]);
	free(c->chunk);
	c->chunk = NULL;
	c->room = 0;
}

size_t
chunks_bytes(const struct chunks *c)
{
	return c->n * (size_t)SLAB_CHUNK * c->size +
	    c->room * sizeof(c->chunk[0]);
}

void
slab_init(struct slab *s, size_t size)
{
	memset(s, 0, sizeof(*s));
	s->places.size = size;
}

void
slab_free(struct slab *s)
{
	chunks_free(&s->places);
}

uint32_t
slab_take(struct slab *s)
{
	uint32_t i = s->free;

	s->live++;
	if (i != 0) {
		memcpy(&s->free, slab_at(s, i), sizeof(s->free));
		memset(slab_at(s, i), 0, sizeof(s->free));
		return i;
	}
	assert(s->used < UINT32_MAX - 1);
	i = ++s->used;
	chunks_fit(&s->places, i + 1);
	/* A chunk that was kept for later is not clean. */
	memset(slab_at(s, i), 0, s->places.size);
	return i;
}

void
slab_put(struct slab *s, uint32_t i)
{
	memset(slab_at(s, i), 0, s->places.size);
	memcpy(slab_at(s, i), &s->free, sizeof(s->free));
	s->free = i;
	if (--s->live > 0)
		return;
	s->used = s->free = 0;
	chunks_fit(&s->places, 0);
}

#include "daemon/scheduler/finder.h"

#include <assert.h>
#include <string.h>

static uint64_t
mix(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;
	return h;
}

static uint32_t *
head_of(const struct finder *x, uint32_t bucket)
{
	return chunks_at(&x->heads, bucket);
}

static uint32_t *
link_of(const struct finder *x, uint32_t place)
{
	return (uint32_t *)(void *)((char *)slab_at(x->slab, place) + x->link);
}

static uint64_t
key_of(const struct finder *x, uint32_t place)
{
	return x->key(slab_at(x->slab, place));
}

static uint32_t
bucket_of(const struct finder *x, uint64_t key)
{
	uint32_t b = (uint32_t)mix(key) & (2 * x->base - 1);

	return b < x->buckets ? b : b - x->base;
}

void
finder_init(struct finder *x, const struct slab *slab,
    uint64_t (*key)(const void *place), size_t link)
{
	memset(x, 0, sizeof(*x));
	x->slab = slab;
	x->key = key;
	x->link = link;
	x->heads.size = sizeof(uint32_t);
	x->buckets = x->base = 1;
	chunks_fit(&x->heads, 1);
}

void
finder_free(struct finder *x)
{
	chunks_free(&x->heads);
}

uint32_t
finder_find(const struct finder *x, uint64_t key)
{
	uint32_t place = *head_of(x, bucket_of(x, key));

	while (place != 0 && key_of(x, place) != key)
		place = *link_of(x, place);
	return place;
}

/* One bucket more, and to it goes its part of the one it is split from. */
static void
grow(struct finder *x)
{
	uint32_t from = x->buckets - x->base, fresh = x->buckets, place, next;
	uint32_t *old, *new;

	chunks_fit(&x->heads, fresh + 1);
	old = head_of(x, from);
	new = head_of(x, fresh);
	place = *old;
	*old = *new = 0;
	if (++x->buckets == 2 * x->base)
		x->base *= 2;
	for (; place != 0; place = next) {
		next = *link_of(x, place);
		old = head_of(x, bucket_of(x, key_of(x, place)));
		*link_of(x, place) = *old;
		*old = place;
	}
}

/* One bucket less: its chain goes back to where it was split from. */
static void
shrink(struct finder *x)
{
	uint32_t last = x->buckets - 1, place, next, *into;

	if (x->buckets == x->base)
		x->base /= 2;
	x->buckets = last;
	into = head_of(x, last - x->base);
	for (place = *head_of(x, last); place != 0; place = next) {
		next = *link_of(x, place);
		*link_of(x, place) = *into;
		*into = place;
	}
	chunks_fit(&x->heads, x->buckets);
}

void
finder_add(struct finder *x, uint32_t place)
{
	uint32_t *head;

	if (x->count == x->buckets)
		grow(x);
	head = head_of(x, bucket_of(x, key_of(x, place)));
	*link_of(x, place) = *head;
	*head = place;
	x->count++;
}

void
finder_del(struct finder *x, uint32_t place)
{
	uint32_t *at = head_of(x, bucket_of(x, key_of(x, place)));

	while (*at != place) {
		assert(*at != 0);
		at = link_of(x, *at);
	}
	*at = *link_of(x, place);
	x->count--;
	if (x->buckets > 1 && x->count < x->buckets / 2)
		shrink(x);
}

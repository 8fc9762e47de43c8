#include "lib/base/hmap.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"

struct slot {
	uint64_t key; /* 0: free */
	void *value;
};

struct hmap {
	struct slot *slots;
	size_t size; /* a power of two */
	size_t count;
};

#define HMAP_FIRST 16

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

struct hmap *
hmap_new(void)
{
	struct hmap *m = mem_zalloc(sizeof(*m));

	m->size = HMAP_FIRST;
	m->slots = mem_zarray(m->size, sizeof(*m->slots));
	return m;
}

void
hmap_free(struct hmap *m)
{
	if (m == NULL)
		return;
	free(m->slots);
	free(m);
}

/* The slot of the key, or the free one where it belongs. */
static size_t
find(const struct hmap *m, uint64_t key)
{
	size_t i = (size_t)mix(key) & (m->size - 1);

	while (m->slots[i].key != 0 && m->slots[i].key != key)
		i = (i + 1) & (m->size - 1);
	return i;
}

static void
resize(struct hmap *m, size_t size)
{
	struct slot *old = m->slots;
	size_t i, n = m->size;

	m->slots = mem_zarray(size, sizeof(*m->slots));
	m->size = size;
	for (i = 0; i < n; i++)
		if (old[i].key != 0)
			m->slots[find(m, old[i].key)] = old[i];
	free(old);
}

void *
hmap_get(const struct hmap *m, uint64_t key)
{
	return m->slots[find(m, key)].value;
}

void *
hmap_put(struct hmap *m, uint64_t key, void *value)
{
	void *old;
	size_t i;

	assert(key != 0 && value != NULL);
	if ((m->count + 1) * 4 > m->size * 3)
		resize(m, m->size * 2);
	i = find(m, key);
	old = m->slots[i].value;
	if (m->slots[i].key == 0)
		m->count++;
	m->slots[i].key = key;
	m->slots[i].value = value;
	return old;
}

void *
hmap_del(struct hmap *m, uint64_t key)
{
	size_t mask = m->size - 1, hole = find(m, key), i, home;
	void *old = m->slots[hole].value;

	if (old == NULL)
		return NULL;
	/* Close the gap: move back what was pushed past the hole. */
	for (i = (hole + 1) & mask; m->slots[i].key != 0; i = (i + 1) & mask) {
		home = (size_t)mix(m->slots[i].key) & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole].key = 0;
	m->slots[hole].value = NULL;
	m->count--;
	if (m->size > HMAP_FIRST && m->count * 8 < m->size)
		resize(m, m->size / 2);
	return old;
}

size_t
hmap_count(const struct hmap *m)
{
	return m->count;
}

void *
hmap_next(const struct hmap *m, size_t *at)
{
	while (*at < m->size)
		if (m->slots[(*at)++].key != 0)
			return m->slots[*at - 1].value;
	return NULL;
}

/* One for the process, whichever of its threads is the first to ask. */
static uint64_t
hash_seed(void)
{
	static _Atomic uint64_t seed;
	uint64_t now = atomic_load(&seed), made;

	while (now == 0) {
		made = ident_random64();
		if (atomic_compare_exchange_strong(&seed, &now, made))
			now = made;
	}
	return now;
}

uint64_t
hmap_hash(const void *data, size_t len)
{
	uint64_t seed = hash_seed(), h, word;
	const uint8_t *p = data;

	for (h = seed ^ len; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		h = mix(h ^ word) + seed;
	}
	word = 0;
	memcpy(&word, p, len);
	h = mix(h ^ word ^ seed << 1);
	return h == 0 ? 1 : h;
}

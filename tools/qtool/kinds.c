#include "tools/qtool/kinds.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/hmap.h"
#include "lib/base/mem.h"

struct kind {
	struct kind *next; /* of the same hash */
	struct kinds_row k;
	char *key;
};

struct kinds {
	unsigned width;
	struct hmap *kinds;
	size_t n;
	struct kinds_row *sorted;
};

struct kinds *
kinds_new(unsigned width)
{
	struct kinds *c = mem_zalloc(sizeof(*c));

	c->width = width;
	c->kinds = hmap_new();
	return c;
}

static void
kind_free(struct kind *k)
{
	free(k->key);
	free(k->k.counts);
	free(k);
}

void
kinds_free(struct kinds *c)
{
	struct kind *k, *next;
	size_t at;

	if (c == NULL)
		return;
	HMAP_FOREACH(k, c->kinds, at) {
		for (; k != NULL; k = next) {
			next = k->next;
			kind_free(k);
		}
	}
	hmap_free(c->kinds);
	free(c->sorted);
	free(c);
}

uint64_t *
kinds_of(struct kinds *c, const char *key)
{
	uint64_t hash = hmap_hash(key, strlen(key));
	struct kind *first = hmap_get(c->kinds, hash), *k;

	for (k = first; k != NULL; k = k->next)
		if (strcmp(k->key, key) == 0)
			return k->k.counts;
	k = mem_zalloc(sizeof(*k));
	k->key = mem_strdup(key);
	k->k.key = k->key;
	k->k.counts = mem_zarray(c->width, sizeof(*k->k.counts));
	k->next = first;
	(void)hmap_put(c->kinds, hash, k);
	c->n++;
	return k->k.counts;
}

void
kinds_merge(struct kinds *c, struct kinds *other)
{
	struct kind *k, *first;
	uint64_t *to;
	unsigned i;
	size_t at;

	HMAP_FOREACH(first, other->kinds, at) {
		for (k = first; k != NULL; k = k->next) {
			to = kinds_of(c, k->key);
			for (i = 0; i < c->width; i++)
				to[i] += k->k.counts[i];
		}
	}
	kinds_free(other);
}

size_t
kinds_count(const struct kinds *c)
{
	return c->n;
}

static int
most_first(const void *a, const void *b)
{
	const struct kinds_row *x = a, *y = b;

	if (x->counts[0] != y->counts[0])
		return x->counts[0] < y->counts[0] ? 1 : -1;
	return strcmp(x->key, y->key);
}

const struct kinds_row *
kinds_sorted(struct kinds *c)
{
	struct kind *k;
	size_t at, n = 0;

	free(c->sorted);
	c->sorted = mem_zarray(c->n + 1, sizeof(*c->sorted));
	HMAP_FOREACH(k, c->kinds, at)
		for (; k != NULL; k = k->next)
			c->sorted[n++] = k->k;
	if (n > 1)
		qsort(c->sorted, n, sizeof(*c->sorted), most_first);
	return c->sorted;
}

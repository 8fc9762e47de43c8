#include "bench/lib/grey.h"

#include <stdio.h>

#include "lib/base/hmap.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"

#define PAIR_MAX 1024

struct grey {
	unsigned seconds;
	bool by_client, known; /* known: the client has got one through */
	struct hmap *first; /* when a pair was seen first, by its hash */
};

struct grey *
grey_new(unsigned seconds, bool by_client)
{
	struct grey *g = mem_zalloc(sizeof(*g));

	g->seconds = seconds;
	g->by_client = by_client;
	g->first = hmap_new();
	return g;
}

bool
grey_admits(struct grey *g, const char *sender, const char *recipient)
{
	int64_t now = mono_wall(), *first;
	char pair[PAIR_MAX];
	uint64_t key;
	int n;

	if (g->known)
		return true;
	n = snprintf(pair, sizeof(pair), "%s>%s", sender, recipient);
	key = hmap_hash(pair, n < PAIR_MAX ? (size_t)n : PAIR_MAX - 1);
	first = hmap_get(g->first, key);
	if (first == NULL) {
		first = mem_zalloc(sizeof(*first));
		*first = now;
		hmap_put(g->first, key, first);
	}
	if (now - *first < (int64_t)g->seconds)
		return false;
	g->known = g->by_client;
	return true;
}

uint64_t
grey_pairs(const struct grey *g)
{
	return hmap_count(g->first);
}

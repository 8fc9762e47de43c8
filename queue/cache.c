#include "queue/cache.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "lib/base/hmap.h"
#include "lib/base/mem.h"

struct kept {
	TAILQ_ENTRY(kept) use;
	uint64_t evpid;
	uint64_t word;
	uint64_t until; /* ms */
	size_t len;
	char *text; /* NULL: it is being read */
};

struct cache {
	struct hmap *by_id;
	TAILQ_HEAD(used_list, kept) used; /* the latest first */
	size_t octets, most;
	uint64_t word; /* the last one given */
};

struct cache *
cache_new(size_t octets)
{
	struct cache *c = mem_zalloc(sizeof(*c));

	c->by_id = hmap_new();
	TAILQ_INIT(&c->used);
	c->most = octets;
	return c;
}

static void
forget(struct cache *c, struct kept *k)
{
	hmap_del(c->by_id, k->evpid);
	TAILQ_REMOVE(&c->used, k, use);
	c->octets -= sizeof(*k) + k->len;
	free(k->text);
	free(k);
}

void
cache_free(struct cache *c)
{
	struct kept *k;

	if (c == NULL)
		return;
	while ((k = TAILQ_FIRST(&c->used)) != NULL)
		forget(c, k);
	hmap_free(c->by_id);
	free(c);
}

/* Those that are being read are let go as well: they are not kept then. */
static void
shrink(struct cache *c)
{
	while (c->octets > c->most)
		forget(c, TAILQ_LAST(&c->used, used_list));
}

static struct kept *
find(struct cache *c, uint64_t evpid, uint64_t now)
{
	struct kept *k = hmap_get(c->by_id, evpid);

	if (k != NULL && k->until <= now) {
		forget(c, k);
		return NULL;
	}
	if (k != NULL && k != TAILQ_FIRST(&c->used)) {
		TAILQ_REMOVE(&c->used, k, use);
		TAILQ_INSERT_HEAD(&c->used, k, use);
	}
	return k;
}

const char *
cache_get(struct cache *c, uint64_t evpid, uint64_t now, size_t *len)
{
	struct kept *k = find(c, evpid, now);

	if (k == NULL || k->text == NULL)
		return NULL;
	*len = k->len;
	return k->text;
}

uint64_t
cache_expect(struct cache *c, uint64_t evpid, uint64_t now)
{
	struct kept *k = find(c, evpid, now);

	if (k != NULL)
		return k->word;
	k = mem_zalloc(sizeof(*k));
	k->evpid = evpid;
	k->word = ++c->word;
	k->until = now + CACHE_LIFE_MS;
	hmap_put(c->by_id, evpid, k);
	TAILQ_INSERT_HEAD(&c->used, k, use);
	c->octets += sizeof(*k);
	shrink(c);
	return c->word;
}

void
cache_put(struct cache *c, uint64_t evpid, uint64_t word, const char *text,
    size_t len)
{
	struct kept *k = hmap_get(c->by_id, evpid);

	if (k == NULL || k->word != word || k->text != NULL)
		return;
	k->text = mem_rearray(NULL, len + 1, 1);
	memcpy(k->text, text, len);
	k->text[len] = '\0';
	k->len = len;
	c->octets += len;
	shrink(c);
}

void
cache_drop(struct cache *c, uint64_t evpid)
{
	struct kept *k = hmap_get(c->by_id, evpid);

	if (k != NULL)
		forget(c, k);
}

size_t
cache_octets(const struct cache *c)
{
	return c->octets;
}

#include "daemon/net/rate.h"

#include <netinet/in.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/hmap.h"
#include "lib/base/mem.h"

struct rate {
	struct hmap *open; /* network -> sessions, as a number. Two networks
			    * of one hash would merely share a limit. */
};

static uint64_t
network(const struct sockaddr *from)
{
	unsigned char key[9] = { 0 };

	if (from->sa_family == AF_INET) {
		key[0] = 4;
		memcpy(key + 1,
		    &((const struct sockaddr_in *)(const void *)from)->sin_addr,
		    4);
	} else if (from->sa_family == AF_INET6) {
		key[0] = 6;
		memcpy(key + 1,
		    &((const struct sockaddr_in6 *)(const void *)from)
			 ->sin6_addr,
		    8);
	}
	return hmap_hash(key, sizeof(key));
}

struct rate *
rate_new(void)
{
	struct rate *r = mem_zalloc(sizeof(*r));

	r->open = hmap_new();
	return r;
}

void
rate_free(struct rate *r)
{
	if (r == NULL)
		return;
	hmap_free(r->open);
	free(r);
}

bool
rate_take(struct rate *r, const struct sockaddr *from, unsigned max)
{
	uint64_t key = network(from);
	uintptr_t n = (uintptr_t)hmap_get(r->open, key);

	if (n >= max)
		return false;
	hmap_put(r->open, key, (void *)(n + 1));
	return true;
}

void
rate_give(struct rate *r, const struct sockaddr *from)
{
	uint64_t key = network(from);
	uintptr_t n = (uintptr_t)hmap_get(r->open, key);

	assert(n > 0);
	if (n > 1)
		hmap_put(r->open, key, (void *)(n - 1));
	else
		hmap_del(r->open, key);
}

uint64_t
rate_deadline(uint64_t start, uint64_t octets)
{
	return start + RATE_GRACE + octets * 1000 / RATE_OCTETS;
}

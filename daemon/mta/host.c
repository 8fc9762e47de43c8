#include "daemon/mta/host.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mta/route.h"
#include "lib/base/hmap.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

struct hosts {
	struct hmap *by_key;
	TAILQ_HEAD(host_list, host) unused; /* the longest unused first */
	size_t count_unused;
};

struct hosts *
hosts_new(void)
{
	struct hosts *hs = mem_zalloc(sizeof(*hs));

	hs->by_key = hmap_new();
	TAILQ_INIT(&hs->unused);
	return hs;
}

static void
forget(struct hosts *hs, struct host *h)
{
	TAILQ_REMOVE(&hs->unused, h, unused);
	hs->count_unused--;
	hmap_del(hs->by_key, h->key);
	free(h->error);
	free(h);
}

void
hosts_free(struct hosts *hs)
{
	struct host *h;

	if (hs == NULL)
		return;
	while ((h = TAILQ_FIRST(&hs->unused)) != NULL)
		forget(hs, h);
	hmap_free(hs->by_key);
	free(hs);
}

static void
set_address(
    struct host *h, uint8_t family, const uint8_t *octets, uint16_t port)
{
	struct sockaddr_in6 *six = (void *)&h->addr;
	struct sockaddr_in *four = (void *)&h->addr;

	if (family == 4) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		memcpy(&four->sin_addr, octets, 4);
		h->addrlen = sizeof(*four);
	} else {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		memcpy(&six->sin6_addr, octets, 16);
		h->addrlen = sizeof(*six);
	}
}

static void
set_label(struct host *h, const char *name, uint8_t family,
    const uint8_t *octets, uint16_t port)
{
	char address[INET6_ADDRSTRLEN], suffix[16] = "", clean[256];

	inet_ntop(
	    family == 4 ? AF_INET : AF_INET6, octets, address, sizeof(address));
	if (port != ROUTE_PORT)
		snprintf(suffix, sizeof(suffix), ":%u", port);
	if (strcmp(name, address) == 0)
		snprintf(h->label, sizeof(h->label), "[%s]%s", address, suffix);
	else
		snprintf(h->label, sizeof(h->label), "%s [%s]%s",
		    text_printable(clean, sizeof(clean), name), address,
		    suffix);
}

struct host *
host_get(struct hosts *hs, const char *name, uint8_t family,
    const uint8_t *octets, uint16_t port)
{
	uint8_t id[1 + 16 + 2] = { 0 };
	struct host *h;
	uint64_t key;

	id[0] = family;
	memcpy(id + 1, octets, family == 4 ? 4 : 16);
	id[17] = (uint8_t)(port >> 8);
	id[18] = (uint8_t)port;
	key = hmap_hash(id, sizeof(id));
	h = hmap_get(hs->by_key, key);
	if (h == NULL) {
		h = mem_zalloc(sizeof(*h));
		h->key = key;
		set_address(h, family, octets, port);
		TAILQ_INIT(&h->idle);
		TAILQ_INIT(&h->waiters);
		hmap_put(hs->by_key, key, h);
	} else if (h->refs == 0) {
		TAILQ_REMOVE(&hs->unused, h, unused);
		hs->count_unused--;
	}
	set_label(h, name, family, octets, port);
	h->refs++;
	return h;
}

void
host_release(struct hosts *hs, struct host *h)
{
	if (--h->refs > 0)
		return;
	TAILQ_INSERT_TAIL(&hs->unused, h, unused);
	if (++hs->count_unused > HOST_MAX)
		forget(hs, TAILQ_FIRST(&hs->unused));
}

uint64_t
host_usable_at(const struct host *h, int64_t wall)
{
	/* A jump of the clock makes mail due that would be refused here. */
	return wall > h->usable_wall ? 0 : h->usable_at;
}

void
host_failed(struct host *h, const char *error, uint64_t now, int64_t wall)
{
	uint64_t rest;

	/* Connections that were opened together fail together: once. While
	 * others are live it only takes no more of us for now. */
	if (now >= host_usable_at(h, wall)) {
		if (h->live == 0)
			h->failures++;
		rest = route_rest(h->failures);
		h->usable_at = now + rest;
		h->usable_wall = wall + (int64_t)(rest + 999) / 1000;
	}
	h->failed_at = now;
	h->last_error = wall;
	free(h->error);
	h->error = mem_strdup(error);
}

void
host_works(struct host *h)
{
	h->failures = 0;
	h->usable_at = 0;
}

bool
host_same(const struct host *h, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *a4 = (const void *)&h->addr;
	const struct sockaddr_in *b4 = (const void *)ss;
	const struct sockaddr_in6 *a6 = (const void *)&h->addr;
	const struct sockaddr_in6 *b6 = (const void *)ss;

	if (h->addr.ss_family != ss->ss_family)
		return false;
	if (ss->ss_family == AF_INET)
		return a4->sin_port == b4->sin_port &&
		    a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a6->sin6_port == b6->sin6_port &&
	    memcmp(&a6->sin6_addr, &b6->sin6_addr, 16) == 0;
}

struct host *
hosts_next(const struct hosts *hs, size_t *at)
{
	return hmap_next(hs->by_key, at);
}

#include "daemon/mta/host.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "daemon/mta/target.h"
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
	h->port = port;
	inet_ntop(family == 4 ? AF_INET : AF_INET6, octets, h->address,
	    sizeof(h->address));
}

const char *
host_label(const struct host *h, const char *name, char dst[HOST_LABEL_MAX])
{
	char suffix[16] = "", clean[TARGET_NAME_MAX];

	if (h->addr.ss_family == AF_UNIX) {
		snprintf(dst, HOST_LABEL_MAX, "%s", h->address);
		return dst;
	}
	if (h->port != TARGET_PORT)
		snprintf(suffix, sizeof(suffix), ":%u", h->port);
	if (name[0] == '\0' || strcmp(name, h->address) == 0)
		snprintf(dst, HOST_LABEL_MAX, "[%s]%s", h->address, suffix);
	else
		snprintf(dst, HOST_LABEL_MAX, "%s [%s]%s",
		    text_printable(clean, sizeof(clean), name), h->address,
		    suffix);
	return dst;
}

static struct host *
find(struct hosts *hs, uint64_t key)
{
	struct host *h = hmap_get(hs->by_key, key);

	if (h == NULL) {
		h = mem_zalloc(sizeof(*h));
		h->key = key;
		TAILQ_INIT(&h->waiting.line);
		hmap_put(hs->by_key, key, h);
	} else if (h->refs == 0) {
		TAILQ_REMOVE(&hs->unused, h, unused);
		hs->count_unused--;
	}
	h->refs++;
	return h;
}

struct host *
host_get(struct hosts *hs, const char *name, uint8_t family,
    const uint8_t *octets, uint16_t port)
{
	uint8_t id[1 + 16 + 2] = { 0 };
	struct host *h;

	id[0] = family;
	memcpy(id + 1, octets, family == 4 ? 4 : 16);
	id[17] = (uint8_t)(port >> 8);
	id[18] = (uint8_t)port;
	h = find(hs, hmap_hash(id, sizeof(id)));
	if (h->addrlen == 0)
		set_address(h, family, octets, port);
	host_label(h, name, h->label);
	return h;
}

struct host *
host_get_path(struct hosts *hs, const char *path)
{
	struct host *h = find(hs, hmap_hash(path, strlen(path)));
	struct sockaddr_un *un = (void *)&h->addr;
	size_t len = strlen(path);

	if (h->addrlen == 0 && len < sizeof(un->sun_path)) {
		un->sun_family = AF_UNIX;
		memcpy(un->sun_path, path, len + 1);
		h->addrlen = sizeof(*un);
		snprintf(h->address, sizeof(h->address), "%s", path);
	}
	host_label(h, "", h->label);
	return h;
}

void
host_ref(struct host *h)
{
	assert(h->refs > 0);
	h->refs++;
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

void
host_failed(struct host *h, const char *error, int64_t wall)
{
	if (h->failures < UINT32_MAX)
		h->failures++;
	h->last_error = wall;
	free(h->error);
	h->error = mem_strdup(error);
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
	if (ss->ss_family == AF_UNIX)
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

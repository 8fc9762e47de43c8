/*
 * host - remote addresses and what is known of them; pure
 *
 * One per address and port (or path of a socket), shared by all routes that
 * lead there. Those nobody refers to are kept, up to HOST_MAX, the oldest go
 * first: what was learnt of a host outlives its mail.
 */
#ifndef DAEMON_MTA_HOST_H
#define DAEMON_MTA_HOST_H

#include <sys/queue.h>
#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/mta/waiting.h"

#define HOST_MAX 10000
#define HOST_ADDRESS_MAX 128
#define HOST_LABEL_MAX 400 /* "mx.example.org [192.0.2.1]:2525" */
#define HOST_CLEAR_MS 3600000u /* how long a failure of TLS is remembered */

struct hosts;
struct source;

struct host {
	TAILQ_ENTRY(host) unused;
	uint64_t key;
	struct sockaddr_storage addr;
	socklen_t addrlen;
	uint16_t port; /* 0 of a path */
	char address[HOST_ADDRESS_MAX]; /* 192.0.2.1, 2001:db8::1, a path */
	char label[HOST_LABEL_MAX]; /* with the last name it was found by */
	unsigned refs;
	unsigned connections; /* open or being opened */
	unsigned ready; /* of them: sessions */
	unsigned failures; /* in a row */
	uint64_t clear_until; /* ms; STARTTLS failed where it need not work */
	/* No session of use is possible from a source: it is left alone. */
	uint64_t skip_until; /* ms */
	const struct source *skip_source;
	char *error; /* the last one, NULL: none */
	int64_t last_connect, last_error; /* wall clock; 0: never */
	uint64_t delivered; /* recipients */
	struct waiting waiting; /* relays, for a connection to it */
};

struct hosts *hosts_new(void);
void hosts_free(struct hosts *hs); /* nobody refers to any */

/* Takes a reference; name as the DNS gave it, or the address itself. */
struct host *host_get(struct hosts *hs, const char *name, uint8_t family,
    const uint8_t *octets, uint16_t port);
struct host *host_get_path(struct hosts *hs, const char *path);
void host_ref(struct host *h);
void host_release(struct hosts *hs, struct host *h);

void host_failed(struct host *h, const char *error, int64_t wall);

/* "mx.example.org [192.0.2.1]:2525", the port only when it is not 25. */
const char *host_label(
    const struct host *h, const char *name, char dst[HOST_LABEL_MAX]);
bool host_same(const struct host *h, const struct sockaddr_storage *ss);

/* Walks all: *at = 0 first, NULL at the end. */
struct host *hosts_next(const struct hosts *hs, size_t *at);

#endif

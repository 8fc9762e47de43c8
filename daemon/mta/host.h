/*
 * host - remote addresses and what is known of them
 *
 * One entry per address and port, shared by all relays whose mail goes there:
 * the count of connections, the last error, and until when it rests. Entries
 * nobody refers to are kept, up to HOST_MAX of them, the oldest go first.
 */
#ifndef DAEMON_MTA_HOST_H
#define DAEMON_MTA_HOST_H

#include <sys/queue.h>
#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_MAX 10000
#define HOST_LABEL_MAX 336 /* "mx.example.org [192.0.2.1]:2525" */

struct link;
struct relay;
struct hosts;

struct host {
	TAILQ_ENTRY(host) unused;
	uint64_t key;
	struct sockaddr_storage addr;
	socklen_t addrlen;
	char label[HOST_LABEL_MAX];
	unsigned refs;
	unsigned connections; /* open or being opened */
	unsigned live; /* of them: got past EHLO */
	unsigned failures; /* in a row, while nothing was live */
	uint64_t usable_at; /* ms; it rests until then */
	int64_t usable_wall; /* the same by the wall clock, which may jump */
	uint64_t failed_at; /* ms; 0: never */
	char *error; /* the last one, NULL: none */
	int64_t last_connect, last_error; /* wall clock; 0: never */
	uint64_t delivered; /* recipients */
	TAILQ_HEAD(host_idle, link)
	idle; /* its connections that wait for work */
	TAILQ_HEAD(host_waiters, relay)
	waiters; /* that wait for a connection to it */
};

struct hosts *hosts_new(void);
void hosts_free(struct hosts *hs); /* nobody refers to any */

/* Takes a reference; name as the DNS gave it, or the address itself. */
struct host *host_get(struct hosts *hs, const char *name, uint8_t family,
    const uint8_t *octets, uint16_t port);
void host_release(struct hosts *hs, struct host *h);

/* Later than now while it rests. */
uint64_t host_usable_at(const struct host *h, int64_t wall);
/* A session could not be set up, or could. */
void host_failed(struct host *h, const char *error, uint64_t now, int64_t wall);
void host_works(struct host *h);

bool host_same(const struct host *h, const struct sockaddr_storage *ss);

/* Walks all: *at = 0 first, NULL at the end. */
struct host *hosts_next(const struct hosts *hs, size_t *at);

#endif

/*
 * source - our own end of connections: an address, or the system's choice;
 * pure
 *
 * One per address, for good: there are as many as the configuration names.
 */
#ifndef DAEMON_MTA_SOURCE_H
#define DAEMON_MTA_SOURCE_H

#include <sys/socket.h>

#include <stdint.h>

#include "daemon/mta/steering.h"
#include "daemon/mta/waiting.h"

#define SOURCE_ANY "*"
#define SOURCE_TEXT_MAX 64

struct hmap;
struct engine;

struct source {
	char text[SOURCE_TEXT_MAX]; /* as printed; SOURCE_ANY */
	struct sockaddr_storage addr;
	socklen_t addrlen; /* 0: the system chooses */
	unsigned connections;
	const struct steering *steering; /* a pause, or NULL */
	struct waiting waiting;
};

/* Finds or makes it. NULL: text is no address. */
struct source *source_get(struct engine *e, const char *text);

#endif

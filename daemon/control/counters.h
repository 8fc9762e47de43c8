/*
 * counters - what the control role has to say about itself
 */
#ifndef DAEMON_CONTROL_COUNTERS_H
#define DAEMON_CONTROL_COUNTERS_H

#include <stdint.h>

#include "daemon/control/caller.h"

struct counters {
	uint64_t started; /* mono_ms */
	uint64_t callers; /* now */
	uint64_t accepted, refused, requests, lines_lost;
};

/* Rows for show status: the daemon's, and this role's. */
void counters_status(
    const struct counters *n, const char *host, struct caller *to);
/* Rows for show stats. */
void counters_stats(const struct counters *n, struct caller *to);

#endif

/*
 * waiting - relays in line for a connection that a limit denies them; pure
 *
 * Part of what is at its limit. A relay stands in at most one line.
 */
#ifndef DAEMON_MTA_WAITING_H
#define DAEMON_MTA_WAITING_H

#include <sys/queue.h>

struct relay;

struct waiting {
	TAILQ_HEAD(waiting_line, relay) line;
};

#endif

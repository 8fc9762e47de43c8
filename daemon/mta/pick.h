/*
 * pick - by which route the next connection of a relay goes; pure
 *
 * The best preference that is usable at all; there a session that rests
 * first, then the route with the fewest connections, then the source and the
 * route whose turn it is. One that is at a limit is waited for: only what
 * cannot be used sends mail on to the next preference (RFC 5321 section 5.1).
 * Addresses of both families are one attempt.
 */
#ifndef DAEMON_MTA_PICK_H
#define DAEMON_MTA_PICK_H

#include "daemon/mta/pace.h"
#include "daemon/mta/relay.h"

struct pick {
	struct pace pace; /* FREE: the rest is set; else why not, till when */
	struct connector *connector;
	size_t address;
	struct link *idle; /* that session, or NULL: a new connection */
};

struct pick pick_route(struct engine *e, struct relay *r);

#endif

/*
 * dispatch - which connection carries what
 *
 * Connections belong to hosts and serve any relay whose mail goes there. A
 * relay gets as many as it has transactions, within the limits per host and in
 * all; who finds a host full waits in its line, and is served in turn.
 */
#ifndef DAEMON_MTA_DISPATCH_H
#define DAEMON_MTA_DISPATCH_H

#include <stdint.h>

#include "daemon/edge/carry.h"
#include "daemon/mta/relay.h"

struct conf;
struct dispatch;

struct dispatch_limits {
	const struct conf *conf; /* lent */
	const char *hostname; /* for EHLO; lent */
	unsigned per_host, connections;
	uint32_t deadline_ms; /* of tests; 0: none */
};

struct dispatch *dispatch_new(struct event_base *base, struct relays *relays);
void dispatch_configure(
    struct dispatch *d, const struct dispatch_limits *limits);

/* The dispatch of struct relays_ops. */
void dispatch_relay(struct dispatch *d, struct relay *r);
void dispatch_body(struct dispatch *d, const struct carry_body *piece);

/* No new work; what waits for the reply to a whole message goes on, all else
 * is dropped without outcomes. done is called once nothing is left. */
void dispatch_stop(struct dispatch *d, void (*done)(void *arg), void *arg);

struct dispatch_counts {
	uint64_t connections, idle; /* now */
	uint64_t sessions; /* set up so far */
};
const struct dispatch_counts *dispatch_counts(const struct dispatch *d);

#endif

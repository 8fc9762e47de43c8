/*
 * resolver - answers questions about names by libunbound on the event loop
 *
 * A question is one or many look-ups: the MX of a domain, then the addresses
 * of all its hosts at once, then TLSA records where DNSSEC makes them count
 * (finding.h). Questions that are asked again while they run wait
 * for the same answer; the cache is unbound's. Each question has one deadline.
 */
#ifndef DAEMON_DNS_RESOLVER_H
#define DAEMON_DNS_RESOLVER_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/dns/context.h"
#include "daemon/edge/name.h"

struct event_base;
struct etc;
struct resolver;

struct resolver_answer { /* lent for the call */
	enum name_status status;
	bool secure; /* the MX, or their absence; NAME_ADDRESS: the host */
	const char *text; /* why, when not NAME_FOUND */
	const struct name_host *hosts;
	uint16_t n;
};

/* fn gets each answer with the ticket of its question. etc is lent. */
struct resolver *resolver_new(struct event_base *base, const struct etc *etc,
    uint32_t deadline_ms,
    void (*fn)(void *arg, uint32_t ticket, const struct resolver_answer *a),
    void *arg);

/* Servers and trust anchors as in context.h. Questions that run are asked
 * anew. -1 with why filled: unbound does not take them, and nothing changed. */
int resolver_servers(struct resolver *r, const struct sockaddr_storage *servers,
    size_t n, const char *anchor, char why[CONTEXT_WHY]);

/* The answer may come before this returns. */
void resolver_ask(struct resolver *r, const struct name_ask *ask);

size_t resolver_running(const struct resolver *r);

#endif

/*
 * route - where mail goes out, and by which address next, pure
 *
 * A target is what the tasks of the mta are grouped by: the host of `relay
 * via`, or a domain whose MX is to be asked for. Its addresses stand in order
 * of preference; what is known about each comes in as numbers, the decision
 * goes out.
 */
#ifndef DAEMON_MTA_ROUTE_H
#define DAEMON_MTA_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUTE_PORT 25
#define ROUTE_NAME_MAX 256
#define ROUTE_KEY_MAX (ROUTE_NAME_MAX + 16)

enum route_kind {
	ROUTE_MX, /* ask for the MX of name */
	ROUTE_HOST, /* ask for the addresses of name */
	ROUTE_LITERAL /* name is an address: 192.0.2.1 or 2001:db8::1 */
};

struct route_target {
	enum route_kind kind;
	char name[ROUTE_NAME_MAX]; /* lower case */
	uint16_t port;
	bool family6; /* of a literal */
	uint8_t octets[16]; /* of a literal, in network order */
	char key[ROUTE_KEY_MAX]; /* equal keys, equal targets; for people too */
};

/* via: host or [address] of `relay via`, or NULL: by domain, which may be an
 * address literal. False for what is no name and no address. */
bool route_target(struct route_target *t, const char *via, uint16_t via_port,
    const char *domain, uint16_t mx_port);

struct route_address {
	uint16_t preference;
	uint16_t host; /* addresses of one host stand together, one number */
	uint16_t connections; /* open or being opened */
	uint16_t live; /* of them: have got past EHLO */
	uint16_t failures; /* in a row */
	bool idle; /* a connection waits for work */
	uint64_t usable_at; /* ms; later than now: failed a moment ago */
	uint64_t failed_at; /* ms; 0: never */
};

enum route_verdict {
	ROUTE_OPEN, /* a new connection to it, or its idle one */
	ROUTE_BUSY, /* wait for a connection to it */
	ROUTE_DEAD /* all failed, it was the last; or there is none: n is 0 */
};

/*
 * Takes the best preference that has a usable address; there an idle
 * connection first, then the fewest failures, then the fewest connections. An
 * address that failed before is probed by one connection at a time.
 */
enum route_verdict route_pick(const struct route_address *a, size_t n,
    unsigned cap, uint64_t now, size_t *which);

/* How long an address rests after so many failures in a row: ms. */
uint64_t route_rest(unsigned failures);

/* RFC 5321 section 5.1: what is not better than ourselves is cut off. own[i]
 * marks addresses that are ours. Returns how many are left. */
size_t route_cut_own(const uint16_t *preference, const bool *own, size_t n);

#endif

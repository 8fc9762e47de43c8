/*
 * pace - whether a connection may be opened now, and what forbids it; pure
 *
 * Limits are waited for, at the host at hand; what is unusable sends mail on
 * to the next host.
 */
#ifndef DAEMON_MTA_PACE_H
#define DAEMON_MTA_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connector;
struct engine;
struct host;
struct relay;
struct route;
struct steering;
struct waiting;

enum pace_kind {
	PACE_FREE,
	/* limits */
	PACE_ROUTE_NEW, /* one connection, until a session has worked */
	PACE_ROUTE_GROWS, /* one more for each session that has */
	PACE_ROUTE,
	PACE_HOST,
	PACE_SOURCE,
	PACE_RELAY,
	PACE_DOMAIN,
	PACE_TOTAL,
	PACE_ROUTE_DELAY,
	PACE_DISCONNECT_DELAY,
	PACE_RELAY_DELAY,
	PACE_OPENING, /* as many as it has mail for are on their way */
	/* unusable */
	PACE_DISABLED,
	PACE_ASIDE,
	PACE_ROUTE_PAUSED,
	PACE_SOURCE_PAUSED,
	PACE_RELAY_PAUSED,
	PACE_SKIPPED, /* no session of use is possible at the host */
	PACE_BAD_SOURCE,
	PACE_TROUBLE, /* the DNS says it must not be used: DANE */
	PACE_FAMILY, /* an address of the other family than the source */
	PACE_NOWHERE, /* there is no host */
	PACE_KINDS
};

struct pace {
	enum pace_kind kind;
	uint64_t at; /* ms: when that ends; 0: by an event, UINT64_MAX: never */
	struct waiting *line; /* to wait in, or NULL */
	const struct route *route; /* whose it is, or NULL */
	const struct connector *connector;
	const struct host *host;
};

bool pace_is_limit(enum pace_kind kind);

/* When a pause is over, by the engine's clock; UINT64_MAX: it is resumed. */
uint64_t pace_pause_end(const struct engine *e, const struct steering *s);

/* For one more connection of a relay at all, then by a route of it. */
struct pace pace_relay(const struct engine *e, const struct relay *r);
struct pace pace_route(
    struct engine *e, struct relay *r, struct connector *c, size_t address);

/* A short word for records, "route-delay", and a sentence for people. */
const char *pace_word(enum pace_kind kind);
#define PACE_TEXT_MAX 1024
const char *pace_text(const struct engine *e, const struct relay *r,
    const struct pace *p, char dst[PACE_TEXT_MAX]);
/* Why a route is not used now, and until when; "" when it may be. */
const char *pace_route_text(
    const struct engine *e, const struct route *r, char dst[PACE_TEXT_MAX]);

#endif

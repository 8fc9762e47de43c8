/*
 * link - a session as the engine sees it; pure
 *
 * Belongs to a route and serves any relay that has that route. Its owner calls
 * link_on_*() as the session goes; each may hand it the next thing to do.
 */
#ifndef DAEMON_MTA_LINK_H
#define DAEMON_MTA_LINK_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "daemon/edge/carry.h"
#include "daemon/mta/conn.h"
#include "daemon/mta/transaction.h"

#define LINK_SHARE 10 /* transactions in a row while others wait for the host */

struct conn;
struct connector;
struct domain;
struct engine;
struct porter;
struct relay;
struct route;

enum link_state {
	LINK_OPENING,
	LINK_CARRYING,
	LINK_RESTING,
	LINK_LEAVING
};

struct link {
	struct engine *engine;
	uint32_t id;
	enum link_state state;
	bool ready; /* a session was set up */
	bool in_clear; /* no STARTTLS: it failed there lately */
	struct route *route;
	struct relay *relay; /* served last; it counts as one of its own */
	struct domain *domain; /* whose connection it counts as */
	struct transaction *transaction; /* being carried, or NULL */
	/* The owner's. */
	struct porter *porter;
	struct conn *conn;
	uint32_t stream;
	unsigned served; /* transactions in a row for that relay */
	unsigned messages; /* in all */
	unsigned fruitless; /* in a row, none of whose mail was taken */
	bool stale; /* it had died while it rested */
	bool rejected_only; /* this one failed by its recipients alone */
	bool taken; /* something of this one was taken */
	uint64_t delivered; /* recipients */
	uint64_t opened_at; /* ms */
	TAILQ_ENTRY(link) of_route; /* while it rests */
	TAILQ_ENTRY(link) of_idle;
	TAILQ_ENTRY(link) all;
};

void link_open(struct engine *e, struct relay *r, struct connector *c,
    struct route *route);
/* It has no use any more, or others need its room; while ready or at rest. */
void link_quit(struct link *l);
void link_carry(struct link *l, struct relay *r);

void link_on_ready(struct link *l);
void link_on_accepted(struct link *l, const struct transaction *t, unsigned i);
bool link_on_settle(struct link *l, const struct transaction *t, unsigned i,
    enum carry_result result, enum conn_phase phase, const char *status);
void link_on_over(struct link *l, struct transaction *t, bool stale);
void link_on_leaving(struct link *l);
void link_on_closed(struct link *l, const struct conn_closed *why);

#endif

/*
 * relay - mail that goes to the same hosts in the same manner; pure
 *
 * One per manner and MX set (or host of `relay via`): destinations whose MX are
 * the same share it, and its sessions. A connector is one of our sources as the
 * relay uses it. Recipients of one message join one transaction while that
 * waits. The set is known by the names of its hosts; their addresses may
 * change under way.
 */
#ifndef DAEMON_MTA_RELAY_H
#define DAEMON_MTA_RELAY_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/mta/host.h"
#include "daemon/mta/manner.h"
#include "daemon/mta/pace.h"
#include "daemon/mta/route.h"
#include "daemon/mta/steering.h"
#include "daemon/mta/target.h"
#include "daemon/mta/timer.h"
#include "daemon/mta/transaction.h"

#define RELAY_ADDRESSES 64 /* of one relay: the best ones */
#define RELAY_KEPT_MS 600000u /* without mail */
#define RELAY_BAD_SOURCE_MS 600000u

struct destination;
struct domain;
struct engine;

TAILQ_HEAD(relay_queue, transaction);

struct relay_address {
	struct host *host;
	char *name; /* of the host */
	uint16_t preference;
	const struct tlsa *tlsa; /* or NULL */
	char *trouble; /* why it must not be used, or NULL */
};

struct connector {
	struct source *source;
	unsigned connections;
	uint64_t bad_until; /* ms; bind() failed */
	char *error; /* why; NULL: never */
	struct route **routes; /* one an address, NULL until it is used */
	uint64_t used; /* its turn: the count of connections before it */
};

struct relay {
	struct timer timer;
	uint64_t key;
	char *text; /* the MX set, or the host */
	struct manner *manner;
	struct domain *domain; /* the first: its limits hold */
	TAILQ_HEAD(relay_destinations, destination) destinations;
	unsigned ndestinations;
	/* Transactions: new ones, and those that were tried before, which take
	 * turns: what a host defers again and again keeps nobody else from
	 * being tried. While recipients are being rejected the second kind is
	 * spared until the row is half full: what has waited out a greylist
	 * breaks the row, and others can be tried. */
	struct relay_queue fresh, tried;
	bool tried_next;
	unsigned queued; /* in both */
	unsigned opening; /* connections being set up for it */
	unsigned bound; /* connections that serve it, those included */
	struct relay_address *addresses; /* by preference */
	size_t n;
	struct connector *connectors;
	size_t nconnectors;
	uint64_t turn; /* connections made so far */
	uint64_t connect_at; /* ms; of the last one */
	bool proven; /* a session was set up; the last attempt did not fail */
	bool attempted; /* an attempt failed, for the mail that waits */
	char *failure; /* how: its status, or NULL */
	char remote[HOST_LABEL_MAX]; /* and with whom */
	struct pace pace; /* what its mail waits for */
	const struct steering *steering; /* a pause, or NULL */
	bool dirty, resting; /* which list of the engine it is on */
	struct waiting *waits; /* the line it stands in, or NULL */
	struct waiting *woken; /* the line it came from */
	TAILQ_ENTRY(relay) waiting;
	TAILQ_ENTRY(relay) entry; /* of dirty or resting */
	TAILQ_ENTRY(relay) all;
};

/* For people: the domain of one destination, the host of via, or "a (+3)". */
const char *relay_name(const struct relay *r, char dst[TARGET_KEY_MAX]);

/* Of a set, by its text; makes it when there is none. */
struct relay *relay_get(
    struct engine *e, struct manner *m, struct domain *d, const char *text);
/* Takes the list and what is in it. */
void relay_set_addresses(
    struct engine *e, struct relay *r, struct relay_address *a, size_t n);
void relay_addresses_free(struct engine *e, struct relay_address *a, size_t n);
/* The route of a connector to an address; NULL: it is not there yet. */
struct route *relay_route(struct engine *e, struct relay *r,
    struct connector *c, size_t address, bool make);
bool relay_has(const struct relay *r, const struct route *route);
void relay_add(struct engine *e, struct relay *r, struct destination *d);
void relay_remove(struct engine *e, struct relay *r, struct destination *d);
/* It is paused when one of its destinations is: after that has changed. */
void relay_steer(struct engine *e, struct relay *r);

/* An attempt to get a session has failed; NULL: one has not. */
void relay_attempted(struct relay *r, const char *status, const char *remote);
struct connector *relay_connector(struct relay *r, const struct source *s);

void relay_mark(struct engine *e, struct relay *r);
/* Takes one off the list of those that are marked; NULL: none is. */
struct relay *relay_marked(struct engine *e);
void relay_wait(struct relay *r, struct waiting *w); /* NULL: in no line */
void relay_put(struct engine *e, struct relay *r, struct transaction *t);
void relay_put_back(struct engine *e, struct relay *r, struct transaction *t);
/* What is taken next where so many were rejected in a row; or NULL. */
struct transaction *relay_first(
    const struct engine *e, const struct relay *r, unsigned row);
struct transaction *relay_take(struct engine *e, struct relay *r, unsigned row);
void relay_wake(struct engine *e, struct waiting *w); /* the first in line */
void relay_rest(struct engine *e, struct relay *r); /* it may be idle */
void relay_free(struct engine *e, struct relay *r);
void relay_on_timer(struct engine *e, struct relay *r);

#endif

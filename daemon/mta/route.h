/*
 * route - the way from a source to a host, and what it has earned; pure
 *
 * A new route gets one connection; each session that is set up allows one
 * more. A failure adds 1 to its penalty p and disables it for base * p^2; when
 * that is over it is as new and a point of the penalty is lent to it, which
 * the next failure takes back and a delivery makes a gift. Routes are told
 * apart by the manner as well: a policy that a host does not meet is no fault
 * of the host towards others.
 */
#ifndef DAEMON_MTA_ROUTE_H
#define DAEMON_MTA_ROUTE_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "daemon/edge/carry.h"
#include "daemon/mta/host.h"
#include "daemon/mta/manner.h"
#include "daemon/mta/source.h"
#include "daemon/mta/steering.h"
#include "daemon/mta/timer.h"

#define ROUTE_RATE_SECONDS 10
#define ROUTE_ERROR_MAX 512
#define ROUTE_NAME_MAX (SOURCE_TEXT_MAX + HOST_LABEL_MAX + 8)

struct domain;
struct engine;
struct engine_outcome;
struct link;
struct tlsa;

enum route_end { /* why it is disabled */
	ROUTE_ENABLED,
	ROUTE_FAILED, /* no session, or one that came to nothing */
	ROUTE_ASIDE /* too many recipients were rejected in a row */
};

/* An outcome that is held back until it is known whether its row is broken. */
struct route_held {
	STAILQ_ENTRY(route_held) entry;
	uint64_t evpid;
	int64_t arrived;
	enum carry_result result;
	char *status, *relay;
};

struct route {
	struct timer timer;
	uint32_t id; /* r12 */
	uint64_t key;
	unsigned refs; /* relays and links */
	struct manner *manner;
	struct source *source;
	struct host *host;
	char *name; /* of the host; "": none but its address */
	struct domain *domain; /* whose limits hold: the first */
	const struct tlsa *tlsa; /* of its host, as last looked up, or NULL */

	unsigned connections; /* open or being opened */
	unsigned ready; /* of them: sessions */
	unsigned carrying; /* of them: at work */
	unsigned allowed; /* connections, while it ramps up */
	bool validated; /* a session was set up since it was new */
	unsigned penalty;
	bool lent; /* a point was taken off by time alone */
	enum route_end end;
	uint64_t disabled_until; /* ms; 0: usable */
	uint64_t connect_at; /* ms; of the last connection */
	uint64_t disconnect_at; /* ms; of the last end that was not ours */
	unsigned row; /* recipients rejected in a row */
	STAILQ_HEAD(route_held_list, route_held) held;

	uint64_t errors; /* sessions that failed */
	char *error; /* the last of them, NULL: none */
	int64_t error_at; /* wall clock */
	uint64_t delivered; /* recipients */
	uint64_t rate_second;
	uint32_t rate[ROUTE_RATE_SECONDS];
	const struct steering *steering; /* a pause, or NULL */
	TAILQ_HEAD(route_idle, link) idle;
	TAILQ_ENTRY(route) entry; /* of all */
};

/* NULL: there is none. */
struct route *route_find(const struct engine *e, const struct manner *m,
    const struct source *s, const struct host *h, const char *name);
/* Makes it, with one reference. */
struct route *route_new(struct engine *e, struct manner *m, struct source *s,
    struct host *h, const char *name, struct domain *d);
void route_release(struct engine *e, struct route *r);

void route_connects(struct engine *e, struct route *r);
void route_works(struct engine *e, struct route *r); /* a session is set up */
void route_delivered(struct engine *e, struct route *r);
void route_erred(struct engine *e, struct route *r, const char *status);
/* It takes no more than it has. */
void route_full(struct engine *e, struct route *r, const char *status);
void route_failed(struct engine *e, struct route *r, const char *status);
void route_aside(struct engine *e, struct route *r, const char *status);
void route_enable(struct engine *e, struct route *r); /* before its time */
void route_on_timer(struct engine *e, struct route *r);

/* A recipient was rejected. True: the row is full, stop. */
bool route_rejected(
    struct engine *e, struct route *r, struct engine_outcome *o);
void route_accepted(struct engine *e, struct route *r);
void route_let_go(struct engine *e, struct route *r, bool step);

bool route_disabled(const struct route *r);
/* How long a penalty disables, without the jitter: ms. */
uint64_t route_rest(unsigned penalty, uint32_t base_s, uint32_t most_s);
/* Deliveries within the last ROUTE_RATE_SECONDS. */
unsigned route_recent(const struct route *r, uint64_t now);
/* "NDQK", '-' for what is not so. */
void route_flags(const struct route *r, char flags[5]);
/* "* -> mx.example.org [192.0.2.1]:25" */
const char *route_name(const struct route *r, char dst[ROUTE_NAME_MAX]);
struct route *route_by_id(const struct engine *e, uint32_t id);

#endif

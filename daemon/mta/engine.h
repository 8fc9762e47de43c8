/*
 * engine - outgoing mail: who carries what, by which way, and when; pure
 *
 * Knows no events, descriptors or clocks: time is told by engine_clock() at the
 * beginning of whatever happens, work is done in engine_turn(), and what is to
 * be done in the world goes out through the ops. So a test drives it through
 * days in a moment.
 */
#ifndef DAEMON_MTA_ENGINE_H
#define DAEMON_MTA_ENGINE_H

#include <sys/queue.h>
#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conf/conf.h"
#include "daemon/edge/carry.h"
#include "daemon/edge/name.h"
#include "daemon/mta/host.h"
#include "daemon/mta/link.h"
#include "daemon/mta/manner.h"
#include "daemon/mta/pace.h"
#include "daemon/mta/relay.h"
#include "daemon/mta/route.h"
#include "daemon/mta/steering.h"
#include "daemon/mta/timer.h"

#define ENGINE_TURN 64 /* relays, timers, outcomes of one turn */
#define ENGINE_SOON_MS 2000u /* what mail waits for here, and no longer */
#define ENGINE_PAUSED_S 400u /* what is paused for ever is asked for again */

enum engine_event { /* one log line each */
	ENGINE_ROUTE_NEW,
	ENGINE_ROUTE_WORKS,
	ENGINE_ROUTE_FAILED,
	ENGINE_ROUTE_USABLE,
	ENGINE_ROUTE_ASIDE,
	ENGINE_ROUTE_GONE,
	ENGINE_ROUTE_PAUSED,
	ENGINE_ROUTE_RESUMED,
	ENGINE_HOST_SKIPPED,
	ENGINE_HOST_CLEAR, /* no STARTTLS there for a while */
	ENGINE_SOURCE_BAD,
	ENGINE_CONNECTING,
	ENGINE_CONNECTED,
	ENGINE_NO_SESSION,
	ENGINE_CLOSED
};

struct engine_outcome {
	struct carry_outcome carry;
	int64_t arrived;
	const char *relay; /* for people */
};

struct engine_ops {
	/* Asks the dns; the answer goes to engine_resolved(), once. False: too
	 * many questions are open. */
	bool (*ask)(void *arg, uint32_t id, enum name_kind kind,
	    const char *name, uint16_t port);
	void (*open)(void *arg, struct link *l); /* sets l->conn */
	void (*carry)(void *arg, struct link *l, struct transaction *t);
	void (*rest)(void *arg, struct link *l);
	void (*quit)(void *arg, struct link *l);
	void (*abort)(void *arg, struct link *l);
	void (*outcome)(void *arg, const struct engine_outcome *o);
	/* l or r may be NULL; status is "" where there is none. */
	void (*event)(void *arg, enum engine_event what, const struct route *r,
	    const struct link *l, const char *status);
	uint64_t (*random)(void *arg); /* for the jitter */
};

TAILQ_HEAD(engine_relays, relay);
TAILQ_HEAD(engine_links, link);
TAILQ_HEAD(engine_routes, route);
TAILQ_HEAD(engine_destinations, destination);

struct engine_counts {
	uint64_t connections, idle, waiting; /* now; waiting: transactions */
	uint64_t sessions; /* set up so far */
	uint64_t uncertain; /* lost after the dot */
};

struct engine {
	const struct engine_ops *ops;
	void *arg;
	const struct conf *conf; /* for the limits; lent */
	const struct sockaddr_storage *own; /* what we listen on; lent */
	size_t nown;
	uint16_t mx_port; /* 25, but for tests */
	unsigned most; /* connections in all */
	unsigned configured; /* how often: limits are looked up anew */
	uint64_t now; /* ms */
	int64_t wall; /* seconds since the epoch */
	bool stopped; /* no new work */

	struct hosts *hosts;
	struct hmap *sources, *domains; /* by name */
	struct hmap *by_target; /* destination */
	struct hmap *by_question; /* destination */
	struct hmap *by_set; /* relay */
	struct hmap *by_way, *by_id; /* route */
	struct hmap *growing; /* transaction that takes more recipients */
	struct engine_relays relays, dirty, resting;
	struct engine_routes routes;
	struct engine_links links, idle; /* idle: the longest first */
	struct engine_destinations destinations; /* the longest unused first */
	size_t nresting, ndestinations;
	struct timers timers;
	struct steerings steerings; /* all pauses */
	struct waiting waiting; /* for a connection at all */
	uint32_t last_route, last_link, last_question;
	struct engine_counts counts;
};

struct engine_recipient { /* one recipient to be carried */
	uint64_t msgid, size;
	const char *sender; /* as sent */
	uint64_t evpid;
	const char *address; /* as sent */
	const char *domain; /* of the recipient */
	int64_t arrived;
	struct choice *choice; /* how its action relays */
	bool tried; /* in an attempt before this one */
	unsigned turn; /* which alternative is its first */
};

struct engine *engine_new(const struct engine_ops *ops, void *arg);
void engine_free(struct engine *e); /* no links are left */
/* Also after a reload: limits are asked for anew. */
void engine_configure(struct engine *e, const struct conf *conf,
    const struct sockaddr_storage *own, size_t nown);

/* Before anything else of a turn. now never goes back. */
void engine_clock(struct engine *e, uint64_t now, int64_t wall);
void engine_add(struct engine *e, const struct engine_recipient *r);
/* An answer whose question is not known is ignored; see
 * destination_resolved(). */
void engine_resolved(struct engine *e, uint32_t id, enum name_status status,
    const char *text, const struct name_host *hosts, unsigned n);
size_t engine_questions(const struct engine *e); /* at the dns, open */
/* Bounded work. Returns when it wants to be called again: ms of its clock,
 * now when there is more to do, UINT64_MAX when nothing waits for time. */
uint64_t engine_turn(struct engine *e);
/* No new work; links that wait for the reply to a message go on. */
void engine_stop(struct engine *e);

/* False: nothing of that name is known (a pause is kept for it: it holds when
 * it comes up). name as printed; of a route its id or its name. */
bool engine_pause(struct engine *e, enum carry_part part, const char *name,
    int64_t until, uint32_t uid, const char *reason);
bool engine_resume(struct engine *e, enum carry_part part, const char *name);
/* What is disabled may be used at once: `resume route all`. */
unsigned engine_enable_all(struct engine *e);

/* Frees a transaction with what it refers to. */
void engine_drop(struct engine *e, struct transaction *t);
/* The same outcome for all that is open in it; takes it. */
void engine_settle(struct engine *e, struct transaction *t,
    const struct carry_outcome *o, const char *relay);
/* To the destination of its alternative, or of the next that may be used; mx:
 * its domain, for those that go by it. Takes it. */
void engine_place(
    struct engine *e, struct transaction *t, const struct target *mx);
/* On to its next alternative, if it has one left. */
bool engine_next(struct engine *e, struct transaction *t);

/* One recipient's outcome, to the spooler and the counters. */
void engine_outcome(struct engine *e, const struct engine_outcome *o);
int64_t engine_wall_at(const struct engine *e, uint64_t at);

#endif

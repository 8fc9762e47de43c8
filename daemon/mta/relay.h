/*
 * relay - mail grouped by where it goes: a target, its addresses, its queue
 *
 * Recipients of one message for one target join one transaction while that
 * waits. What is due to be done for a relay is done from the loop's tail, so
 * that what comes in one turn is grouped first. A relay without work keeps
 * what the DNS said for a minute. The structs are open to dispatch alone.
 */
#ifndef DAEMON_MTA_RELAY_H
#define DAEMON_MTA_RELAY_H

#include <sys/queue.h>
#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/edge/carry.h"
#include "daemon/edge/name.h"
#include "daemon/mta/host.h"
#include "daemon/mta/route.h"
#include "daemon/mta/transaction.h"

#define RELAY_ADDRESSES 32 /* of one relay: the best ones */

struct event;
struct event_base;
struct relays;

struct relay {
	struct relays *all;
	struct route_target target;
	uint64_t key;
	TAILQ_HEAD(transaction_line, transaction) queue;
	unsigned queued;
	unsigned opening; /* connections being set up for it */
	unsigned bound; /* connections that serve it, those included */
	bool asking; /* the dns role; what was known goes on */
	bool resolved; /* then n > 0 */
	bool dirty, starving, resting; /* which list of all it is on */
	uint64_t resolved_at; /* ms */
	struct relay_address {
		struct host *host;
		uint16_t preference;
		uint16_t number; /* of the host; its addresses share it */
	} * addresses;
	size_t n;
	struct host *waits_for; /* NULL: not waiting for a connection */
	TAILQ_ENTRY(relay) waiting; /* of waits_for->waiters */
	TAILQ_ENTRY(relay) entry; /* of all->dirty, starving or resting */
};

struct relays_ops {
	/* Asks the dns role; the answer goes to relay_resolved(), once. False:
	 * too many questions are open. */
	bool (*ask)(
	    void *arg, struct relay *r, enum name_kind kind, const char *name);
	void (*outcome)(void *arg, const struct transaction *t, unsigned i,
	    enum carry_result result, const char *status, const char *remote);
	void (*want)(
	    void *arg, uint32_t stream, uint64_t msgid, uint64_t offset);
	/* Finds connections for the mail of a relay; see relay_mark(). */
	void (*dispatch)(void *arg, struct relay *r);
};

TAILQ_HEAD(relay_list, relay);

struct relays {
	struct hosts *hosts;
	const struct relays_ops *ops;
	void *arg;
	const struct sockaddr_storage *own; /* what we listen on; lent */
	size_t nown;
	struct hmap *by_key; /* relay */
	struct hmap *growing; /* transaction that takes more recipients */
	struct relay_list dirty;
	struct relay_list starving; /* no connection was free in all */
	struct relay_list resting; /* without work, the oldest first */
	size_t nresting;
	uint64_t waiting; /* transactions queued */
	struct event *tail, *reaper;
};

struct relays *relays_new(struct event_base *base, struct hosts *hosts,
    const struct relays_ops *ops, void *arg);

struct relays_rcpt { /* one recipient to be carried */
	uint64_t msgid, size;
	const char *sender;
	uint64_t evpid;
	const char *address;
	int64_t arrived;
};
void relays_add(struct relays *rs, const struct route_target *target,
    const struct relays_rcpt *rcpt);

/* hosts only with NAME_FOUND. */
void relay_resolved(struct relay *r, enum name_status status, const char *text,
    const struct name_host *hosts, unsigned n);

/* Asks for dispatch(), once, in the loop's tail. */
void relay_mark(struct relay *r);
/* Takes the first transaction off the queue; NULL: there is none. */
struct transaction *relay_take(struct relay *r);
/* Puts one back in front: it was not tried. */
void relay_put_back(struct relay *r, struct transaction *t);
/* All that waits gets the same outcome. */
void relay_settle(struct relay *r, enum carry_result result, const char *status,
    const char *remote);
/* In the line for a connection to h; NULL: in none. */
void relay_wait(struct relay *r, struct host *h);
void relay_starve(struct relay *r);
/* It may have nothing left to do. */
void relay_rest(struct relay *r);

#endif

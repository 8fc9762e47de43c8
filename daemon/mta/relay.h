/*
 * relay - mail that goes to the same hosts in the same manner; pure
 *
 * One per manner and MX set (or host of `relay via`): domains whose MX are the
 * same share it, and its sessions. A connector is one of our sources as the
 * relay uses it. A destination is a target under a manner; while its name is
 * asked for, its mail waits there, and afterwards at its relay. Recipients of
 * one message join one transaction while that waits.
 */
#ifndef DAEMON_MTA_RELAY_H
#define DAEMON_MTA_RELAY_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/edge/name.h"
#include "daemon/mta/host.h"
#include "daemon/mta/manner.h"
#include "daemon/mta/pace.h"
#include "daemon/mta/route.h"
#include "daemon/mta/target.h"
#include "daemon/mta/timer.h"
#include "daemon/mta/transaction.h"

#define RELAY_ADDRESSES 64 /* of one relay: the best ones */
#define RELAY_KEPT_MS 600000u /* without mail */
#define RELAY_BAD_SOURCE_MS 600000u

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
	struct relay_queue queue;
	unsigned queued; /* transactions */
	unsigned opening; /* connections being set up for it */
	unsigned bound; /* connections that serve it, those included */
	struct relay_address *addresses; /* by preference */
	size_t n;
	struct connector *connectors;
	size_t nconnectors;
	uint64_t turn; /* connections made so far */
	uint64_t connect_at; /* ms; of the last one */
	bool proven; /* a session was set up; the last attempt did not fail */
	bool attempted; /* an attempt failed since its mail was settled */
	struct pace pace; /* what its mail waits for */
	const struct steering *steering; /* a pause, or NULL */
	bool dirty, resting; /* which list of the engine it is on */
	struct waiting *waits; /* the line it stands in, or NULL */
	struct waiting *woken; /* the line it came from */
	TAILQ_ENTRY(relay) waiting;
	TAILQ_ENTRY(relay) entry; /* of dirty or resting */
	TAILQ_ENTRY(relay) all;
};

struct destination {
	uint64_t key;
	uint32_t id; /* of the question at the dns */
	struct manner *manner;
	struct target target;
	struct domain *domain;
	struct relay *relay; /* NULL: not resolved */
	bool asking;
	uint64_t resolved_at; /* ms */
	enum name_status status; /* of the last answer; FOUND: with relay */
	char *text; /* why there is no relay */
	uint64_t used_at; /* ms */
	struct relay_queue waiting; /* transactions, while it asks */
	unsigned queued;
	TAILQ_ENTRY(destination) entry; /* of its relay */
	TAILQ_ENTRY(destination) all;
};

struct destination *destination_get(
    struct engine *e, struct manner *m, const struct target *t);
/* NULL: it is not known. */
struct destination *destination_find(
    const struct engine *e, const struct manner *m, const struct target *t);
void destination_ask(struct engine *e, struct destination *d);
/* hosts only with NAME_FOUND. */
void destination_resolved(struct engine *e, struct destination *d,
    enum name_status status, const char *text, const struct name_host *hosts, unsigned n);
void destination_free(struct engine *e, struct destination *d);

/* For people: the domain of one destination, the host of via, or "a (+3)". */
const char *relay_name(const struct relay *r, char dst[TARGET_KEY_MAX]);

void relay_mark(struct engine *e, struct relay *r);
void relay_wait(struct relay *r, struct waiting *w); /* NULL: in no line */
void relay_put(struct engine *e, struct relay *r, struct transaction *t);
void relay_put_back(struct engine *e, struct relay *r, struct transaction *t);
struct transaction *relay_take(struct engine *e, struct relay *r);
void relay_wake(struct engine *e, struct waiting *w); /* the first in line */
void relay_rest(struct engine *e, struct relay *r); /* it may be idle */
void relay_free(struct engine *e, struct relay *r);
void relay_on_timer(struct engine *e, struct relay *r);

#endif

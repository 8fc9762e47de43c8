/*
 * domain - a name that mail goes to, whatever action sends it; pure
 *
 * The connections for it, and what became of its mail last, which is kept for
 * DOMAIN_KEPT_MS. For `relay via` the name is the host's.
 */
#ifndef DAEMON_MTA_DOMAIN_H
#define DAEMON_MTA_DOMAIN_H

#include <stdint.h>

#include "daemon/conf/conf.h"
#include "daemon/mta/target.h"
#include "daemon/mta/timer.h"
#include "daemon/mta/waiting.h"

#define DOMAIN_KEPT_MS (4u * 3600 * 1000)
#define DOMAIN_MAX 20000 /* of those kept for show, about */
#define DOMAIN_STATUS_MAX 128

struct engine;

struct domain {
	struct timer timer; /* to be forgotten */
	uint64_t key;
	unsigned refs;
	char name[TARGET_KEY_MAX];
	unsigned connections;
	uint64_t used_at; /* ms */
	int64_t last; /* wall clock of the last outcome; 0: none */
	char status[DOMAIN_STATUS_MAX]; /* its reply */
	uint64_t delivered, deferred, failed; /* recipients */
	struct waiting waiting;
	unsigned configured; /* of the engine, when these were looked up */
	uint32_t limits[CONF_LIMITS];
};

/* Takes a reference. */
struct domain *domain_get(struct engine *e, const char *name);
void domain_release(struct engine *e, struct domain *d);
void domain_outcome(struct engine *e, struct domain *d, const char *status);
uint32_t domain_limit(
    const struct engine *e, struct domain *d, enum conf_limit_key key);
void domain_on_timer(struct engine *e, struct domain *d);

#endif

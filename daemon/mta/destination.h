/*
 * destination - a target under a manner, and what the DNS says of it; pure
 *
 * While its name is asked for, its mail waits here, and afterwards at its
 * relay. An answer holds for DESTINATION_FRESH_MS; then the next mail has it
 * asked for again, and what was known goes on.
 */
#ifndef DAEMON_MTA_DESTINATION_H
#define DAEMON_MTA_DESTINATION_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "daemon/edge/name.h"
#include "daemon/mta/relay.h"

#define DESTINATION_FRESH_MS 60000u /* unbound's cache is behind it */
#define DESTINATION_MAX 10000 /* of those without mail */

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

/* Finds or makes it. */
struct destination *destination_get(
    struct engine *e, struct manner *m, const struct target *t);
/* NULL: it is not known. */
struct destination *destination_find(
    const struct engine *e, const struct manner *m, const struct target *t);
void destination_ask(struct engine *e, struct destination *d);
/* hosts only with NAME_FOUND. */
void destination_resolved(struct engine *e, struct destination *d,
    enum name_status status, const char *text, const struct name_host *hosts,
    unsigned n);
void destination_free(struct engine *e, struct destination *d);

#endif

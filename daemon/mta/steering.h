/*
 * steering - what an operator has paused, and until when; pure
 *
 * Kept by name, for it also holds for what comes up later. What is paused
 * points at its steering; one that is over holds no more.
 */
#ifndef DAEMON_MTA_STEERING_H
#define DAEMON_MTA_STEERING_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "daemon/edge/carry.h"

struct steering {
	TAILQ_ENTRY(steering) entry;
	enum carry_part part;
	char *name; /* as printed: of a route its name, not its id */
	int64_t until; /* wall clock; 0: until it is resumed */
	uint32_t uid; /* who did it */
	char *reason;
};

TAILQ_HEAD(steerings, steering);

/* Replaces one of that name. */
struct steering *steering_put(struct steerings *all, enum carry_part part,
    const char *name, int64_t until, uint32_t uid, const char *reason);
/* NULL: there is none. */
struct steering *steering_find(
    const struct steerings *all, enum carry_part part, const char *name);
void steering_drop(struct steerings *all, struct steering *s);
/* NULL is accepted; its time may be over. */
bool steering_holds(const struct steering *s, int64_t wall);

#endif

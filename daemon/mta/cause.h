/*
 * cause - why mail of a destination would not go at once, or how it would
 *
 * One word that programs can go by, a sentence, and the time when that ends.
 */
#ifndef DAEMON_MTA_CAUSE_H
#define DAEMON_MTA_CAUSE_H

#include <stdint.h>

#include "daemon/mta/pace.h"

struct destination;
struct domain;
struct engine;

struct cause {
	const char *word; /* "ready", "route-penalty", "null-mx", ... */
	char text[PACE_TEXT_MAX + 256];
	int64_t until; /* wall clock; 0: not known, or no matter of time */
};

/* last: of the recipient's domain, whose last outcome counts; or NULL. */
void cause_find(struct engine *e, struct destination *d,
    const struct domain *last, struct cause *c);

#endif

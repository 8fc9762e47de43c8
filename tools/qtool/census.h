/*
 * census - which key seals what
 *
 * Reads heads of messages and sealed texts, needs no key. A message in the
 * middle of a rotation has two keys and counts for both.
 */
#ifndef TOOLS_QTOOL_CENSUS_H
#define TOOLS_QTOOL_CENSUS_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/keyring.h"
#include "queue/layout.h"

#define CENSUS_KIDS 256u
#define CENSUS_FILE 96

struct census_kid {
	char kid[KEYRING_KID + 1];
	uint64_t messages, envelopes; /* in the queue */
	uint64_t elsewhere; /* corrupt/, trash/, state/ */
	int64_t oldest; /* arrival of its oldest message; 0: none */
	char example[CENSUS_FILE]; /* a message, or another file, of it */
};

struct census {
	struct census_kid kids[CENSUS_KIDS];
	unsigned n;
	uint64_t plain; /* files that are not sealed */
	uint64_t unreadable;
};

/* bar is called with the number of files since the last call; may be NULL. */
void census_take(struct census *c, const struct layout *l, unsigned jobs,
    void (*bar)(void *ctx, uint64_t files), void *ctx);
const struct census_kid *census_find(const struct census *c, const char *kid);
uint64_t census_objects(const struct census_kid *k); /* NULL: 0 */

#endif

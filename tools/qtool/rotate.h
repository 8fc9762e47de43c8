/*
 * rotate - everything sealed gets another key
 *
 * Messages by their slots, where they stand; texts are sealed anew beside and
 * take the place of the old. Killed at any moment everything opens with the
 * ring that has both keys, and the next run takes it up.
 */
#ifndef TOOLS_QTOOL_ROTATE_H
#define TOOLS_QTOOL_ROTATE_H

#include <stdint.h>

#include "queue/keyring.h"
#include "queue/layout.h"

struct progress;

struct rotation {
	const struct layout *layout; /* with the lock, the journal empty */
	struct keyring *keys; /* old and new */
	const struct key *to;
	unsigned jobs;
	struct progress *bar; /* may be NULL */
	/* A file that could not be done; in any thread, one at a time. */
	void (*trouble)(void *ctx, const char *file, const char *why);
	void *ctx;
};

struct rotated {
	uint64_t messages, texts; /* given the new key */
	uint64_t already; /* had it, or are not sealed */
	uint64_t locked, damaged, failed;
};

void rotate(const struct rotation *r, struct rotated *done);

#endif

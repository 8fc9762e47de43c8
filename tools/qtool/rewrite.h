/*
 * rewrite - files of the queue in another stored form
 *
 * Each is read and verified, written anew beside, flushed, read back and
 * compared with the old one, and put in its place: killed at any moment the
 * spool is whole, and what is done already is not done again.
 */
#ifndef TOOLS_QTOOL_REWRITE_H
#define TOOLS_QTOOL_REWRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/keyring.h"
#include "queue/layout.h"

struct progress;

struct rewriting {
	const struct layout *layout; /* with the lock, the journal empty */
	struct keyring *keys; /* NULL: none */
	bool set_comp, set_enc; /* what is to change; the other stays */
	int level; /* of zstd; 0: none */
	const struct key *key; /* NULL: in the clear */
	bool (*wanted)(void *ctx, uint64_t msgid); /* NULL: all */
	unsigned jobs;
	uint64_t rate; /* files a second; 0: as fast as it goes */
	struct progress *bar;
	/* A file that could not be done; in any thread, one at a time. */
	void (*trouble)(void *ctx, const char *file, const char *why);
	void *ctx;
};

struct rewritten {
	uint64_t messages, texts; /* rewritten */
	uint64_t already; /* had the form */
	uint64_t locked, damaged, failed;
	uint64_t before, after; /* octets of what was rewritten */
};

void rewrite(const struct rewriting *r, struct rewritten *done);

#endif

/*
 * survey - looks at every file of a spool and says what is wrong
 *
 * Reads only. Buckets go to several threads, each reads a bucket's files in
 * the order of their inodes and each file once; what they find is joined and
 * sorted, so a survey of a spool at rest gives the same list every time.
 */
#ifndef TOOLS_QTOOL_SURVEY_H
#define TOOLS_QTOOL_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/keyring.h"
#include "queue/layout.h"
#include "tools/qtool/inspect.h"
#include "tools/qtool/problem.h"

enum survey_level {
	SURVEY_NAMES, /* names, places, modes: opens nothing */
	SURVEY_PARSE, /* heads and envelopes */
	SURVEY_DEEP /* every octet */
};

struct survey_stats {
	uint64_t files, messages, envelopes;
	uint64_t octets; /* read */
	uint64_t covered; /* what the journal makes good */
	unsigned buckets; /* done */
};

struct survey_options {
	const struct layout *layout;
	struct inspect_known known;
	struct keyring *keys; /* NULL: none */
	enum survey_level level;
	unsigned jobs; /* 0: one a processor */
	int64_t since; /* opens only what changed since; 0: all */
	/* The journal has the truth about this envelope or, with recipient
	 * number 0, this message; it has something to say about any of the
	 * message's. Any thread. */
	bool (*covers)(void *ctx, uint64_t evpid);
	bool (*mentions)(void *ctx, uint64_t msgid);
	/* NULL: everything, and what is no message's too. Any thread. */
	bool (*wanted)(void *ctx, uint64_t msgid);
	/* A few times a second, in the caller's thread; may be NULL. */
	void (*progress)(void *ctx, const struct survey_stats *s);
	void *ctx, *progress_ctx;
};

void survey(
    const struct survey_options *o, struct problems *p, struct survey_stats *s);

#endif

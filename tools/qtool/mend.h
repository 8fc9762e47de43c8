/*
 * mend - what to do about problems
 *
 * Pure: a list of problems becomes a list of acts, at most two a file (its mode
 * first). Nothing is ever deleted: what cannot be made whole is set aside with
 * the reason.
 */
#ifndef TOOLS_QTOOL_MEND_H
#define TOOLS_QTOOL_MEND_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/qtool/problem.h"

enum mend_act {
	MEND_MODE, /* mode, owner, links */
	MEND_MOVE, /* to its own bucket */
	MEND_CLOCK, /* its times are clamped */
	MEND_REBUILD, /* from the message's record; else set aside */
	MEND_ADOPT, /* its envelopes come back, held */
	MEND_ASIDE,
	MEND_LEAVE, /* a person must act */
	MEND_ACTS
};

struct mend {
	enum mend_act act;
	const struct problem *why; /* of the list planned for */
};

struct mend_rules {
	bool fix[PROBLEM_CLASSES];
	bool adopt;
};

const char *mend_name(enum mend_act act);

/* p is sorted. The caller frees *plan. */
size_t mend_plan(
    const struct problems *p, const struct mend_rules *r, struct mend **plan);

#endif

#include "tools/qtool/mend.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "tools/qtool/inspect.h"

static const char *const names[MEND_ACTS] = {
	[MEND_MODE] = "set mode",
	[MEND_MOVE] = "move",
	[MEND_CLOCK] = "set clock",
	[MEND_REBUILD] = "rebuild",
	[MEND_ADOPT] = "adopt",
	[MEND_ASIDE] = "set aside",
	[MEND_LEAVE] = "leave",
};

const char *
mend_name(enum mend_act act)
{
	return names[act];
}

static bool
is_envelope(const char *file)
{
	const char *base = strrchr(file, '/');
	uint64_t id;

	return strncmp(file, "queue/", 6) == 0 && base != NULL &&
	    inspect_name(base + 1, &id) == INSPECT_ENVELOPE;
}

static bool
in_queue(const char *file)
{
	return strncmp(file, "queue/", 6) == 0 && strlen(file) > 9;
}

static enum mend_act
act_for(const struct problem *p, const struct mend_rules *r)
{
	switch (p->class) {
	case PROBLEM_ZERO_LENGTH:
	case PROBLEM_TRUNCATED:
	case PROBLEM_BAD_TAG:
	case PROBLEM_BAD_FIELD:
		if (!in_queue(p->file))
			return MEND_LEAVE;
		return is_envelope(p->file) ? MEND_REBUILD : MEND_ASIDE;
	case PROBLEM_DUPLICATE_ID:
		/* In another's bucket it is the odd one; in its own it may be
		 * one that a copy was laid over. */
		return strncmp(p->reason, "there is", 8) != 0 &&
			is_envelope(p->file)
		    ? MEND_REBUILD
		    : MEND_ASIDE;
	case PROBLEM_ORPHAN_MESSAGE:
		return r->adopt ? MEND_ADOPT : MEND_ASIDE;
	case PROBLEM_ORPHAN_ENVELOPE:
	case PROBLEM_STALE_TEMP:
		return MEND_ASIDE;
	case PROBLEM_FOREIGN_FILE:
		/* What should be a directory or VERSION of ours and is not. */
		return strchr(p->reason, ',') != NULL && !in_queue(p->file)
		    ? MEND_LEAVE
		    : MEND_ASIDE;
	case PROBLEM_WRONG_BUCKET:
		return MEND_MOVE;
	case PROBLEM_PERMISSIONS:
		return MEND_MODE;
	case PROBLEM_CLOCK:
		return MEND_CLOCK;
	case PROBLEM_WRONG_KEY:
	case PROBLEM_UNKNOWN_ACTION:
	case PROBLEM_CLASSES:
		break;
	}
	return MEND_LEAVE;
}

size_t
mend_plan(
    const struct problems *p, const struct mend_rules *r, struct mend **plan)
{
	/* The strongest cure but the mode's; what is left alone is last. */
	static const unsigned strength[MEND_ACTS] = {
		[MEND_LEAVE] = 1,
		[MEND_CLOCK] = 2,
		[MEND_MOVE] = 3,
		[MEND_ADOPT] = 4,
		[MEND_REBUILD] = 5,
		[MEND_ASIDE] = 6,
	};
	struct mend *to = mem_zarray(p->n * 2 + 1, sizeof(*to));
	size_t i, n = 0, mode, cure;
	enum mend_act act;

	for (i = 0; i < p->n;) {
		const char *file = p->at[i].file;

		mode = cure = SIZE_MAX;
		for (; i < p->n && strcmp(p->at[i].file, file) == 0; i++) {
			if (!r->fix[p->at[i].class])
				continue;
			act = act_for(&p->at[i], r);
			if (act == MEND_MODE) {
				if (mode == SIZE_MAX)
					mode = i;
			} else if (cure == SIZE_MAX ||
			    strength[act] > strength[act_for(&p->at[cure], r)])
				cure = i;
		}
		if (mode != SIZE_MAX)
			to[n++] = (struct mend){ MEND_MODE, &p->at[mode] };
		if (cure != SIZE_MAX)
			to[n++] = (struct mend){ act_for(&p->at[cure], r),
				&p->at[cure] };
	}
	*plan = to;
	return n;
}

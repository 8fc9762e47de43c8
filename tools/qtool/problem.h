/*
 * problem - what can be wrong with a spool, and a list of what is
 *
 * Fourteen classes with fixed codes (qtool.8). A list belongs to one thread;
 * each worker fills its own, and they are joined and sorted at the end, so that
 * the same spool always gives the same list.
 */
#ifndef TOOLS_QTOOL_PROBLEM_H
#define TOOLS_QTOOL_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/keyring.h"

enum problem_class {
	PROBLEM_ZERO_LENGTH,
	PROBLEM_TRUNCATED,
	PROBLEM_BAD_TAG, /* what was stored is not what is there */
	PROBLEM_WRONG_KEY, /* not the same as corrupt */
	PROBLEM_ORPHAN_MESSAGE,
	PROBLEM_ORPHAN_ENVELOPE,
	PROBLEM_WRONG_BUCKET,
	PROBLEM_STALE_TEMP,
	PROBLEM_DUPLICATE_ID,
	PROBLEM_BAD_FIELD,
	PROBLEM_FOREIGN_FILE,
	PROBLEM_PERMISSIONS,
	PROBLEM_UNKNOWN_ACTION,
	PROBLEM_CLOCK,
	PROBLEM_CLASSES
};

struct problem {
	enum problem_class class;
	char *file; /* relative to the spool */
	char *reason;
	char kid[KEYRING_KID + 1]; /* of PROBLEM_WRONG_KEY; "" elsewhere */
};

struct problems {
	struct problem *at;
	size_t n, room;
};

const char *problem_code(enum problem_class c); /* "Q01" */
const char *problem_name(enum problem_class c); /* "zero length" */
/* "Q01", "q1" or "zero-length". */
bool problem_class_parse(const char *word, enum problem_class *c);

void problems_add(struct problems *p, enum problem_class c, const char *file,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* PROBLEM_WRONG_KEY: the ring lacks it; it has it, but with another secret. */
void problems_add_kid(struct problems *p, const char *file, const char *kid);
void problems_add_wrong(struct problems *p, const char *file, const char *kid);
/* Moves all of from behind those of p. */
void problems_join(struct problems *p, struct problems *from);
void problems_drop(struct problems *p, size_t i); /* frees; order changes */
void problems_sort(struct problems *p); /* by file, class and reason */
void problems_clear(struct problems *p);

#endif

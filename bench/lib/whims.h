/*
 * whims - which recipients a receiver refuses, and how
 *
 * Rules by pattern, greylisting, and dice; all of them off to begin with.
 */
#ifndef BENCH_LIB_WHIMS_H
#define BENCH_LIB_WHIMS_H

#include <stdbool.h>

#include "bench/lib/grey.h"

#define WHIMS_RULES 16

struct whims { /* begins zeroed */
	struct whims_rule { /* GLOB=CODE */
		const char *pattern, *code;
	} rules[WHIMS_RULES];
	unsigned nrules;
	unsigned reject, tempfail; /* percent */
	struct grey *grey; /* NULL: no greylisting */
};

/* Ends the program when arg is not GLOB=CODE. */
void whims_rule(struct whims *w, const char *arg);
/* The code of the reply a recipient gets; NULL: it is taken. */
const char *whims_refusal(
    struct whims *w, const char *sender, const char *recipient);
/* True so many times in a hundred. */
bool whims_chance(unsigned percent);

#endif

/*
 * dryrun - where mail for an address would go, for people
 *
 * The rules and aliases are gone through as for a recipient of mail of our
 * own; nothing is changed and nothing is asked of anybody.
 */
#ifndef DAEMON_LOOKUP_DRYRUN_H
#define DAEMON_LOOKUP_DRYRUN_H

#include "daemon/lookup/expand.h"
#include "daemon/proc/answer.h"

/* Answers QUERY_EXPLAIN_RULE. */
void dryrun_answer(const struct expand_world *w, struct answer *a,
    const struct query_ask *q, struct unpack *args);

#endif

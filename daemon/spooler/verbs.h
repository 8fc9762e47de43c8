/*
 * verbs - hold, release, schedule and remove, for one envelope or for all
 *
 * A verb is one `bulk` record in the journal: flushed, then answered. What it
 * means for each envelope is in the index at once; new images (or dones) are
 * written behind it, a few at a time, each saying what the index says by then,
 * so that a later verb is never undone by an earlier one. After a crash the
 * journal brings back the verbs that were not written out.
 */
#ifndef DAEMON_SPOOLER_VERBS_H
#define DAEMON_SPOOLER_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/proc/peer.h"
#include "daemon/spooler/index.h"

struct spooler;

struct verbs *verbs_new(struct spooler *s);
/* PLAN_VERB from the scheduler. */
int verbs_on_verb(void *arg, struct message *m);

/* While loading: a verb of the journal that was not finished; then each
 * envelope that is loaded, for the verbs that cover it. verbs_loaded() when
 * the walk is over. */
void verbs_resume(struct spooler *s, uint64_t bulk, const char *verb, bool all,
    const uint64_t *evpids, size_t n);
void verbs_apply(struct spooler *s, struct entry *en);
void verbs_loaded(struct spooler *s);

#endif

/*
 * known - tells the scheduler of envelopes, in batches
 */
#ifndef DAEMON_SPOOLER_KNOWN_H
#define DAEMON_SPOOLER_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/edge/plan.h"
#include "daemon/spooler/index.h"

struct spooler;

struct known *known_new(struct spooler *s);

/* The scheduler shall try this envelope (or hold it); sent with others at the
 * next flush, or when enough are together. Failed ones are not sent. */
void known_add(struct spooler *s, struct entry *en);
void known_flush(struct spooler *s);

/* The end of an attempt. */
void known_settled(
    struct spooler *s, uint64_t evpid, enum plan_result result, int64_t due);
void known_outcome(struct spooler *s, const struct plan_settled *m);

/* Which carrier an envelope goes to, by its action in force; for an action
 * that is not there, by what the envelope says it is. */
enum plan_kind known_kind(const struct spooler *s, const struct entry *en);

#endif

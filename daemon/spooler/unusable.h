/*
 * unusable - which envelopes cannot be used now, for the alarm
 *
 * They are noted when that is found, and forgotten when somebody asks and they
 * are well again or gone.
 */
#ifndef DAEMON_SPOOLER_UNUSABLE_H
#define DAEMON_SPOOLER_UNUSABLE_H

#include <stddef.h>

#include "daemon/spooler/index.h"

struct unusable;

struct unusable *unusable_new(void);
/* en is broken, or has an excuse for an error. */
void unusable_note(struct unusable *u, const struct entry *en);
size_t unusable_count(struct unusable *u, const struct index *ix);

#endif

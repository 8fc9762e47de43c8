/*
 * sealing - the ring the parent handed over, and how the spool is stored
 *
 * The keys stay in this process. At a reload a ring that cannot be used leaves
 * the old one in force, and is an alarm until a good one comes.
 */
#ifndef DAEMON_SPOOLER_SEALING_H
#define DAEMON_SPOOLER_SEALING_H

#include <stddef.h>

#include "lib/base/buf.h"
#include "queue/keyring.h"
#include "queue/queue.h"

struct spooler;

/* At the start, before the spool is opened: NULL when there are no keys. Ends
 * the role with EXIT_CONFIG, after a line in the log, when they are no good. */
struct keyring *sealing_start(struct spooler *s);
/* At a reload, when s->conf is the new configuration. */
void sealing_reload(struct spooler *s);
/* Fields of show status. */
void sealing_status(
    const struct spooler *s, const struct queue_stats *st, struct buf *row);

#endif

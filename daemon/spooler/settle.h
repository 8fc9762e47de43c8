/*
 * settle - what became of an attempt: gone, due again, or failed
 *
 * The outcome is written to the journal in the turn it arrives; then the
 * scheduler is told.
 */
#ifndef DAEMON_SPOOLER_SETTLE_H
#define DAEMON_SPOOLER_SETTLE_H

#include "daemon/proc/peer.h"

/* CARRY_OUTCOME; one table for each carrier. */
int settle_on_outcome_mta(void *arg, struct message *m);
int settle_on_outcome_mda(void *arg, struct message *m);

#endif

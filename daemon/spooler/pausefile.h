/*
 * pausefile - keeps the mta's pauses of routes, sources and relays
 *
 * They are written by the queue's workers to state/mta-pauses, whole, one write
 * at a time; what comes meanwhile goes with the next. An answer is given when
 * the write that has the change is durable.
 */
#ifndef DAEMON_SPOOLER_PAUSEFILE_H
#define DAEMON_SPOOLER_PAUSEFILE_H

#include "daemon/proc/peer.h"

struct spooler;
struct pausefile;

/* Reads the file and tells the mta what is in force; before any mail is. */
struct pausefile *pausefile_new(struct spooler *s);
/* CARRY_STEER from the mta. */
int pausefile_on_steer(void *arg, struct message *m);

#endif

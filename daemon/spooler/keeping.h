/*
 * keeping - keeps the mta's pauses of routes, sources and relays
 *
 * They are written by the queue's workers to state/mta-pauses, whole, one write
 * at a time; what comes meanwhile goes with the next. An answer is given when
 * the write that has the change is durable.
 */
#ifndef DAEMON_SPOOLER_KEEPING_H
#define DAEMON_SPOOLER_KEEPING_H

#include "daemon/proc/peer.h"

struct spooler;
struct keeping;

/* Reads the file and tells the mta what is in force; before any mail is. */
struct keeping *keeping_new(struct spooler *s);
/* CARRY_STEER from the mta. */
int keeping_on_steer(void *arg, struct message *m);

#endif

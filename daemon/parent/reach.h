/*
 * reach - connects to the unix sockets of the configuration for the mta
 *
 * Answers DIAL_OPEN (daemon/edge/dial.h). It never waits: a socket whose owner
 * has too many in line is busy, and that mail comes again.
 */
#ifndef DAEMON_PARENT_REACH_H
#define DAEMON_PARENT_REACH_H

#include "daemon/conf/conf.h"
#include "daemon/proc/peer.h"

/* A path that no relay names is EACCES to the mta. */
int reach_on_dial(const struct conf *c, struct peer *mta, struct message *m);

#endif

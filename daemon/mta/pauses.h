/*
 * pauses - operators pause routes, sources and relays, and resume them
 *
 * A name is held against what the engine knows; the spooler writes the pause
 * down; then it is in force, and the answer is ended. What the spooler cannot
 * keep holds until a restart, and that is said.
 */
#ifndef DAEMON_MTA_PAUSES_H
#define DAEMON_MTA_PAUSES_H

#include "daemon/mta/show.h"
#include "daemon/proc/peer.h"

struct pauses;

/* Registers its answers; env is lent for good. */
struct pauses *pauses_start(const struct show_env *env);
/* From the spooler. -1 for what cannot be decoded. */
int pauses_on_steer(struct pauses *p, struct message *m);
int pauses_on_steered(struct pauses *p, struct message *m);

#endif

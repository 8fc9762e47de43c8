/*
 * release - gives what is due to its carrier, and the bodies they ask for
 *
 * The envelopes of one message in one PLAN_DUE travel as one task. While they
 * are out, their texts are kept here, so that an outcome needs no reading.
 */
#ifndef DAEMON_SPOOLER_RELEASE_H
#define DAEMON_SPOOLER_RELEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conf/role.h"
#include "daemon/proc/peer.h"

struct spooler;

/* An envelope that is with a carrier. */
struct flight {
	uint64_t evpid;
	enum role carrier;
	bool out; /* sent: until then the carrier has no say in it */
	size_t len;
	char text[]; /* as it was given out */
};

struct release *release_new(struct spooler *s);
/* PLAN_DUE from the scheduler. */
int release_on_due(void *arg, struct message *m);
/* CARRY_WANT: the role's struct is the argument, one table for each carrier. */
int release_on_want_mta(void *arg, struct message *m);
int release_on_want_mda(void *arg, struct message *m);

/* Takes an envelope back from its carrier: the caller frees it with free().
 * NULL when it is not out, or with another carrier. */
struct flight *release_land(struct spooler *s, uint64_t evpid, enum role from);

/* Whether a carrier was told that the message is gone. */
bool release_lost(struct spooler *s, uint64_t msgid);
/* When the last of its envelopes has landed. */
void release_forget(struct spooler *s, uint64_t msgid);

#endif

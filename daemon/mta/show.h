/*
 * show - the engine's state as rows: routes, hosts, relays, sessions, limits
 *
 * A listing is walked in slices. What it goes by are ids and keys and never
 * pointers, so whatever goes meanwhile is left out, and nothing else.
 */
#ifndef DAEMON_MTA_SHOW_H
#define DAEMON_MTA_SHOW_H

#include "daemon/proc/answer.h"

struct engine;

struct show_env { /* lent for good; of explain and pauses too */
	struct proc *proc;
	struct engine *engine;
	void (*clock)(void *arg); /* tells the engine the time */
	void (*wake)(void *arg); /* it has something to do */
	void *arg;
};

/* Registers its answers. */
void show_start(const struct show_env *env);

#endif

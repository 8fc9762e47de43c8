/*
 * porter - what the engine wants done: sessions, bodies, log lines
 *
 * Each link of the engine is a conn here. The engine's events become one log
 * line each, so that its state can be made again from the log.
 */
#ifndef DAEMON_MTA_PORTER_H
#define DAEMON_MTA_PORTER_H

#include <stdint.h>

#include "daemon/edge/carry.h"
#include "daemon/mta/engine.h"

struct dialer;
struct event_base;
struct porter;

struct porter_ops {
	/* Before and after the engine is told something. */
	void (*clock)(void *arg);
	void (*wake)(void *arg);
	void (*want)(
	    void *arg, uint32_t stream, uint64_t msgid, uint64_t offset);
};

struct porter *porter_new(struct event_base *base, struct dialer *dialer,
    uint32_t deadline_ms, const struct porter_ops *ops, void *arg);
void porter_attach(struct porter *p, struct engine *e);
void porter_configure(struct porter *p, const char *hostname); /* lent */
void porter_body(struct porter *p, const struct carry_body *piece);

/* Of struct engine_ops. */
void porter_open(struct porter *p, struct link *l);
void porter_carry(struct porter *p, struct link *l, struct transaction *t);
void porter_event(struct porter *p, enum engine_event what,
    const struct route *r, const struct link *l, const char *status);

/* What waits for the reply to a whole message goes on, all else is dropped
 * without outcomes; wake() is called when a session has ended. */
void porter_stop(struct porter *p);

#endif

/*
 * delivery - one message on its way into one agent
 *
 * Fetches the body piece by piece as the agent takes it, keeps the first
 * KiB of what the agent says, and joins that with its exit into an ending.
 * What it needs of the world it asks its owner for.
 */
#ifndef DAEMON_MDA_DELIVERY_H
#define DAEMON_MDA_DELIVERY_H

#include <stdint.h>

#include "daemon/edge/carry.h"
#include "daemon/mda/ending.h"

struct delivery;
struct event_base;

struct delivery_owner {
	/* The body from this offset on: one answer by delivery_body(). */
	void (*want)(void *ctx, uint64_t offset);
	void (*kill)(void *ctx); /* asked a second time: without mercy */
	/* The last call, once; the delivery is freed later, by the owner. */
	void (*ended)(void *ctx, const struct ending *e);
};

/* agent: "maildir". patience: ms until the agent is stopped; grace: ms it is
 * then given, twice. */
struct delivery *delivery_new(struct event_base *base, const char *agent,
    const struct delivery_owner *owner, void *ctx, unsigned patience,
    unsigned grace);
void delivery_free(struct delivery *d);

void delivery_started(struct delivery *d, int fd); /* takes fd */
void delivery_not_started(struct delivery *d, const char *error);
void delivery_body(struct delivery *d, const struct carry_body *piece);
void delivery_exited(struct delivery *d, int64_t status);

#endif

/*
 * peer - the other end of a conversation between two roles
 *
 * Typed messages in frames over a stream socket. What arrives is dispatched by
 * a static table, one per peer; a message that is not in it, or that its
 * decoder refuses, is a breach and ends the role. At most 64 messages are
 * handled a turn. Output is buffered without bound here: flow is governed by
 * credit in the conversations, and peer_queued() tells how much waits.
 */
#ifndef DAEMON_PROC_PEER_H
#define DAEMON_PROC_PEER_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/conf/role.h"
#include "lib/base/buf.h"
#include "lib/proto/pack.h"

struct event_base;
struct peer;

/* One message that came in: its fields, and the descriptor that came along
 * (-1: none). A handler that wants the descriptor takes it and sets -1. */
struct message {
	uint16_t type;
	struct unpack body;
	int fd;
};

struct handler {
	uint16_t type;
	const char *name; /* for trace and profile: "intake-open" */
	/* arg is the role's own struct. Returns -1 for what it cannot decode. */
	int (*fn)(void *arg, struct message *m);
};

/* Takes fd. on_close runs when the other end is gone (once); NULL: that is
 * fatal here, and the parent starts the whole set again. */
struct peer *peer_new(struct event_base *base, int fd, enum role who,
    const struct handler *handlers, size_t n, void *arg,
    void (*on_close)(void *arg));
void peer_free(struct peer *p);

/* Composing: put fields into the lent buffer, then send. Not nested. */
struct buf *peer_begin(struct peer *p);
void peer_send(struct peer *p, uint16_t type);
void peer_send_fd(struct peer *p, uint16_t type, int fd); /* takes fd */

size_t peer_queued(const struct peer *p); /* octets not yet written */
/* fn runs each time peer_queued() falls to low or below, after having been
 * above it. */
void peer_on_drain(struct peer *p, size_t low, void (*fn)(void *arg));
/* Stops and goes on reading, as pressure flows upstream. */
void peer_pause(struct peer *p);
void peer_resume(struct peer *p);
/* Writes what is queued, waiting at most ms; for a clean stop. */
void peer_flush(struct peer *p, int ms);

#endif

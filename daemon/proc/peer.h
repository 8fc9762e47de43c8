/*
 * peer - the other end of a conversation between two roles
 *
 * Typed messages in frames over a stream socket. What arrives is dispatched by
 * static tables; a message that is in none of them, or that its decoder
 * refuses, is a breach and ends the role. At most 64 messages are handled a
 * turn. Output is buffered without bound here: flow is governed by credit in
 * the conversations, and peer_queued() tells how much waits.
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
 * (-1: none). A handler that keeps the descriptor takes it and sets -1. */
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

/* Takes fd. on_close runs once, when the other end is gone: sends are then
 * dropped. NULL: that is left to the parent, which names the role in the log and
 * stops the whole set. */
struct peer *peer_new(struct event_base *base, int fd, enum role who,
    void (*on_close)(void *arg), void *arg);
void peer_free(struct peer *p);
/* For the parent, which outlives a role that breaks the rules: instead of
 * ending this process a breach closes the connection, and fn runs once. */
void peer_on_breach(struct peer *p, void (*fn)(void *arg), void *arg);

#define PEER_TABLES 4
/* Adds a table, which is lent for good; the first that knows a type wins. */
void peer_handlers(
    struct peer *p, const struct handler *handlers, size_t n, void *arg);

/* Composing: put fields into the lent buffer, then send. Not nested. */
struct buf *peer_begin(struct peer *p);
void peer_send(struct peer *p, uint16_t type);
void peer_send_fd(struct peer *p, uint16_t type, int fd); /* takes fd */

size_t peer_queued(const struct peer *p); /* octets not yet written */
/* fn runs each time peer_queued() falls to low or below, after having been
 * above it. */
void peer_on_drain(
    struct peer *p, size_t low, void (*fn)(void *arg), void *arg);
/* Stops and goes on reading, as pressure flows upstream. */
void peer_pause(struct peer *p);
void peer_resume(struct peer *p);
/* Writes what is queued, waiting at most ms; for a clean stop. */
void peer_flush(struct peer *p, int ms);
/* Handles all that has come in by now; for a clean stop, when the other end
 * has ended. */
void peer_finish(struct peer *p);

#endif

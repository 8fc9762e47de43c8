/*
 * caller - one tool on the control socket
 *
 * Reads its frames, tells control of its requests, and writes what control
 * puts. What waits to be written is bounded by control, which asks roles for
 * more only when told that a caller has drained. Whatever a tool sends that is
 * not the protocol ends that tool's connection, and nothing else.
 */
#ifndef DAEMON_CONTROL_CALLER_H
#define DAEMON_CONTROL_CALLER_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/proto/ctl.h"

struct caller;
struct event_base;

#define CALLER_LOW (64u * 1024) /* drained: at most this much waits */

struct caller_ops {
	/* args: r->n strings. The caller is busy until caller_end(). */
	void (*request)(void *arg, struct caller *c,
	    const struct ctl_request *r, struct unpack *args);
	void (*drained)(void *arg, struct caller *c);
	/* It has gone, once, and is freed after this. */
	void (*gone)(void *arg, struct caller *c);
};

/* Takes fd. host is lent for the call; arg is control, slot its number there.
 * NULL when there is no memory: fd is closed. */
struct caller *caller_new(struct event_base *base, int fd, uid_t uid,
    const char *host, const struct caller_ops *ops, void *arg, unsigned slot);

unsigned caller_slot(const struct caller *c);
uid_t caller_uid(const struct caller *c);
size_t caller_queued(const struct caller *c); /* octets not yet written */

void caller_row(struct caller *c, const uint8_t *record, size_t len);
void caller_line(struct caller *c, const struct ctl_line *line);
void caller_lost(struct caller *c, uint64_t lines);
void caller_end(struct caller *c, const struct ctl_end *end);
/* Writes what can be written without waiting, and hangs up. */
void caller_flush(struct caller *c);

/* Tells somebody who is not taken as a caller why, and hangs up. Takes fd. */
void caller_refuse(int fd, uint8_t status, const char *text);

#endif

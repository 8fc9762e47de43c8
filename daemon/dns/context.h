/*
 * context - makes a context of libunbound: servers, trust anchors, limits
 *
 * It needs no file, for the dns role has an empty root. Without a trust anchor
 * it validates nothing, and nothing is secure.
 */
#ifndef DAEMON_DNS_CONTEXT_H
#define DAEMON_DNS_CONTEXT_H

#include <sys/socket.h>

#include <stddef.h>

struct etc;
struct event_base;
struct ub_ctx;

#define CONTEXT_WHY 256

/* servers: those to ask; n 0: those of etc, or when it has none the root
 * servers. anchor: the text of a file of trust anchors, or NULL. Returns NULL
 * with why filled when unbound does not take something. */
struct ub_ctx *context_new(struct event_base *base, const struct etc *etc,
    const struct sockaddr_storage *servers, size_t n, const char *anchor,
    char why[CONTEXT_WHY]);

#endif

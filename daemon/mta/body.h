/*
 * body - a message on its way from the spooler to a host
 *
 * Asks for pieces, one by one and only as fast as the host takes them; keeps
 * the first, which comes before it is the body's turn; stuffs dots on the way
 * out, or makes each piece a chunk (RFC 3030).
 */
#ifndef DAEMON_MTA_BODY_H
#define DAEMON_MTA_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/edge/carry.h"
#include "daemon/mta/stuff.h"

struct evbuffer;

struct body {
	struct evbuffer *out; /* to the host; lent */
	struct evbuffer *held; /* the piece that came before its turn */
	struct evbuffer *chunk; /* being made */
	struct stuff stuff;
	uint64_t asked, got; /* octets, in whole pieces */
	uint64_t octets; /* got in all, of all messages */
	unsigned chunks; /* put */
	bool open; /* it is its turn */
	bool last; /* the body has come whole */
	bool ended; /* the dot, or the last chunk, has been put */
};

void body_init(struct body *b);
void body_free(struct body *b);

/* A new message, to be sent by out, as it is after DATA or in chunks. */
void body_start(struct body *b, struct evbuffer *out, bool chunks);
/* True when the piece at *offset is wanted now. */
bool body_wants(struct body *b, uint64_t *offset);
/* Takes a piece. -1: the body cannot be had. */
int body_take(struct body *b, const struct carry_body *piece);
/* Its turn has come: what was kept goes out. */
void body_open(struct body *b);
/* All of it has left, the dot too. */
bool body_sent(const struct body *b);

#endif

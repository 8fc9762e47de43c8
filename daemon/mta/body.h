/*
 * body - a message on its way from the spooler to a host
 *
 * Asks for pieces, one by one and only as fast as the host takes them; keeps
 * the first, which comes before the host has said 354; stuffs dots on the way
 * out.
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
	struct evbuffer *held; /* the piece that came before 354 */
	struct stuff stuff;
	uint64_t asked, got; /* octets, in whole pieces */
	bool open; /* 354 has come */
	bool last; /* the body has come whole */
	bool ended; /* the dot has been put */
};

void body_init(struct body *b);
void body_free(struct body *b);

/* A new message, to be sent by out. */
void body_start(struct body *b, struct evbuffer *out);
/* True when the piece at *offset is wanted now. */
bool body_wants(struct body *b, uint64_t *offset);
/* Takes a piece. -1: the body cannot be had. */
int body_take(struct body *b, const struct carry_body *piece);
/* 354: what was kept goes out. */
void body_open(struct body *b);
/* All of it has left, the dot too. */
bool body_sent(const struct body *b);

#endif

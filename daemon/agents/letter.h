/*
 * letter - the message as the agent reads it from its standard input
 *
 * Comes in pieces of at most 64 KiB, with LF for CRLF. Watches the header as
 * it passes for a Delivered-To of the recipient, which is a mail loop. When
 * the size was told, an end before it is an error: whoever sent the message
 * has died, and half of it must not be delivered. SIGTERM, which the program
 * keeps blocked, ends a wait.
 */
#ifndef DAEMON_AGENTS_LETTER_H
#define DAEMON_AGENTS_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/agents/verdict.h"

#define LETTER_PIECE (64u * 1024)
#define LETTER_ADDRESS_MAX 1024 /* of the field's value, folding removed */

struct letter {
	const char *sender, *recipient;
	int fd;
	bool sized; /* size is known */
	uint64_t size, seen; /* octets as they come */
	bool ended;
	/* private: */
	bool cr; /* a CR ended the last piece and waits for its LF */
	struct letter_watch {
		enum letter_where {
			LETTER_START,
			LETTER_NAME,
			LETTER_VALUE,
			LETTER_SKIP,
			LETTER_BODY
		} where;
		size_t matched; /* octets of the field's name */
		bool ours, loop;
		size_t len;
		char value[LETTER_ADDRESS_MAX];
	} watch;
	char data[LETTER_PIECE + 1];
};

void letter_init(
    struct letter *l, int fd, const char *sender, const char *recipient);
/* The next piece, lent until the next call; *len 0 at the end. -1: see v. */
int letter_next(
    struct letter *l, const char **data, size_t *len, struct verdict *v);
/* Return-Path and Delivered-To, with LF line ends; the length, or -1. */
int letter_trace(
    const struct letter *l, char *dst, size_t size, struct verdict *v);
/* To be called last before the message becomes visible: false when the
 * delivery was called off meanwhile. */
bool letter_wanted(struct verdict *v);
/* Waits ms; false when the delivery was called off. */
bool letter_pause(int ms, struct verdict *v);

#endif

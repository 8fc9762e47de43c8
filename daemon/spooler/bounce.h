/*
 * bounce - writes the notification of failed delivery (RFC 3464, RFC 3462)
 *
 * Pure: facts in, the message's bytes out. multipart/report with a text for
 * people, message/delivery-status for machines, and the original's header.
 */
#ifndef DAEMON_SPOOLER_BOUNCE_H
#define DAEMON_SPOOLER_BOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

#define BOUNCE_HEADER_MAX (32u * 1024) /* of the original that is returned */

struct bounce_failure {
	const char *recipient; /* as given in RCPT */
	const char *destination; /* where it was tried, when that differs */
	const char *status; /* "550 5.1.1 no such user": the last reply */
	const char *remote; /* who said so, "" when it was us */
	int64_t last_try;
	bool expired; /* given up after its lifetime */
};

struct bounce {
	const char *hostname; /* ours */
	uint64_t msgid; /* of the bounce */
	uint64_t original; /* of the message that failed */
	const char *sender; /* of the original: the bounce goes there */
	int64_t arrived; /* of the original */
	int64_t now;
	const struct bounce_failure *failures;
	size_t n;
	const char *header; /* of the original, CRLF lines, may be cut */
	size_t header_len;
};

/* -1 when it does not fit the buffer. Lines end with CRLF. */
int bounce_write(const struct bounce *in, struct buf *out);

#endif

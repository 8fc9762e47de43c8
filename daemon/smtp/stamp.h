/*
 * stamp - what is added to the header of a message that comes in
 *
 * The Received field (RFC 5321 section 4.4) in front, always. Date and
 * Message-Id where they are missing, for mail submitted on this very host: put
 * in right before the line that ends the header, so the text is never held
 * back but for the beginning of a line that may not belong to the header.
 */
#ifndef DAEMON_SMTP_STAMP_H
#define DAEMON_SMTP_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/mail/header.h"

#define STAMP_DATE_MAX 40
#define STAMP_HELD 128 /* no field name is longer */

struct stamp_facts {
	const char *helo;
	const char *client; /* an address literal: [192.0.2.14] */
	const char *host; /* ours */
	bool esmtp;
	uint64_t msgid;
	const char *recipient; /* NULL when there is more than one */
	int64_t now;
};

struct stamp {
	struct header header; /* Received fields are counted here */
	bool adds; /* what is missing is put in */
	bool shown; /* the current line is a field beyond doubt, and on its
		     * way */
	bool done; /* with the header */
	uint8_t nheld;
	uint8_t held[STAMP_HELD]; /* the start of the current line */
};

/* Sun, 22 Nov 2026 13:21:09 +0000. Returns dst. */
const char *stamp_date(char dst[STAMP_DATE_MAX], int64_t epoch);

/* Appends the Received field; -1 when it does not fit. */
int stamp_received(struct buf *b, const struct stamp_facts *f);

void stamp_init(struct stamp *s, bool adds);
/* Appends text (CRLF lines) to b, with what is missing once that is known. -1
 * when it does not fit. */
int stamp_feed(struct stamp *s, const struct stamp_facts *f, const void *text,
    size_t len, struct buf *b);
/* The message has ended. */
int stamp_end(struct stamp *s, const struct stamp_facts *f, struct buf *b);

#endif

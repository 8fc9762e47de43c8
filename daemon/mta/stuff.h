/*
 * stuff - a body on its way after DATA (RFC 5321 section 4.5.2) or BDAT, pure
 *
 * Doubles the dot that begins a line and ends the whole by a lone dot, unless
 * the body leaves in chunks of known size, where a dot means nothing. All
 * other octets pass as they are, but for one thing that no body in the spool
 * has: a bare CR or LF leaves as CRLF, whatever came in.
 */
#ifndef DAEMON_MTA_STUFF_H
#define DAEMON_MTA_STUFF_H

#include <stdbool.h>
#include <stddef.h>

struct stuff {
	bool within; /* a line: something of it has been put */
	bool chunks; /* dots are like all else; kept by stuff_end() */
	bool cr; /* held back until what follows is known */
};

void stuff_init(struct stuff *s, bool chunks);
/* put gets runs of octets, in order. */
void stuff_feed(struct stuff *s, const void *data, size_t len,
    void (*put)(void *arg, const void *octets, size_t n), void *arg);
/* Ends the last line where it was not ended, then the lone dot. */
void stuff_end(struct stuff *s,
    void (*put)(void *arg, const void *octets, size_t n), void *arg);

#endif

/*
 * ctl - what tools and the control role say to each other
 *
 * Frames over the control socket. Both sides begin with HELLO; then the tool
 * sends one REQUEST at a time and reads ROWs or LINEs until its END. A tool
 * that closes, or is gone, cancels what it asked for. Anything else than these
 * messages, in this order, costs the tool its connection.
 */
#ifndef LIB_PROTO_CTL_H
#define LIB_PROTO_CTL_H

#include "lib/proto/pack.h"

#define CTL_VERSION 1
#define CTL_ARGS_MAX 4096
#define CTL_SOCKET "/var/run/smtpd.sock"

enum ctl_type {
	CTL_HELLO = 0x0900,
	CTL_REQUEST,
	CTL_ROW,
	CTL_LINE,
	CTL_LOST,
	CTL_END
};

struct ctl_hello {
	uint32_t version;
	const char *program; /* "smtpctl", "smtpd" */
	const char *host; /* the daemon's name; "" from a tool */
};

enum ctl_flag {
	CTL_STICKY = 1 /* trace: switch on for the log, and stay on */
};
#define CTL_FLAGS 1u

struct ctl_request {
	const char *command; /* whole words: "show queue" */
	const char *reason; /* "" for none */
	uint32_t flags; /* of enum ctl_flag */
	uint16_t n; /* arguments, read by unpack_str() one by one */
};

struct ctl_row {
	const uint8_t *record; /* of lib/proto/record.h */
	size_t len;
};

struct ctl_line { /* a trace or profile line */
	uint8_t sub; /* of enum trace_sub */
	uint64_t when; /* milliseconds since the epoch */
	const char *text;
};

/* Lines that did not fit the caller's room, so far; the first, of 0, says that
 * the roles have been told to trace. */
struct ctl_lost {
	uint64_t lines;
};

struct ctl_end {
	uint8_t status; /* of lib/cli/exitcode.h */
	uint32_t done, skipped;
	const char *text; /* for people; "" when there is nothing to say */
};

void ctl_hello_put(struct buf *b, const struct ctl_hello *m);
int ctl_hello_get(struct unpack *u, struct ctl_hello *m);
void ctl_request_put(struct buf *b, const struct ctl_request *m);
int ctl_request_get(struct unpack *u, struct ctl_request *m);
void ctl_row_put(struct buf *b, const struct ctl_row *m);
int ctl_row_get(struct unpack *u, struct ctl_row *m);
void ctl_line_put(struct buf *b, const struct ctl_line *m);
int ctl_line_get(struct unpack *u, struct ctl_line *m);
void ctl_lost_put(struct buf *b, const struct ctl_lost *m);
int ctl_lost_get(struct unpack *u, struct ctl_lost *m);
void ctl_end_put(struct buf *b, const struct ctl_end *m);
int ctl_end_get(struct unpack *u, struct ctl_end *m);

#endif

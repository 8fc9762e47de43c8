/*
 * query - control asks a role on behalf of a tool, and steers its traces
 *
 * control -> role  ASK, CANCEL (the caller has gone), TRACE (which subsystems)
 * role -> control  ROW..., END; LINE: a trace or profile line
 *
 * A role answers every ASK with one END. Rows are records; a role sends at
 * most QUERY_SLICE octets of rows, then waits for MORE.
 */
#ifndef DAEMON_EDGE_QUERY_H
#define DAEMON_EDGE_QUERY_H

#include "lib/proto/pack.h"

enum query_type {
	QUERY_ASK = 0x0800,
	QUERY_CANCEL,
	QUERY_MORE,
	QUERY_ROW,
	QUERY_END,
	QUERY_TRACE,
	QUERY_LINE
};

#define QUERY_SLICE (256u * 1024)

/* What is asked. The owner of each stands in daemon/control/permit.c. */
enum query_what {
	QUERY_STATUS, /* every role: its own row */
	QUERY_STATS, /* every role: counters, one row each */
	QUERY_QUEUE, /* spooler: envelopes */
	QUERY_ENVELOPE, /* spooler: args ids */
	QUERY_MESSAGE, /* spooler: arg id */
	QUERY_HOSTS, /* mta */
	QUERY_PAUSE, /* spooler: arg mta, mda or smtp */
	QUERY_RESUME,
	QUERY_HOLD, /* scheduler: args ids or "all" */
	QUERY_RELEASE,
	QUERY_SCHEDULE,
	QUERY_REMOVE,
	QUERY_DISCOVER, /* spooler: args ids */
	QUERY_SYNC, /* spooler */
	QUERY_LOG, /* parent, which tells all: arg brief or verbose */
	QUERY_RELOAD, /* parent */
	QUERY_STOP, /* parent */
	QUERY_UNCORRUPT, /* spooler: args ids */
	QUERY_ROUTES, /* mta; arg "why" or none */
	QUERY_HOSTSTATS, /* mta */
	QUERY_RELAYS, /* mta */
	QUERY_SESSIONS, /* mta */
	QUERY_LIMITS, /* mta: arg a domain, or none */
	QUERY_STEER, /* mta: args route, source or relay, its name, and for a
		      * pause the seconds it lasts, 0 for ever */
	QUERY_UNSTEER, /* the end of one */
	QUERY_EXPLAIN_RULE, /* lookup: args recipient, sender */
	QUERY_EXPLAIN_RELAY, /* mta: args action, recipient */
	QUERY_WHY, /* spooler: arg id; what the envelope itself says */
	QUERY_WHATS
};

struct query_ask {
	uint32_t ticket;
	enum query_what what;
	uint32_t uid; /* the caller's */
	const char *reason;
	uint16_t n; /* arguments, read by unpack_str() one by one */
};
struct query_cancel {
	uint32_t ticket;
};
struct query_more {
	uint32_t ticket;
};
struct query_row {
	uint32_t ticket;
	const uint8_t *record;
	size_t len;
};
struct query_end {
	uint32_t ticket;
	uint8_t status; /* an exit code of lib/cli/exitcode.h */
	uint32_t done, skipped;
	const char *text; /* for people; "" when there is nothing to say */
};
struct query_trace {
	uint32_t mask; /* of enum trace_sub */
};
struct query_line {
	uint8_t sub;
	const char *line;
};

void query_ask_put(struct buf *b, const struct query_ask *m);
int query_ask_get(struct unpack *u, struct query_ask *m);
void query_cancel_put(struct buf *b, const struct query_cancel *m);
int query_cancel_get(struct unpack *u, struct query_cancel *m);
void query_more_put(struct buf *b, const struct query_more *m);
int query_more_get(struct unpack *u, struct query_more *m);
void query_row_put(struct buf *b, const struct query_row *m);
int query_row_get(struct unpack *u, struct query_row *m);
void query_end_put(struct buf *b, const struct query_end *m);
int query_end_get(struct unpack *u, struct query_end *m);
void query_trace_put(struct buf *b, const struct query_trace *m);
int query_trace_get(struct unpack *u, struct query_trace *m);
void query_line_put(struct buf *b, const struct query_line *m);
int query_line_get(struct unpack *u, struct query_line *m);

#endif

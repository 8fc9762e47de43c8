/*
 * carry - the spooler gives mta and mda what is due, and gets outcomes
 *
 * spooler -> carrier  TASK: envelopes of one message for one destination key,
 *                     as texts; BODY: a piece that was wanted
 * carrier -> spooler  WANT: the next piece of a body; OUTCOME, one for each
 *                     envelope of each task, in any order
 * mta -> spooler      STEER: a pause of part of the outgoing mail, to be kept
 *                     across restarts, or its end; answered by STEERED once it
 *                     is on disk
 * spooler -> mta      STEER: each pause that is in force, before the first TASK
 *
 * A task stays the carrier's until its last outcome. Pieces are asked for from
 * offset 0 on, the next when the last has come (they are read by several
 * threads, which keep no order): that is the flow control. stream is the
 * carrier's own number for the reader.
 */
#ifndef DAEMON_EDGE_CARRY_H
#define DAEMON_EDGE_CARRY_H

#include "lib/proto/pack.h"

enum carry_type {
	CARRY_TASK = 0x0500,
	CARRY_WANT,
	CARRY_BODY,
	CARRY_OUTCOME,
	CARRY_STEER,
	CARRY_STEERED
};

#define CARRY_PIECE (64u * 1024)
#define CARRY_ENVELOPES 64 /* of one task */

struct carry_task {
	uint64_t msgid;
	uint64_t size; /* of the body in octets */
	uint16_t n; /* envelope texts that follow, by carry_text_get() */
};
struct carry_want {
	uint32_t stream;
	uint64_t msgid;
	uint64_t offset;
	uint32_t max; /* at most CARRY_PIECE */
};
enum carry_body_status {
	CARRY_BODY_OK,
	CARRY_BODY_UNAVAILABLE, /* a temporary failure of this envelope */
	CARRY_BODY_GONE,
	CARRY_BODY_STATUSES
};
struct carry_body {
	uint32_t stream;
	enum carry_body_status status;
	const uint8_t *data;
	size_t len;
	bool last; /* the body ends with these octets */
};
enum carry_result {
	CARRY_DONE, /* delivered */
	CARRY_LATER, /* a temporary failure of this envelope: counts a try */
	CARRY_UNTRIED, /* not its fault and not tried: due after delay */
	CARRY_NEVER, /* a permanent failure: bounce */
	CARRY_RESULTS
};
struct carry_outcome {
	uint64_t evpid;
	enum carry_result result;
	const char *status; /* the reply: "250 2.0.0 ok id=..", "451 4.3.0 .."
			     * one line, escaped by text_printable() */
	const char *remote; /* "mx1.example.org [198.51.100.7]", an agent's
			     * name, or "" */
	uint32_t delay; /* seconds, for UNTRIED; 0 otherwise */
	bool destination; /* LATER and UNTRIED: it was not the envelope's fault;
			   * it is tried at once when its destination takes
			   * other mail */
	bool step; /* LATER: the next attempt comes one step later than usual */
};

enum carry_part {
	CARRY_ROUTE, /* name: source and address, as `show routes` prints them */
	CARRY_SOURCE, /* name: an address of ours */
	CARRY_RELAY, /* name: a relay's, a domain for one */
	CARRY_PARTS
};
struct carry_steer {
	uint32_t ticket; /* the mta's; 0 from the spooler. An end of ticket 0
			  * from the mta ends nothing that was kept: an
			  * operator lets routes be used again, and what
			  * waits for them is to be tried */
	bool pause; /* false: its end */
	enum carry_part part;
	const char *name; /* at most CARRY_NAME_MAX octets, printable */
	int64_t until; /* wall clock, 0: until it is resumed */
	uint32_t uid; /* who asked */
	const char *reason; /* at most CARRY_REASON_MAX octets */
};
#define CARRY_NAME_MAX 512
#define CARRY_REASON_MAX 256
struct carry_steered {
	uint32_t ticket;
	bool done; /* false: text says why not */
	const char *text;
};

void carry_steer_put(struct buf *b, const struct carry_steer *m);
int carry_steer_get(struct unpack *u, struct carry_steer *m);
void carry_steered_put(struct buf *b, const struct carry_steered *m);
int carry_steered_get(struct unpack *u, struct carry_steered *m);
void carry_task_put(struct buf *b, const struct carry_task *m);
/* Leaves the unpacker at the texts: carry_text_get() m->n times, then
 * unpack_done(). */
int carry_task_get(struct unpack *u, struct carry_task *m);
void carry_text_put(struct buf *b, const void *text, size_t len);
int carry_text_get(struct unpack *u, const char **text, size_t *len);
void carry_want_put(struct buf *b, const struct carry_want *m);
int carry_want_get(struct unpack *u, struct carry_want *m);
void carry_body_put(struct buf *b, const struct carry_body *m);
int carry_body_get(struct unpack *u, struct carry_body *m);
void carry_outcome_put(struct buf *b, const struct carry_outcome *m);
int carry_outcome_get(struct unpack *u, struct carry_outcome *m);

#endif

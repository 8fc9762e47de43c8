/*
 * plan - spooler and scheduler: what waits, what is due, what became of it
 *
 * spooler -> scheduler  KNOWN: envelopes to be tried (rows); SETTLED: the end
 *                       of an attempt; PAUSE a whole kind; HASTEN what
 *                       waits for its destination: a pause has ended
 * scheduler -> spooler  DUE: ids to be carried now, of one key and kind;
 *                       VERB: an operator's verb, to be persisted
 * spooler -> scheduler  ENDED: the verb is durable, or why not; scheduler
 *                       changes its agenda then and answers control
 */
#ifndef DAEMON_EDGE_PLAN_H
#define DAEMON_EDGE_PLAN_H

#include "lib/proto/pack.h"

enum plan_type {
	PLAN_KNOWN = 0x0400,
	PLAN_DUE,
	PLAN_SETTLED,
	PLAN_VERB,
	PLAN_ENDED,
	PLAN_PAUSE,
	PLAN_HASTEN
};

#define PLAN_BATCH 64 /* ids of one DUE */
#define PLAN_ROWS 256 /* of one KNOWN */
#define PLAN_IDS 4096 /* of one VERB */
#define PLAN_WHOLE                                                             \
	0 /* recipient number in a VERB: all of this message, with
		      * those that are not loaded yet */

/* Which carrier an envelope goes to: mta or mda. */
enum plan_kind {
	PLAN_RELAY,
	PLAN_LOCAL,
	PLAN_KINDS
};

struct plan_row {
	uint64_t evpid;
	enum plan_kind kind;
	uint32_t key; /* same destination, same key: fairness and limits */
	int64_t due; /* seconds since the epoch */
	bool held;
};
struct plan_due {
	enum plan_kind kind;
	uint32_t key;
	uint16_t n;
	uint64_t evpids[PLAN_BATCH];
};
enum plan_result {
	PLAN_GONE,
	PLAN_AGAIN, /* due again at due */
	PLAN_HELD, /* an operator's hold came while it was in flight, or it
		    * cannot be tried until discover */
	PLAN_RESULTS
};
struct plan_settled {
	uint64_t evpid;
	enum plan_result result;
	int64_t due;
	bool destination; /* GONE: its destination took it, so what waits for
			   * that is tried at once; AGAIN: it waits for that */
};
enum plan_verb_kind {
	PLAN_HOLD,
	PLAN_RELEASE,
	PLAN_SCHEDULE,
	PLAN_REMOVE,
	PLAN_VERBS
};
struct plan_verb {
	uint32_t ticket;
	enum plan_verb_kind verb;
	bool all;
	uint32_t uid; /* who asked */
	const char *reason;
	uint16_t n; /* evpids that follow; 0 with all */
	uint64_t evpids[PLAN_IDS]; /* those in flight only for HOLD and
				    * RELEASE: SETTLED tells the outcome */
};
struct plan_ended {
	uint32_t ticket;
	uint8_t status; /* exit code of operations: 0 done, 75 try later */
	uint32_t done, skipped;
	const char *text;
};
struct plan_pause {
	enum plan_kind kind;
	bool paused;
};

void plan_row_put(struct buf *b, const struct plan_row *r);
int plan_row_get(struct unpack *u, struct plan_row *r); /* until !unpack_more */
void plan_due_put(struct buf *b, const struct plan_due *m);
int plan_due_get(struct unpack *u, struct plan_due *m);
void plan_settled_put(struct buf *b, const struct plan_settled *m);
int plan_settled_get(struct unpack *u, struct plan_settled *m);
void plan_verb_put(struct buf *b, const struct plan_verb *m);
int plan_verb_get(struct unpack *u, struct plan_verb *m);
void plan_ended_put(struct buf *b, const struct plan_ended *m);
int plan_ended_get(struct unpack *u, struct plan_ended *m);
void plan_pause_put(struct buf *b, const struct plan_pause *m);
int plan_pause_get(struct unpack *u, struct plan_pause *m);
void plan_hasten_put(struct buf *b); /* it says no more than its type */
int plan_hasten_get(struct unpack *u);

#endif

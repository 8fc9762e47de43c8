/*
 * actor - the hands of a workload: verbs that leave their marks
 *
 * Those that say nothing of waiting return at once. A message's number counts
 * from 0 in the order in which they were sent, across both parts.
 */
#ifndef REGRESS_QCRASH_ACTOR_H
#define REGRESS_QCRASH_ACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/queue.h"
#include "regress/qcrash/works.h"

#define MESSAGES 512

struct sent {
	uint64_t msgid;
	unsigned rcpts;
	bool acked, refused;
};

struct work {
	const struct workload *wl;
	struct queue *q;
	struct sent sent[MESSAGES];
	unsigned count;
	unsigned open; /* asked and not answered */
	unsigned refused;
	bool loaded;
	uint64_t order; /* of what goes to the journal */
	struct late *late; /* flushed with others */
	size_t late_count;
	uint64_t *found; /* evpids, while loading */
	size_t found_count;
	unsigned verbs;
	uint64_t bulk[8];
};

/* Opens and loads the spool; err goes to stderr. */
void act_open(struct work *w, const char *dir);
/* Knows again what an earlier part sent. */
void act_recall(struct work *w, const struct qtrace_log *log);
void act_close(struct work *w);
void act_turns(struct work *w, unsigned ms); /* for so long */
void act_wait(struct work *w); /* until all is answered */
uint64_t act_evpid(const struct work *w, unsigned message, unsigned rcpt);

unsigned act_send(struct work *w, unsigned rcpts, size_t size);
/* A message that ends n envelopes. */
unsigned act_bounce(
    struct work *w, const uint64_t *ends, size_t n, size_t size);
void act_abort(struct work *w, size_t size);
void act_change(
    struct work *w, uint64_t evpid, unsigned generation, bool flush);
void act_done(struct work *w, uint64_t evpid, bool flush);
/* Waits, and is answered that files say what the journal says. */
void act_sync(struct work *w, bool must);
/* Until a flush of the files has gone well. */
void act_trust(struct work *w);
unsigned act_bulk(struct work *w, bool all, const uint64_t *evpids, size_t n);
void act_bulk_end(struct work *w, unsigned verb);
void act_state(struct work *w, unsigned value);
/* Sends until one is taken; a refusal is no failure. */
void act_persist(struct work *w, unsigned rcpts, size_t size);

#endif

/*
 * replay - what the journal holds after a stop or a crash
 *
 * Reads every segment that may still matter, checks every record, and shows
 * those at or above the last mark in their order. Where a run ended in a torn
 * write, the rest is dropped; where a record is bad that was flushed, the disk
 * lied: that is an alarm, and everything readable is shown all the same.
 */
#ifndef QUEUE_REPLAY_H
#define QUEUE_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/journal.h"
#include "queue/layout.h"
#include "queue/ring.h"

struct replay_record {
	uint64_t seq;
	enum journal_kind kind;
	unsigned slot;
	uint64_t at; /* where in the slot's file the payload is */
	const char *payload; /* lent for the call */
	size_t len;
};

/* A put, taken apart. */
struct replay_put {
	uint64_t seq; /* of the record that was written first */
	const char *ends, *ends_end; /* the ids that it finishes */
	bool large; /* a reference: the message is its head alone */
	const char *message;
	size_t len;
	uint64_t at; /* where the message is in the slot's file */
};

/* False: it is none of ours. */
bool replay_put(const struct replay_record *rec, struct replay_put *p);
/* The next of the ids, which it passes; false: there is no other. */
bool replay_put_ends(struct replay_put *p, uint64_t *evpid);

struct replay_result {
	uint64_t next_seq;
	uint64_t low; /* the last mark */
	char alarm[256];
	char note[96]; /* "", or where the end of a run was kept */
};

/* Marks the live slots in the ring; keeps what is bad in l's corrupt/, or (l is
 * NULL) only tells. -1 with a sentence in err. */
int replay(struct ring *r, const struct layout *l,
    void (*visit)(void *ctx, const struct replay_record *rec), void *ctx,
    struct replay_result *result, char *err, size_t errlen);

#endif

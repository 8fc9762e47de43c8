/*
 * ring - the segment files of the journal
 *
 * One file a slot, written with zeros once and never grown. A slot is free,
 * current (the committer appends to it), live (holds records that may be
 * needed) or failed (a flush of it failed; live up to its last flushed seq).
 * The committer takes slots, the caller's thread frees them: one lock.
 */
#ifndef QUEUE_RING_H
#define QUEUE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/journal.h"
#include "queue/layout.h"

#define RING_SLOTS 64

/* How far into the last free slots a taker may reach. */
enum ring_need {
	RING_MAIL = 2, /* and images: leaves one for outcomes, one spare */
	RING_OUTCOME = 1, /* and what is written anew: leaves the spare */
	RING_SPARE = 0 /* after a failure, and for marks */
};

struct ring;

/* Opens what is there; makes nothing yet. NULL with a sentence in err. */
struct ring *ring_open(
    const struct layout *l, uint64_t size, char *err, size_t errlen);
/* The same to read only: what cannot be opened is left out, and said in err
 * (else ""). */
struct ring *ring_open_reading(
    const struct layout *l, char *err, size_t errlen);
/* After replay: fills up with fresh files, so that segments and a spare can
 * be taken. */
int ring_fill(struct ring *r, unsigned segments, char *err, size_t errlen);
void ring_close(struct ring *r);

/* For replay. */
unsigned ring_slots(const struct ring *r);
int ring_fd(const struct ring *r, unsigned slot);
/* False when the slot has never held a segment. */
bool ring_head(
    const struct ring *r, unsigned slot, struct journal_segment *head);
/* Why a slot's file is not what was made, NULL when it is; its name. */
const char *ring_odd(const struct ring *r, unsigned slot);
unsigned ring_file(const struct ring *r, unsigned slot);
void ring_keep(struct ring *r, unsigned slot, uint64_t last); /* is live */
void ring_resume(struct ring *r, uint64_t next_segment);

/* For the committer. The slot becomes current, its head is filled but not
 * written; -1 when there is none to be had. */
int ring_take(struct ring *r, enum ring_need need, uint64_t first,
    struct journal_segment *head);
void ring_wrote(struct ring *r, unsigned slot, uint64_t last, uint64_t used);
void ring_failed(struct ring *r, unsigned slot, uint64_t valid);
/* Prints a "cut" line for each failed slot; the length. */
size_t ring_cuts(struct ring *r, char *text, size_t size);

/* For the caller's thread. Frees what ends below low. */
unsigned ring_release(struct ring *r, uint64_t low);
unsigned ring_releasable(struct ring *r, uint64_t low); /* how many it would */
uint64_t ring_first(struct ring *r, unsigned slot);
/* The slot of the first segment that is not free; -1: there is none. */
int ring_oldest(struct ring *r);
unsigned ring_free(struct ring *r);
/* Octets in all, and of them not free. */
void ring_use(struct ring *r, uint64_t *size, uint64_t *used);
/* A slot whose file must be made anew before it is used, -1 when there is
 * none; ring_renew() does so, in any thread. */
int ring_stale(struct ring *r);
int ring_renew(struct ring *r, unsigned slot);

#endif

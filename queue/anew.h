/*
 * anew - files are written again after a flush of them failed
 *
 * Pages that could not be written count as clean from then on: what was filed
 * since the last good checkpoint is not to be relied on, and flushing it once
 * more proves nothing. The journal has all of it. So file jobs rest, a worker
 * reads the journal from the last mark on, and what is alive of it becomes
 * files once more: new ones, for a flush that failed is not tried again on the
 * same. Names that were removed or moved are removed or moved once more, and
 * state/finished becomes another file. Then a checkpoint is tried. When that
 * fails as well it all begins anew, later each time. The pins of what is to be
 * written hold the journal meanwhile.
 */
#ifndef QUEUE_ANEW_H
#define QUEUE_ANEW_H

#include <stdbool.h>
#include <stdint.h>

struct entry;
struct queue;

enum anew_state {
	ANEW_NONE, /* files can be relied on */
	ANEW_DUE, /* waits for its time */
	ANEW_STOP, /* for the file jobs that run */
	ANEW_READ, /* a worker reads the journal */
	ANEW_TAKE, /* what it found becomes entries */
	ANEW_FILES /* they are written, and then flushed */
};

/* A flush has failed. */
void anew_begin(struct queue *q, int error);
/* What was written again is flushed. */
void anew_flushed(struct queue *q);
void anew_turn(struct queue *q);
/* Until it has what it needs no file may change. */
bool anew_holds_files(const struct queue *q);
/* A checkpoint may be tried: all is written again that can be. */
bool anew_is_ready(const struct queue *q);
/* It is written, or refused and waits with a cause. */
void anew_came(struct queue *q, struct entry *e);
/* state/finished is another file, or not. */
void anew_logged(struct queue *q, int error);
void anew_free(struct queue *q);

#endif

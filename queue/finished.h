/*
 * finished - which envelopes were finished, as state/finished has it
 *
 * The journal forgets a done with its segment. What comes back into the tree
 * after that (a backup, a bucket that had been moved away) is held against
 * these ids: nothing is sent twice. An id whose last line says that it was set
 * aside, gone or brought back is not finished.
 */
#ifndef QUEUE_FINISHED_H
#define QUEUE_FINISHED_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/layout.h"

struct finished;

/* Reads the files, which may take a while: in a worker. only: of this message
 * alone; 0: all. Never NULL; what cannot be read has no ids. */
struct finished *finished_read(const struct layout *l, uint64_t only);
void finished_free(struct finished *f); /* NULL is accepted */
bool finished_has(const struct finished *f, uint64_t evpid);

/* Whether an outcome leaves the envelope unfinished. */
bool finished_not(const char *outcome);

#endif

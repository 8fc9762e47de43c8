/*
 * letters - a spool at work, as the library's measurements need it
 *
 * Messages of a few KiB of prose and envelopes as the daemon writes them, any
 * number of them under way at a time.
 */
#ifndef BENCH_LIB_LETTERS_H
#define BENCH_LIB_LETTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/mail/envelope.h"
#include "queue/queue.h"

struct letters;

/* Opens, or makes, the spool of o; dies when it cannot. */
struct letters *letters_open(const struct queue_options *o, size_t size);
void letters_close(struct letters *l, unsigned ms);
struct queue *letters_queue(struct letters *l);

/*
 * Commits n messages of so many recipients, up to waiting of them at a time.
 * Returns microseconds.
 */
uint64_t letters_send(
    struct letters *l, unsigned n, unsigned recipients, unsigned waiting);
/* Until all is in files and flushed. Microseconds. */
uint64_t letters_sync(struct letters *l);
/* Envelopes that were loaded when it was opened, and how long that took. */
unsigned letters_loaded(const struct letters *l, uint64_t *us);

/* An envelope for number i, of a few hundred domains. */
void letters_envelope(struct envelope *e, uint64_t evpid, uint64_t i);

#endif

/*
 * commit - the committer: one thread that writes and flushes the journal
 *
 * It takes everything that is waiting, writes it with one pwritev, flushes
 * once if anybody waits for it, then answers all; what arrives meanwhile is
 * the next group. A flush that failed is never tried again on the same
 * segment: a fresh one says how far the old one is valid.
 */
#ifndef QUEUE_COMMIT_H
#define QUEUE_COMMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "queue/codec.h"
#include "queue/crew.h"
#include "queue/journal.h"
#include "queue/queue.h"
#include "queue/ring.h"

#define DRAFT_PARTS 6

/* A record on its way. Who makes it sets the first part; finish() of the job
 * runs in the caller's thread once it is flushed or has failed. */
struct draft {
	struct job job;
	enum journal_kind kind;
	bool flush; /* somebody waits; else within a second */
	bool carried; /* written anew: it was taken long ago */
	uint64_t evpid; /* of an image or a done, by which they keep order */
	struct iovec part[DRAFT_PARTS];
	int parts;
	/* In the committer's thread, before it is written: makes the parts.
	 * -1: it cannot be had, and is refused. May be NULL. */
	int (*prepare)(struct draft *d, struct codec_writer *w);

	enum queue_status status;
	uint64_t seq;
	unsigned slot;
	uint64_t at; /* of the payload in the slot's file */

	uint32_t length; /* of the payload */
	char head[JOURNAL_RECORD_HEAD];
};

/* draft: what the committer does to one, and to many */
void draft_measure(struct draft *d); /* length, of the parts */
int draft_prepare(struct draft *d, struct codec_writer *w); /* -1: it cannot */
int draft_write(
    int fd, struct iovec *v, int n, uint64_t at); /* takes v apart */
bool draft_is_mail(const struct job *j); /* that may still be refused */
enum ring_need draft_need(const struct job *j);
/* Moves what gives room, or needs less of it, before what waits for more.
 * False: the first one stays. */
bool drafts_urgent(struct jobs *batch);

struct committer;

struct committer *committer_new(
    struct ring *r, struct crew *c, uint64_t segment_size, uint64_t next_seq);
void committer_free(struct committer *c);
void committer_submit(struct committer *c, struct draft *d);
/* Flushes what was submitted, then ends the thread. */
void committer_stop(struct committer *c);
/* The caller's thread wants to be woken then (monotonic ms; 0: no more). */
void committer_alarm(struct committer *c, uint64_t at);
/* What was written is flushed without waiting for the second to pass. */
void committer_hurry(struct committer *c);

struct committer_stats {
	uint64_t commits, groups, flushes;
	uint64_t flush_us_p50, flush_us_p99, flush_us_max;
	int error; /* of the last flush or write; 0: the journal works */
	int last_error;
	uint64_t failed_at; /* ms; 0: never */
	uint64_t flush_began; /* ms, while one is under way; else 0 */
	uint64_t slow_at; /* ms, when one last took more than a second */
};
void committer_stats(struct committer *c, struct committer_stats *s);

#endif

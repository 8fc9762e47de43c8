/*
 * crew - the worker threads, and the way back to the caller's thread
 *
 * A job runs in a worker and is finished in the caller's thread. It owns
 * buffers, names and descriptors, never an index. The committer sends its
 * results back the same way. Urgent jobs (somebody waits for the answer) go
 * before the others (settling, unlinking). Workers give way to the committer
 * and to the caller when processors are short.
 */
#ifndef QUEUE_CREW_H
#define QUEUE_CREW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct queue;

struct job {
	STAILQ_ENTRY(job) link;
	struct queue *q;
	const char *operation; /* for the profile; NULL: not measured */
	void (*run)(struct job *j); /* in a worker; logs nothing */
	void (*finish)(struct job *j); /* in the caller's thread; frees it */
};

STAILQ_HEAD(jobs, job);

struct crew;

struct crew *crew_new(unsigned workers);
/* As many of them end as are more, when they have done what they do. */
void crew_keep(struct crew *c, unsigned workers);
void crew_start(struct crew *c); /* once; later calls do nothing */
/* Runs what was submitted, then stops. */
void crew_stop(struct crew *c);
void crew_free(struct crew *c);

void crew_submit(struct crew *c, struct job *j, bool urgent);
/* From any thread: j goes to the caller's thread to be finished. */
void crew_deliver(struct crew *c, struct job *j);
void crew_deliver_all(struct crew *c, struct jobs *list); /* empties it */

int crew_fd(const struct crew *c); /* readable: crew_take() has something */
void crew_wake(struct crew *c); /* makes it readable */
void crew_calm(struct crew *c); /* reads it empty */
struct job *crew_take(struct crew *c); /* NULL: nothing more for now */
unsigned crew_busy(struct crew *c); /* submitted and not delivered */

/* The profile, from any thread. */
void crew_profile(struct crew *c, void (*fn)(const char *, uint64_t));
/* The time before an operation, 0 when nobody looks; and its end. */
uint64_t crew_clock(struct crew *c);
void crew_report(struct crew *c, const char *operation, uint64_t since);

#endif

/*
 * buckets - the same work for every bucket, by several threads
 *
 * A bucket is one thread's alone. What threads share the caller guards.
 */
#ifndef TOOLS_QTOOL_BUCKETS_H
#define TOOLS_QTOOL_BUCKETS_H

struct buckets_work {
	void *(*begin)(void *ctx); /* in the thread: what it keeps for itself */
	void (*bucket)(void *ctx, void *own, unsigned bucket);
	void (*end)(void *ctx, void *own);
	/* In the caller's thread, a few times a second; may be NULL. */
	void (*progress)(void *ctx);
	void *ctx;
};

/* Returns when all is done. jobs 0: a thread per processor. */
void buckets_run(unsigned jobs, const struct buckets_work *w);

#endif

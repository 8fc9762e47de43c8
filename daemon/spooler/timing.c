#include "daemon/spooler/timing.h"

#include <pthread.h>

#include "lib/base/log.h"

#define RING 4096

/* The library's hook has no argument: its figures come from any thread. */
static struct {
	pthread_mutex_t lock;
	unsigned n;
	struct {
		const char *operation;
		uint64_t us;
	} ring[RING];
} kept = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
keep(const char *operation, uint64_t us)
{
	if (!trace_on(TRACE_PROFILE_QUEUE))
		return;
	pthread_mutex_lock(&kept.lock);
	if (kept.n < RING) {
		kept.ring[kept.n].operation = operation;
		kept.ring[kept.n].us = us;
		kept.n++;
	}
	pthread_mutex_unlock(&kept.lock);
}

void
timing_start(struct queue *q)
{
	queue_profile(q, keep);
}

void
timing_flush(void)
{
	unsigned i;

	if (!trace_on(TRACE_PROFILE_QUEUE))
		return;
	pthread_mutex_lock(&kept.lock);
	for (i = 0; i < kept.n; i++)
		trace(TRACE_PROFILE_QUEUE, "profile=queue op=%s us=%llu",
		    kept.ring[i].operation,
		    (unsigned long long)kept.ring[i].us);
	kept.n = 0;
	pthread_mutex_unlock(&kept.lock);
}

#include "tools/qtool/buckets.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "queue/layout.h"

#define JOBS_MAX 64
#define PROGRESS_MS 200

struct run {
	const struct buckets_work *w;
	atomic_uint next;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned working;
};

static void *
work(void *arg)
{
	struct run *r = arg;
	void *own = r->w->begin(r->w->ctx);
	unsigned bucket;

	while ((bucket = atomic_fetch_add(&r->next, 1)) < LAYOUT_BUCKETS)
		r->w->bucket(r->w->ctx, own, bucket);
	r->w->end(r->w->ctx, own);
	pthread_mutex_lock(&r->lock);
	r->working--;
	pthread_cond_signal(&r->ended);
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

static void
wait_for_all(struct run *r)
{
	struct timespec until;

	pthread_mutex_lock(&r->lock);
	while (r->working > 0) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += PROGRESS_MS * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
		(void)pthread_cond_timedwait(&r->ended, &r->lock, &until);
		if (r->w->progress == NULL)
			continue;
		pthread_mutex_unlock(&r->lock);
		r->w->progress(r->w->ctx);
		pthread_mutex_lock(&r->lock);
	}
	pthread_mutex_unlock(&r->lock);
}

void
buckets_run(unsigned jobs, const struct buckets_work *w)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct run r = { .w = w };
	pthread_t threads[JOBS_MAX];
	unsigned i;

	if (jobs == 0)
		jobs = cpus > 0 ? (unsigned)cpus : 1;
	if (jobs > JOBS_MAX)
		jobs = JOBS_MAX;
	pthread_mutex_init(&r.lock, NULL);
	pthread_cond_init(&r.ended, NULL);
	r.working = jobs;
	for (i = 0; i < jobs; i++)
		if (pthread_create(&threads[i], NULL, work, &r) != 0)
			fatal("no thread to be had");
	wait_for_all(&r);
	for (i = 0; i < jobs; i++)
		pthread_join(threads[i], NULL);
	pthread_cond_destroy(&r.ended);
	pthread_mutex_destroy(&r.lock);
}

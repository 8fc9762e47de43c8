#include "queue/crew.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"

#define UNSAID_MOST 32
#define WORKER_NICE 10

struct crew {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct jobs urgent, patient, delivered;
	unsigned busy;
	unsigned idle; /* workers that sleep */
	unsigned unsaid; /* patient jobs delivered without a signal */
	bool stop, started, signalled;
	bool over; /* the caller's thread only: the workers are gone */
	int fds[2];
	unsigned workers; /* threads that were begun */
	unsigned serving, keep; /* of them; how many are wanted */
	pthread_t *threads;
	_Atomic(void (*)(const char *, uint64_t)) profile;
};

struct crew *
crew_new(unsigned workers)
{
	struct crew *c = mem_zalloc(sizeof(*c));

	if (pipe2(c->fds, O_CLOEXEC | O_NONBLOCK) == -1) {
		free(c);
		return NULL;
	}
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->work, NULL);
	STAILQ_INIT(&c->urgent);
	STAILQ_INIT(&c->patient);
	STAILQ_INIT(&c->delivered);
	c->workers = c->serving = c->keep = workers;
	c->threads = mem_zarray(workers, sizeof(*c->threads));
	return c;
}

void
crew_profile(struct crew *c, void (*fn)(const char *, uint64_t))
{
	atomic_store(&c->profile, fn);
}

uint64_t
crew_clock(struct crew *c)
{
	return atomic_load_explicit(&c->profile, memory_order_relaxed) == NULL
	    ? 0
	    : mono_us();
}

void
crew_report(struct crew *c, const char *operation, uint64_t since)
{
	void (*fn)(const char *, uint64_t) = atomic_load(&c->profile);

	if (fn != NULL && since != 0 && operation != NULL)
		fn(operation, mono_us() - since);
}

/* Under the lock: whether the caller must be told, which is done by tell()
 * without it, for it takes the lock as soon as it wakes. */
static bool
must_tell(struct crew *c)
{
	bool news = !c->signalled;

	c->unsaid = 0;
	c->signalled = true;
	return news;
}

static void
tell(struct crew *c)
{
	ssize_t n;

	do
		n = write(c->fds[1], "!", 1);
	while (n == -1 && errno == EINTR);
}

/* File jobs can wait; commits, which share the processors with them, have
 * somebody at their end. */
static void
be_modest(void)
{
#ifdef __linux__
	/* Of this thread; elsewhere it would be the process. */
	(void)setpriority(PRIO_PROCESS, 0, WORKER_NICE);
#endif
}

static void *
worker(void *arg)
{
	struct crew *c = arg;
	struct jobs *from;
	struct job *j;
	uint64_t since;

	be_modest();
	pthread_mutex_lock(&c->lock);
	while (c->serving <= c->keep) {
		from = STAILQ_EMPTY(&c->urgent) ? &c->patient : &c->urgent;
		if ((j = STAILQ_FIRST(from)) == NULL) {
			if (c->stop)
				break;
			c->idle++;
			pthread_cond_wait(&c->work, &c->lock);
			c->idle--;
			continue;
		}
		STAILQ_REMOVE_HEAD(from, link);
		pthread_mutex_unlock(&c->lock);
		since = crew_clock(c);
		j->run(j);
		crew_report(c, j->operation, since);
		pthread_mutex_lock(&c->lock);
		STAILQ_INSERT_TAIL(&c->delivered, j, link);
		c->busy--;
		/* Nobody waits for patient jobs: the caller is not woken for
		 * each of them while there are more. */
		if ((from == &c->urgent || ++c->unsaid >= UNSAID_MOST ||
			STAILQ_EMPTY(&c->patient)) &&
		    must_tell(c)) {
			pthread_mutex_unlock(&c->lock);
			tell(c);
			pthread_mutex_lock(&c->lock);
		}
	}
	c->serving--;
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

void
crew_keep(struct crew *c, unsigned workers)
{
	pthread_mutex_lock(&c->lock);
	c->keep = workers;
	pthread_cond_broadcast(&c->work);
	pthread_mutex_unlock(&c->lock);
}

void
crew_start(struct crew *c)
{
	sigset_t all, old;
	unsigned i;

	if (c->started)
		return;
	c->started = true;
	/* Signals are the caller's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (i = 0; i < c->workers; i++)
		if (pthread_create(&c->threads[i], NULL, worker, c) != 0)
			fatal("cannot start a thread: %s", strerror(errno));
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void
crew_stop(struct crew *c)
{
	unsigned i;

	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->work);
	pthread_mutex_unlock(&c->lock);
	for (i = 0; c->started && i < c->workers; i++)
		pthread_join(c->threads[i], NULL);
	c->started = false;
	c->over = true;
}

void
crew_free(struct crew *c)
{
	if (c == NULL)
		return;
	close(c->fds[0]);
	close(c->fds[1]);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->work);
	free(c->threads);
	free(c);
}

void
crew_submit(struct crew *c, struct job *j, bool urgent)
{
	bool idle;

	if (c->over) {
		/* What the last answers still want done is done at once. */
		j->run(j);
		crew_deliver(c, j);
		return;
	}
	crew_start(c);
	pthread_mutex_lock(&c->lock);
	STAILQ_INSERT_TAIL(urgent ? &c->urgent : &c->patient, j, link);
	c->busy++;
	idle = c->idle > 0;
	pthread_mutex_unlock(&c->lock);
	/* Not while the lock is held: who wakes would wait for it. */
	if (idle)
		pthread_cond_signal(&c->work);
}

void
crew_deliver(struct crew *c, struct job *j)
{
	struct jobs one = STAILQ_HEAD_INITIALIZER(one);

	STAILQ_INSERT_TAIL(&one, j, link);
	crew_deliver_all(c, &one);
}

void
crew_deliver_all(struct crew *c, struct jobs *list)
{
	bool news;

	if (STAILQ_EMPTY(list))
		return;
	pthread_mutex_lock(&c->lock);
	STAILQ_CONCAT(&c->delivered, list);
	news = must_tell(c);
	pthread_mutex_unlock(&c->lock);
	if (news)
		tell(c);
}

int
crew_fd(const struct crew *c)
{
	return c->fds[0];
}

void
crew_wake(struct crew *c)
{
	bool news;

	pthread_mutex_lock(&c->lock);
	news = must_tell(c);
	pthread_mutex_unlock(&c->lock);
	if (news)
		tell(c);
}

void
crew_calm(struct crew *c)
{
	char drop[16];

	pthread_mutex_lock(&c->lock);
	if (read(c->fds[0], drop, sizeof(drop)) > 0)
		c->signalled = false;
	pthread_mutex_unlock(&c->lock);
}

struct job *
crew_take(struct crew *c)
{
	struct job *j;

	pthread_mutex_lock(&c->lock);
	if ((j = STAILQ_FIRST(&c->delivered)) != NULL)
		STAILQ_REMOVE_HEAD(&c->delivered, link);
	pthread_mutex_unlock(&c->lock);
	return j;
}

unsigned
crew_busy(struct crew *c)
{
	unsigned n;

	pthread_mutex_lock(&c->lock);
	n = c->busy;
	pthread_mutex_unlock(&c->lock);
	return n;
}

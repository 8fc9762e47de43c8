#include "queue/commit.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "queue/spread.h"

#define IOV 1000 /* below IOV_MAX everywhere */
#define GROUP_MAX (8u * 1024 * 1024)
#define LAZY_MS 1000 /* what nobody waits for is flushed by then */
#define SLOW_US 1000000 /* a flush that takes longer is worth a word */
#define REST_MS 5000 /* after the journal failed twice in a row */
#define ROOM_MS 20
#define MAIL_WAIT_MS 3000 /* at the end of the ring, before it is refused */

struct committer {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool asleep; /* or about to be: it must be woken */
	pthread_t thread;
	bool started, stop, hurry;
	bool over; /* the caller's thread only: nothing is written any more */
	struct jobs pending;
	uint64_t alarm_at;
	struct committer_stats stats;
	struct spread flush_us;
	_Atomic uint64_t flush_began;

	/* From here on the committer thread's own. */
	struct ring *ring;
	struct crew *crew;
	struct journal_key *key;
	struct codec_writer *writer;
	uint64_t segment_size;
	int slot; /* -1: none is open */
	struct journal_segment segment;
	uint64_t pos; /* where the next group goes; 0: the head is unwritten */
	uint64_t next_seq;
	uint64_t flushed; /* last flushed seq */
	struct jobs written; /* and not flushed yet */
	uint64_t written_since;
	struct jobs refused; /* to be answered after the next flush */
	unsigned failures; /* in a row */
	uint64_t rest_until;
	uint64_t full_since; /* ms; 0: there is room */
	struct draft cut;
	char cut_text[RING_SLOTS * 80];
	char block[JOURNAL_BLOCK];
	struct iovec iov[IOV];
};

static struct draft *
draft_of(struct job *j)
{
	return (struct draft *)(void *)j;
}

static void
answer(struct committer *c, struct jobs *list, enum queue_status status)
{
	struct jobs answered = STAILQ_HEAD_INITIALIZER(answered);
	struct job *j;

	while ((j = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		draft_of(j)->status = status;
		if (j != &c->cut.job)
			STAILQ_INSERT_TAIL(&answered, j, link);
	}
	crew_deliver_all(c->crew, &answered);
}

static int
flush(struct committer *c)
{
	uint64_t began = mono_us(), took;
	int rc, error;

	atomic_store(&c->flush_began, began / 1000);
	rc = fdatasync(ring_fd(c->ring, (unsigned)c->slot));
	error = errno;
	took = mono_us() - began;
	crew_report(c->crew, "journal.flush", began);
	pthread_mutex_lock(&c->lock);
	spread_add(&c->flush_us, took);
	atomic_store(&c->flush_began, 0);
	if (took > SLOW_US)
		c->stats.slow_at = (began + took) / 1000;
	if (rc == 0)
		c->stats.error = 0;
	pthread_mutex_unlock(&c->lock);
	if (rc == 0) {
		c->flushed = c->next_seq - 1;
		c->failures = 0;
	}
	errno = error;
	return rc;
}

static void
no_finish(struct job *j)
{
	(void)j;
}

static int
open_segment(struct committer *c, enum ring_need need, struct jobs *batch)
{
	int slot = ring_take(c->ring, need, c->next_seq, &c->segment);
	size_t len;

	if (slot == -1)
		return -1;
	c->full_since = 0;
	c->slot = slot;
	c->pos = 0;
	len = ring_cuts(c->ring, c->cut_text, sizeof(c->cut_text));
	if (len == 0)
		return 0;
	memset(&c->cut, 0, sizeof(c->cut));
	c->cut.job.finish = no_finish;
	c->cut.kind = JOURNAL_MARK;
	c->cut.flush = true;
	c->cut.part[0].iov_base = c->cut_text;
	c->cut.part[0].iov_len = len;
	c->cut.parts = 1;
	c->cut.length = (uint32_t)len;
	STAILQ_INSERT_HEAD(batch, &c->cut.job, link);
	return 0;
}

/*
 * The open segment is given up at its last flushed seq. What it held beyond
 * goes to the head of batch, to be written again; mail is refused, but only
 * answered when the next segment has said how far this one is valid.
 */
static void
give_up(struct committer *c, struct jobs *group, struct jobs *batch)
{
	struct jobs again = STAILQ_HEAD_INITIALIZER(again);
	struct job *j;

	pthread_mutex_lock(&c->lock);
	c->stats.error = c->stats.last_error = errno == 0 ? EIO : errno;
	c->stats.failed_at = mono_ms();
	pthread_mutex_unlock(&c->lock);
	ring_failed(c->ring, (unsigned)c->slot, c->flushed);
	c->slot = -1;
	c->failures++;
	STAILQ_CONCAT(&again, &c->written);
	while ((j = STAILQ_FIRST(group)) != NULL) {
		STAILQ_REMOVE_HEAD(group, link);
		if (j == &c->cut.job)
			continue;
		if (draft_is_mail(j))
			STAILQ_INSERT_TAIL(&c->refused, j, link);
		else
			STAILQ_INSERT_TAIL(&again, j, link);
	}
	/* All of it is flushed before anything else is answered. */
	STAILQ_FOREACH(j, &again, link)
		draft_of(j)->flush = true;
	STAILQ_CONCAT(&again, batch);
	STAILQ_CONCAT(batch, &again);
	/* With a batch that begins with what the old segment is worth. */
	if (c->failures < 3 && open_segment(c, RING_SPARE, batch) == 0)
		return;
	c->failures = 3;
	c->rest_until = mono_ms() + REST_MS;
	answer(c, &c->refused, QUEUE_FAILED);
	answer(c, batch, QUEUE_FAILED);
}

static uint64_t
room(const struct committer *c)
{
	uint64_t pos = c->pos == 0 ? JOURNAL_BLOCK : c->pos;

	return c->slot == -1 || pos >= c->segment_size ? 0
						       : c->segment_size - pos;
}

static void
add_iov(struct committer *c, int *n, const void *base, size_t len)
{
	if (len == 0)
		return;
	c->iov[*n].iov_base = (void *)(uintptr_t)base;
	c->iov[*n].iov_len = len;
	(*n)++;
}

/* Compresses, seals, hashes: here, so that the caller's thread does not, and
 * that records stand in the order in which they were submitted. */
static bool
prepare(struct committer *c, struct draft *d)
{
	struct jobs refused = STAILQ_HEAD_INITIALIZER(refused);
	uint64_t since;
	int rc;

	if (d->prepare == NULL)
		return true;
	since = crew_clock(c->crew);
	rc = draft_prepare(d, c->writer);
	crew_report(c->crew, "journal.prepare", since);
	if (rc == 0)
		return true;
	STAILQ_INSERT_TAIL(&refused, &d->job, link);
	answer(c, &refused, QUEUE_FAILED);
	return false;
}

/* What may reach how far into the ring's end. */
static enum ring_need
need_of(const struct committer *c, const struct job *j)
{
	return c->failures > 0 ? RING_SPARE : draft_need(j);
}

/* Moves what fits from batch to group; the octets of the records. */
static size_t
gather(struct committer *c, struct jobs *batch, struct jobs *group)
{
	uint64_t most = room(c);
	size_t total = 0, size;
	struct draft *d;
	struct job *j;
	unsigned left = ring_free(c->ring);
	int iovs = 4;

	if (most > GROUP_MAX)
		most = GROUP_MAX;
	while ((j = STAILQ_FIRST(batch)) != NULL) {
		d = draft_of(j);
		/* The open one may be one of the last. */
		if (left < (unsigned)need_of(c, j))
			break;
		if (d->prepare != NULL) {
			STAILQ_REMOVE_HEAD(batch, link);
			if (!prepare(c, d))
				continue;
			STAILQ_INSERT_HEAD(batch, j, link);
		}
		size = journal_record_size(d->length);
		/* A record beyond the bound goes alone. */
		if (iovs + d->parts + 2 > IOV ||
		    journal_group_size(total + size) >
			(total == 0 ? room(c) : most))
			break;
		iovs += d->parts + 2;
		total += size;
		STAILQ_REMOVE_HEAD(batch, link);
		STAILQ_INSERT_TAIL(group, j, link);
	}
	return total;
}

static int
write_group(struct committer *c, struct jobs *group, size_t total)
{
	static const char zeros[JOURNAL_BLOCK];
	char head[JOURNAL_GROUP_HEAD];
	struct journal_group g = { c->next_seq, c->flushed, (uint32_t)total };
	uint64_t at = c->pos, since, commits = 0;
	size_t size = journal_group_size(total);
	struct journal_record r;
	struct draft *d;
	struct job *j;
	int n = 0, i, rc;

	journal_key_set(c->key, c->segment.secret);
	if (at == 0) {
		journal_segment_print(&c->segment, c->block);
		add_iov(c, &n, c->block, sizeof(c->block));
	}
	journal_group_print(c->key, &g, head);
	add_iov(c, &n, head, sizeof(head));
	at = (at == 0 ? JOURNAL_BLOCK : at) + JOURNAL_GROUP_HEAD;
	STAILQ_FOREACH(j, group, link) {
		d = draft_of(j);
		r.seq = d->seq = c->next_seq++;
		r.kind = d->kind;
		r.length = d->length;
		journal_record_print(c->key, &r, d->part, d->parts, d->head);
		add_iov(c, &n, d->head, sizeof(d->head));
		for (i = 0; i < d->parts; i++)
			add_iov(c, &n, d->part[i].iov_base, d->part[i].iov_len);
		add_iov(c, &n, "\n", 1);
		d->slot = (unsigned)c->slot;
		d->at = at + JOURNAL_RECORD_HEAD;
		at += journal_record_size(d->length);
		commits += draft_is_mail(j);
	}
	add_iov(c, &n, zeros, size - JOURNAL_GROUP_HEAD - total);
	since = crew_clock(c->crew);
	rc =
	    draft_write(ring_fd(c->ring, (unsigned)c->slot), c->iov, n, c->pos);
	crew_report(c->crew, "journal.write", since);
	c->pos = (c->pos == 0 ? JOURNAL_BLOCK : c->pos) + size;
	ring_wrote(c->ring, (unsigned)c->slot, c->next_seq - 1, c->pos);
	pthread_mutex_lock(&c->lock);
	c->stats.groups++;
	c->stats.commits += commits;
	pthread_mutex_unlock(&c->lock);
	return rc;
}

/* The flush that answers everything written so far; -1 when it failed. */
static int
settle_written(struct committer *c, struct jobs *batch)
{
	struct jobs none = STAILQ_HEAD_INITIALIZER(none);

	if (STAILQ_EMPTY(&c->written))
		return 0;
	if (flush(c) == -1) {
		give_up(c, &none, batch);
		return -1;
	}
	answer(c, &c->written, QUEUE_OK);
	answer(c, &c->refused, QUEUE_FAILED);
	return 0;
}

static void
take_pending(struct committer *c, struct jobs *batch)
{
	pthread_mutex_lock(&c->lock);
	STAILQ_CONCAT(batch, &c->pending);
	pthread_mutex_unlock(&c->lock);
}

/* Whether mail may go on waiting for a checkpoint. Behind it no bulk: "all"
 * means what stands before it in the journal. */
static bool
mail_may_wait(struct committer *c, struct jobs *batch)
{
	struct job *j;

	if (c->full_since == 0)
		c->full_since = mono_ms();
	STAILQ_FOREACH(j, batch, link)
		if (draft_of(j)->kind == JOURNAL_BULK)
			return false;
	return mono_ms() < c->full_since + MAIL_WAIT_MS;
}

/* The ring is at its end: outcomes wait for a checkpoint, and so does mail,
 * behind them, for a while. */
static void
wait_for_room(struct committer *c, struct jobs *batch)
{
	struct jobs mail = STAILQ_HEAD_INITIALIZER(mail),
		    rest = STAILQ_HEAD_INITIALIZER(rest),
		    carried = STAILQ_HEAD_INITIALIZER(carried);
	struct timespec ts = { 0, ROOM_MS * 1000000L };
	bool stop, wait = mail_may_wait(c, batch);
	struct job *j;

	while ((j = STAILQ_FIRST(batch)) != NULL) {
		STAILQ_REMOVE_HEAD(batch, link);
		STAILQ_INSERT_TAIL(draft_of(j)->carried ? &carried
			: draft_is_mail(j)              ? &mail
							: &rest,
		    j, link);
	}
	answer(c, &carried, QUEUE_FULL);
	STAILQ_CONCAT(batch, &rest);
	if (wait)
		STAILQ_CONCAT(batch, &mail);
	answer(c, &mail, QUEUE_FULL);
	if (STAILQ_EMPTY(batch))
		return;
	crew_wake(c->crew); /* to start the checkpoint */
	pthread_mutex_lock(&c->lock);
	stop = c->stop;
	pthread_mutex_unlock(&c->lock);
	if (stop) {
		answer(c, batch, QUEUE_FAILED);
		return;
	}
	nanosleep(&ts, NULL);
	take_pending(c, batch);
}

/* What fits into no segment at all must not open one after the other. */
static bool
refuse_giant(struct committer *c, struct jobs *batch)
{
	struct jobs giant = STAILQ_HEAD_INITIALIZER(giant);
	struct job *j = STAILQ_FIRST(batch);

	if (journal_group_size(journal_record_size(draft_of(j)->length)) <=
	    c->segment_size - JOURNAL_BLOCK)
		return false;
	STAILQ_REMOVE_HEAD(batch, link);
	STAILQ_INSERT_TAIL(&giant, j, link);
	answer(c, &giant, QUEUE_FAILED);
	return true;
}

static void
serve(struct committer *c, struct jobs *batch)
{
	struct jobs group = STAILQ_HEAD_INITIALIZER(group);
	struct job *j;
	size_t total;
	bool wanted;

	while (!STAILQ_EMPTY(batch)) {
		if (c->failures >= 3 && mono_ms() < c->rest_until) {
			answer(c, batch, QUEUE_FAILED);
			return;
		}
		if (refuse_giant(c, batch))
			continue;
		total = gather(c, batch, &group);
		if (total == 0 && STAILQ_EMPTY(batch))
			return; /* all that was left has been refused */
		if (total == 0) {
			/* The next one may be written while this one is not
			 * flushed: each segment is flushed on its own. */
			if (c->slot != -1 && settle_written(c, batch) == -1)
				continue;
			j = STAILQ_FIRST(batch);
			if (open_segment(c, need_of(c, j), batch) == -1 &&
			    !drafts_urgent(batch))
				wait_for_room(c, batch);
			continue;
		}
		wanted = !STAILQ_EMPTY(&c->refused);
		STAILQ_FOREACH(j, &group, link)
			wanted = wanted || draft_of(j)->flush;
		if (write_group(c, &group, total) == -1) {
			give_up(c, &group, batch);
			continue;
		}
		if (STAILQ_EMPTY(&c->written))
			c->written_since = mono_ms();
		if (wanted && flush(c) == -1) {
			give_up(c, &group, batch);
			continue;
		}
		STAILQ_CONCAT(&c->written, &group);
		if (wanted) {
			answer(c, &c->written, QUEUE_OK);
			answer(c, &c->refused, QUEUE_FAILED);
		}
	}
}

/* Sleeps until there is something to do; takes it. */
static bool
await(struct committer *c, struct jobs *batch, bool *hurry)
{
	uint64_t now, until;
	struct timespec ts;
	bool go = true;

	pthread_mutex_lock(&c->lock);
	while (STAILQ_EMPTY(&c->pending) && !c->hurry) {
		now = mono_ms();
		until = UINT64_MAX;
		if (c->stop) {
			go = false;
			break;
		}
		if (c->alarm_at != 0 && c->alarm_at <= now) {
			c->alarm_at = 0;
			crew_wake(c->crew);
		}
		if (c->alarm_at != 0)
			until = c->alarm_at;
		if (!STAILQ_EMPTY(&c->written)) {
			if (c->written_since + LAZY_MS <= now)
				break;
			if (c->written_since + LAZY_MS < until)
				until = c->written_since + LAZY_MS;
		}
		c->asleep = true;
		ts.tv_sec = (time_t)(until / 1000);
		ts.tv_nsec = (long)(until % 1000) * 1000000;
		if (until == UINT64_MAX)
			pthread_cond_wait(&c->wake, &c->lock);
		else
			pthread_cond_timedwait(&c->wake, &c->lock, &ts);
		c->asleep = false;
	}
	*hurry = c->hurry;
	c->hurry = false;
	STAILQ_CONCAT(batch, &c->pending);
	pthread_mutex_unlock(&c->lock);
	return go;
}

static void *
run(void *arg)
{
	struct committer *c = arg;
	struct jobs batch = STAILQ_HEAD_INITIALIZER(batch);
	bool go, hurry;

	do {
		go = await(c, &batch, &hurry);
		serve(c, &batch);
		/* Nobody came along in time: a flush for these alone. */
		if (!STAILQ_EMPTY(&c->written) &&
		    (hurry || !go || c->written_since + LAZY_MS <= mono_ms()) &&
		    settle_written(c, &batch) == -1)
			serve(c, &batch);
	} while (go);
	answer(c, &c->refused, QUEUE_FAILED);
	return NULL;
}

struct committer *
committer_new(
    struct ring *r, struct crew *crew, uint64_t segment_size, uint64_t next_seq)
{
	struct committer *c = mem_zalloc(sizeof(*c));
	pthread_condattr_t attr;

	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->wake, &attr);
	pthread_condattr_destroy(&attr);
	STAILQ_INIT(&c->pending);
	STAILQ_INIT(&c->written);
	STAILQ_INIT(&c->refused);
	c->ring = r;
	c->crew = crew;
	c->key = journal_key_new();
	c->writer = codec_writer_new();
	c->segment_size = segment_size;
	c->slot = -1;
	c->next_seq = next_seq;
	c->flushed = next_seq - 1;
	return c;
}

void
committer_free(struct committer *c)
{
	if (c == NULL)
		return;
	journal_key_free(c->key);
	codec_writer_free(c->writer);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->wake);
	free(c);
}

static void
start(struct committer *c)
{
	sigset_t all, old;

	if (c->started)
		return;
	c->started = true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&c->thread, NULL, run, c) != 0)
		fatal("cannot start a thread: %s", strerror(errno));
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void
committer_submit(struct committer *c, struct draft *d)
{
	bool asleep;

	draft_measure(d);
	if (c->over) {
		d->status = QUEUE_FAILED;
		crew_deliver(c->crew, &d->job);
		return;
	}
	start(c);
	pthread_mutex_lock(&c->lock);
	STAILQ_INSERT_TAIL(&c->pending, &d->job, link);
	asleep = c->asleep;
	pthread_mutex_unlock(&c->lock);
	/* Not while the lock is held: who wakes would wait for it. */
	if (asleep)
		pthread_cond_signal(&c->wake);
}

void
committer_stop(struct committer *c)
{
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	if (c->started)
		pthread_join(c->thread, NULL);
	c->started = false;
	c->over = true;
}

void
committer_alarm(struct committer *c, uint64_t at)
{
	start(c);
	pthread_mutex_lock(&c->lock);
	if (c->alarm_at != at) {
		c->alarm_at = at;
		pthread_cond_signal(&c->wake);
	}
	pthread_mutex_unlock(&c->lock);
}

void
committer_hurry(struct committer *c)
{
	pthread_mutex_lock(&c->lock);
	c->hurry = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
}

void
committer_stats(struct committer *c, struct committer_stats *s)
{
	pthread_mutex_lock(&c->lock);
	*s = c->stats;
	s->flush_began = atomic_load(&c->flush_began);
	s->flushes = c->flush_us.n;
	s->flush_us_p50 = spread_percentile(&c->flush_us, 50);
	s->flush_us_p99 = spread_percentile(&c->flush_us, 99);
	s->flush_us_max = c->flush_us.max;
	pthread_mutex_unlock(&c->lock);
}

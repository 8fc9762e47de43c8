/*
 * checkpoint - the journal forgets what is safe in files
 *
 * Fix low, flush the file system, write the mark, free the segments below it:
 * in that order, and nothing is freed before the mark is flushed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "queue/inside.h"

#define AFTER_WORK_MS 30000
#define AFTER_FAILURE_MS 5000
#define PROBE_MS 1000 /* how often a journal that failed is looked at */

struct sync {
	struct job job;
	bool each; /* file and bucket */
	bool log_only; /* no file of the queue changed since the last one */
	uint64_t *touched;
	size_t n;
	uint64_t *removed;
	size_t removed_count;
	int error;
	bool lost; /* what was flushed is lost; else there was no flush */
};

struct mark {
	struct draft d;
	char text[64];
};

struct renewal {
	struct job job;
	unsigned slot;
	int error;
};

void
checkpoint_touch(struct queue *q, uint64_t evpid)
{
	if (q->sync_files)
		(void)buf_put(q->touched, &evpid, sizeof(evpid));
}

static int
sync_name(struct sync *s, const char *name, bool dir)
{
	const struct layout *l = &s->job.q->layout;
	int fd =
	    dir ? layout_open_dir(l, name) : layout_open_read(l, name, NULL);
	int rc;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	rc = fsync(fd);
	s->lost = rc == -1;
	s->error = rc == -1 ? errno : 0;
	close(fd);
	errno = s->error;
	return rc;
}

static int
sync_each(struct sync *s)
{
	char name[LAYOUT_NAME_MAX];
	unsigned b;
	size_t i;

	for (i = 0; i < s->n; i++) {
		if (ident_rcpt(s->touched[i]) == 0)
			layout_message(name, ident_msgid(s->touched[i]));
		else
			layout_envelope(name, s->touched[i]);
		if (sync_name(s, name, false) == -1)
			return -1;
	}
	for (b = 0; b < LAYOUT_BUCKETS; b++)
		if (sync_name(s, layout_bucket_name(name, b), true) == -1)
			return -1;
	return sync_name(s, "incoming", true);
}

static void
run_sync(struct job *j)
{
	struct sync *s = (struct sync *)(void *)j;
	int rc;

	/* Mail that came and went in the journal must not wait for whatever
	 * else the file system has to write. */
	if (s->log_only) {
		rc = sync_name(s, "state/finished", false);
		s->error = rc == -1 ? errno : 0;
		return;
	}
#ifdef __linux__
	if (!s->each) {
		rc = syncfs(j->q->layout.root);
		s->lost = rc == -1;
	} else
#endif
		rc = sync_each(s);
	s->error = rc == -1 ? errno : 0;
}

static void
finish_mark(struct job *j)
{
	struct mark *m = (struct mark *)(void *)j;
	struct queue *q = j->q;

	change_answered(q, &m->d);
	if (q->probing) {
		q->probing = false;
		if (m->d.status == QUEUE_OK && q->low == m->d.seq)
			q->low++;
		free(m);
		return;
	}
	q->checkpoint = CHECKPOINT_IDLE;
	if (m->d.status == QUEUE_OK) {
		/* The segment of the mark stays: its low is below its seq. */
		(void)ring_release(q->ring, q->low_next);
		q->low = q->low_next == m->d.seq ? m->d.seq + 1 : q->low_next;
		anew_flushed(q);
	} else
		q->checkpoint_after = q->now + AFTER_FAILURE_MS;
	exact_flushed(q, m->d.status == QUEUE_OK);
	free(m);
}

static void
write_mark(struct queue *q, uint64_t low)
{
	struct mark *m = mem_zalloc(sizeof(*m));

	snprintf(m->text, sizeof(m->text), "low=%016" PRIx64 "\n", low);
	m->d.job.q = q;
	m->d.job.finish = finish_mark;
	m->d.kind = JOURNAL_MARK;
	m->d.flush = true;
	m->d.part[0].iov_base = m->text;
	m->d.part[0].iov_len = strlen(m->text);
	m->d.parts = 1;
	committer_submit(q->committer, &m->d);
}

/* Whether the journal works again must not be left to mail that is refused. */
static void
probe(struct queue *q)
{
	if (q->journal_error == 0 || q->probing || q->now < q->probe_at ||
	    q->checkpoint != CHECKPOINT_IDLE)
		return;
	q->probe_at = q->now + PROBE_MS;
	q->probing = true;
	write_mark(q, q->low);
}

/* No descriptor was to be had, or no memory: nothing is lost by that. */
static void
try_later(struct queue *q, const struct sync *s)
{
	q->flush_error = s->error;
	q->filed = q->filed || !s->log_only;
	q->checkpoint_after = q->now + AFTER_FAILURE_MS;
}

static void
finish_sync(struct job *j)
{
	struct sync *s = (struct sync *)(void *)j;
	struct queue *q = j->q;

	if (s->error == 0) {
		q->checkpoint = CHECKPOINT_MARK;
		write_mark(q, q->low_next);
	} else {
		q->checkpoint = CHECKPOINT_IDLE;
		if (s->n > 0)
			(void)buf_put(
			    q->touched, s->touched, s->n * sizeof(*s->touched));
		(void)buf_put(q->removed, s->removed,
		    s->removed_count * sizeof(*s->removed));
		exact_fail(q);
		if (s->lost)
			anew_begin(q, s->error);
		else
			try_later(q, s);
	}
	free(s->removed);
	free(s->touched);
	free(s);
}

/* The seq below which all is in files: exact when nothing waits, else the
 * first of the oldest segment that something still needs. */
static uint64_t
lowest(struct queue *q)
{
	uint64_t low = q->last_seq + 1, first;
	unsigned i;

	for (i = 0; i < RING_SLOTS; i++) {
		if (q->pins[i] == 0)
			continue;
		first = ring_first(q->ring, i);
		if (first < low)
			low = first;
	}
	return low;
}

static void
begin(struct queue *q, uint64_t low)
{
	struct sync *s = mem_zalloc(sizeof(*s));
	size_t len;

	q->low_next = low;
	q->checkpoint = CHECKPOINT_SYNC;
	q->work_since = 0;
	/* What is not below the mark keeps the clock running. */
	if (low <= q->last_seq)
		q->work_since = q->now;
	s->job.q = q;
	s->job.run = run_sync;
	s->job.finish = finish_sync;
	s->job.operation = "checkpoint.sync";
	s->each = q->sync_files;
	s->log_only = !q->filed;
	q->filed = false;
	s->removed = (uint64_t *)(void *)buf_steal(q->removed, &len);
	s->removed_count = len / sizeof(*s->removed);
	if (s->each) {
		s->touched = (uint64_t *)(void *)buf_steal(q->touched, &len);
		s->n = len / sizeof(*s->touched);
	}
	crew_submit(q->crew, &s->job, false);
}

static void
finish_renewal(struct job *j)
{
	struct renewal *r = (struct renewal *)(void *)j;

	j->q->renewing = false;
	(void)trouble_part(j->q->trouble, TROUBLE_RENEWAL, r->error, j->q->now);
	if (r->error != 0)
		j->q->checkpoint_after = j->q->now + AFTER_FAILURE_MS;
	free(r);
}

static void
run_renewal(struct job *j)
{
	struct renewal *r = (struct renewal *)(void *)j;

	if (ring_renew(j->q->ring, r->slot) == -1)
		r->error = errno;
}

static void
renew(struct queue *q)
{
	struct renewal *r;
	int slot;

	if (q->renewing || q->anew == ANEW_READ ||
	    q->now < q->checkpoint_after || (slot = ring_stale(q->ring)) == -1)
		return;
	r = mem_zalloc(sizeof(*r));
	r->job.q = q;
	r->job.run = run_renewal;
	r->job.finish = finish_renewal;
	r->slot = (unsigned)slot;
	q->renewing = true;
	crew_submit(q->crew, &r->job, false);
}

/* Nothing is changing and nothing waits to be written. */
static bool
quiet(const struct queue *q)
{
	struct entry *e;
	size_t at;

	if (q->jobs > 0 || !TAILQ_EMPTY(&q->soon) || !TAILQ_EMPTY(&q->later))
		return false;
	HMAP_FOREACH(e, q->entries, at)
		if (e->pending > 0 || e->busy)
			return false;
	return true;
}

bool
checkpoint_idle(struct queue *q)
{
	/* What is pinned for want of a key is not waited for. */
	return q->checkpoint == CHECKPOINT_IDLE && quiet(q) &&
	    lowest(q) <= q->low;
}

static bool
wanted(struct queue *q, uint64_t low)
{
	if (q->flush_error != 0)
		return true;
	if (low <= q->low)
		return false;
	return q->closing || ring_releasable(q->ring, low) > 0 ||
	    (q->work_since != 0 && q->now >= q->work_since + AFTER_WORK_MS);
}

/* What takes long must not hold the ring's end where it began. */
static bool
crowded(const struct queue *q, unsigned part)
{
	uint64_t size, used;

	ring_use(q->ring, &size, &used);
	return used > size / part;
}

void
checkpoint_turn(struct queue *q)
{
	uint64_t low;

	renew(q);
	probe(q);
	anew_turn(q);
	if (q->probing)
		return;
	exact_turn(q);
	if (q->now < q->checkpoint_after ||
	    (q->anew != ANEW_NONE && q->anew != ANEW_FILES))
		return;
	low = lowest(q);
	/* Also while the file system is flushed, which may take longer than
	 * filling the ring: what pins it must not find it full. */
	if (crowded(q, 4))
		bulk_carry(q, low);
	if (crowded(q, 3))
		forward_turn(q, low);
	if (q->checkpoint != CHECKPOINT_IDLE)
		return;
	if (q->anew == ANEW_FILES ? anew_is_ready(q)
				  : exact_ready(q, low) || wanted(q, low))
		begin(q, low > q->low ? low : q->low);
}

uint64_t
checkpoint_next(const struct queue *q)
{
	if (q->journal_error != 0)
		return q->now + PROBE_MS;
	if (q->anew == ANEW_DUE)
		return q->anew_at;
	if (q->checkpoint != CHECKPOINT_IDLE || anew_holds_files(q))
		return 0;
	if (q->flush_error != 0)
		return q->checkpoint_after > q->now ? q->checkpoint_after
						    : q->now + 20;
	if (!STAILQ_EMPTY(&q->syncers))
		return q->now + 20;
	return q->work_since == 0 ? 0 : q->work_since + AFTER_WORK_MS;
}

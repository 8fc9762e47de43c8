/*
 * queue - the public face: open, turn, close, options, numbers
 */
#include "queue/queue.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "queue/inside.h"

#define CALLBACKS 256 /* a turn */
#define READERS 4 /* a walk waits for the disk more than it works */
#define WORKERS 2
#define SEGMENTS 8
#define RESERVE_PERCENT 2
#define SEGMENT_LEAST 65536
#define JOURNAL_MOST (UINT64_C(128) * 1024 * 1024)
#define FINISHED_LINES (256u * 1024)
#define SLOW_MS 1000
#define SLOW_SHOWN_MS 5000
#define FAILED_SHOWN_MS 3000
#define CACHE_OCTETS (8u * 1024 * 1024)
#define TOUCHED_MAX (64u * 1024 * 1024)

static void
set_options(struct queue *q, const struct queue_options *o, unsigned *segments)
{
	uint64_t size = o->journal_size;
	struct statvfs v;

	*segments = o->segments == 0 ? SEGMENTS : o->segments;
	if (*segments < 4)
		*segments = 4;
	if (*segments > 16)
		*segments = 16;
	if (size == 0) {
		size = JOURNAL_MOST;
		if (fstatvfs(q->layout.root, &v) == 0 &&
		    (uint64_t)v.f_blocks * v.f_frsize / 16 < size)
			size = (uint64_t)v.f_blocks * v.f_frsize / 16;
	}
	size = size / *segments / JOURNAL_BLOCK * JOURNAL_BLOCK;
	q->segment_size = size < SEGMENT_LEAST ? SEGMENT_LEAST : size;
	q->put_max = (size_t)q->segment_size / 4 - 2 * JOURNAL_RECORD_HEAD;
	q->workers = o->workers == 0 ? WORKERS : o->workers;
	q->large = o->large == 0 ? 256 * 1024 : o->large;
	q->settle_ms = o->settle_ms == 0 ? 1000
	    : o->settle_ms == UINT_MAX   ? 0
					 : o->settle_ms;
	q->body_cap = o->body_cap == 0 ? 64u * 1024 * 1024 : o->body_cap;
	q->reserve_percent =
	    o->reserve_percent == 0 ? RESERVE_PERCENT : o->reserve_percent;
	q->sync_files = o->sync_files;
#ifndef __linux__
	q->sync_files = true; /* there is no syncfs that tells */
#endif
}

static void
queue_free(struct queue *q)
{
	struct entry *e;
	size_t at;

	load_free(q);
	anew_free(q);
	bulk_free_all(q);
	for (;;) {
		at = 0;
		if ((e = hmap_next(q->entries, &at)) == NULL)
			break;
		e->list = NULL; /* the lists go as a whole */
		entry_free(q, e);
	}
	committer_free(q->committer);
	ring_close(q->ring);
	crew_free(q->crew);
	layout_close(&q->layout);
	hmap_free(q->entries);
	hmap_free(q->txns);
	shelf_free(q->shelf);
	keys_free(q);
	tally_free(q->tally);
	trouble_free(q->trouble);
	cache_free(q->cache);
	buf_free(q->finished);
	buf_free(q->touched);
	buf_free(q->removed);
	free(q);
}

struct queue *
queue_open(const struct queue_options *o, char *err, size_t errlen)
{
	struct queue *q = mem_zalloc(sizeof(*q));
	unsigned segments;

	q->layout.root = q->layout.lock = -1;
	q->tally = tally_new();
	q->trouble = trouble_new();
	q->cache = cache_new(o->cache == 0 ? CACHE_OCTETS : o->cache);
	q->entries = hmap_new();
	q->txns = hmap_new();
	q->locks = hmap_new();
	q->shelf = shelf_new();
	q->keys = o->keys == NULL ? NULL : keyring_ref(o->keys);
	q->compression = o->compression;
	q->seal = o->seal;
	if (q->seal && (q->keys == NULL || keyring_active(q->keys) == NULL)) {
		snprintf(err, errlen,
		    "spool: it is to be sealed, and no key is active");
		goto failed;
	}
	q->finished = buf_new(FINISHED_LINES);
	q->touched = buf_new(TOUCHED_MAX);
	q->removed = buf_new(TOUCHED_MAX);
	TAILQ_INIT(&q->soon);
	TAILQ_INIT(&q->later);
	TAILQ_INIT(&q->retry);
	TAILQ_INIT(&q->unseen);
	LIST_INIT(&q->bulks);
	STAILQ_INIT(&q->syncers);
	q->now = mono_ms();
	q->filed = true; /* by the run before, for all we know */
	q->block_size = 4096;
	if (layout_open(&q->layout, o->path,
		o->owner == 0 ? (uid_t)-1 : o->owner,
		o->owner == 0 ? (gid_t)-1 : o->group, err, errlen) == -1)
		goto failed;
	set_options(q, o, &segments);
	q->crew = crew_new(o->workers == 0 ? READERS : o->workers);
	if (q->crew == NULL) {
		snprintf(err, errlen, "spool: %s", strerror(errno));
		goto failed;
	}
	q->ring = ring_open(&q->layout, q->segment_size, err, errlen);
	if (q->ring == NULL || restore(q, err, errlen) == -1 ||
	    ring_fill(q->ring, segments, err, errlen) == -1)
		goto failed;
	q->committer =
	    committer_new(q->ring, q->crew, q->segment_size, q->last_seq + 1);
	return q;
failed:
	queue_free(q);
	return NULL;
}

int
queue_fd(const struct queue *q)
{
	return crew_fd(q->crew);
}

/* How the journal and the files do; threads log nothing. */
static void
look_at_disk(struct queue *q)
{
	uint64_t now = mono_ms();
	struct committer_stats c;
	bool slow;

	committer_stats(q->committer, &c);
	slow = (c.flush_began != 0 && now > c.flush_began + SLOW_MS) ||
	    (c.slow_at != 0 && now < c.slow_at + SLOW_SHOWN_MS);
	q->journal_error = c.error;
	/* What comes and goes is to be seen as well. */
	(void)trouble_part(q->trouble, TROUBLE_JOURNAL,
	    c.failed_at != 0 && now < c.failed_at + FAILED_SHOWN_MS
		? c.last_error
		: c.error,
	    now);
	(void)trouble_part(q->trouble, TROUBLE_SLOW, slow ? ETIMEDOUT : 0, now);
	(void)trouble_part(q->trouble, TROUBLE_FILES, q->flush_error, now);
}

/* When the caller's thread has to be here again, if nothing happens. */
static void
set_alarm(struct queue *q)
{
	uint64_t next[3], at = 0;
	unsigned i;

	next[0] = filing_next(q);
	next[1] = checkpoint_next(q);
	next[2] = buf_len(q->finished) == 0 || q->finished_busy
	    ? 0
	    : q->finished_since + 1000;
	for (i = 0; i < 3; i++)
		if (next[i] != 0 && (at == 0 || next[i] < at))
			at = next[i];
	if (at != 0)
		committer_alarm(q->committer, at);
}

void
queue_turn(struct queue *q)
{
	struct job *j = NULL;
	unsigned n;

	crew_calm(q->crew);
	q->now = mono_ms();
	for (n = 0; n < CALLBACKS && (j = crew_take(q->crew)) != NULL; n++)
		j->finish(j);
	if (n == CALLBACKS)
		crew_wake(q->crew);
	else
		(void)load_turn(q, CALLBACKS - n);
	look_at_disk(q);
	filing_turn(q);
	checkpoint_turn(q);
	finished_turn(q);
	shelf_tidy(q->shelf, q->now);
	set_alarm(q);
}

static bool
at_rest(struct queue *q)
{
	return checkpoint_idle(q) && buf_len(q->finished) == 0 &&
	    !q->finished_busy && TAILQ_EMPTY(&q->retry);
}

void
queue_close(struct queue *q, unsigned ms)
{
	uint64_t until = mono_ms() + ms;
	struct pollfd p = { queue_fd(q), POLLIN, 0 };
	struct syncer *s;
	struct job *j;

	q->closing = true;
	do {
		committer_hurry(q->committer);
		queue_turn(q);
		if (ms == 0 || at_rest(q) || q->load != NULL)
			break;
		(void)poll(&p, 1, 20);
	} while (mono_ms() < until);
	/* What arrived is flushed and answered, come what may. */
	committer_stop(q->committer);
	crew_stop(q->crew);
	while ((j = crew_take(q->crew)) != NULL)
		j->finish(j);
	while ((s = STAILQ_FIRST(&q->syncers)) != NULL) {
		STAILQ_REMOVE_HEAD(&q->syncers, link);
		if (s->cb != NULL)
			s->cb(s->ctx, QUEUE_FAILED);
		free(s);
	}
	queue_free(q);
}

void
queue_stats(struct queue *q, struct queue_stats *s)
{
	char text[160];
	struct committer_stats c;

	committer_stats(q->committer, &c);
	(void)room_for(q, 4096, 2); /* as for a message that begins */
	*s = q->stats;
	s->messages = tally_messages(q->tally);
	s->commits = c.commits;
	s->groups = c.groups;
	s->flushes = c.flushes;
	s->flush_us_p50 = c.flush_us_p50;
	s->flush_us_p99 = c.flush_us_p99;
	s->flush_us_max = c.flush_us_max;
	s->body_bytes = q->body_bytes;
	s->cached_bytes = cache_octets(q->cache);
	ring_use(q->ring, &s->journal_size, &s->journal_used);
	if (q->blocks_all > 0)
		s->free_blocks_percent =
		    (unsigned)(q->blocks_free * 100 / q->blocks_all);
	s->free_inodes_percent = q->inodes_all == 0
	    ? 100
	    : (unsigned)(q->inodes_free * 100 / q->inodes_all);
	s->full = q->full;
	aside_count(q);
	look_at_disk(q);
	trouble_text(q->trouble, text, sizeof(text), mono_ms());
	snprintf(s->alarm, sizeof(s->alarm), "%s%s%s",
	    q->full ? "no room: free blocks or inodes are below the reserve, "
		      "mail is refused"
		    : "",
	    q->full && text[0] != '\0' ? "; " : "", text);
	if (s->alarm[0] == '\0')
		snprintf(s->alarm, sizeof(s->alarm), "%s", q->open_alarm);
}

void
queue_profile(struct queue *q, void (*fn)(const char *operation, uint64_t us))
{
	crew_profile(q->crew, fn);
}

#include "tools/qtool/survey.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "tools/qtool/buckets.h"
#include "tools/qtool/look.h"
#include "tools/qtool/tree.h"

#define AHEAD 16 /* files the disk is told of before they are read */
#define HEAD_AHEAD 8192 /* octets of a file of which more is not read */
#define BATCH 64 /* files between two looks at the clock of progress */

/* Names found in a bucket that is not theirs: who misses them need not. */
struct strays {
	uint64_t *ids;
	size_t n, room;
};

/* One run, shared by its threads. */
struct run {
	const struct survey_options *o;
	pthread_mutex_t lock;
	struct survey_stats stats;
	struct problems problems;
	struct strays strays;
};

static void
strays_add(struct strays *s, uint64_t id)
{
	if (s->n == s->room) {
		s->room = s->room == 0 ? 16 : s->room * 2;
		s->ids = mem_rearray(s->ids, s->room, sizeof(*s->ids));
	}
	s->ids[s->n++] = id;
}

/* A message and its envelopes stand together: items[0..n). */
static void
look_at_family(const struct survey_options *o, struct tree_item *const *items,
    size_t n, struct problems *p)
{
	bool message = ident_rcpt(items[0]->id) == 0;
	size_t i;

	if (o->level < SURVEY_PARSE || (message && n > 1) ||
	    o->mentions(o->ctx, ident_msgid(items[0]->id)))
		return;
	if (message) {
		problems_add(p, PROBLEM_ORPHAN_MESSAGE, items[0]->file,
		    "a message without any envelope");
		return;
	}
	for (i = 0; i < n; i++)
		problems_add(p, PROBLEM_ORPHAN_ENVELOPE, items[i]->file,
		    "an envelope without its message");
}

static void
look_at_families(const struct survey_options *o, struct tree_item *const *items,
    size_t n, struct problems *p)
{
	size_t at = 0, count;

	while (at < n && items[at]->id != 0 && !items[at]->stray) {
		for (count = 1; at + count < n && !items[at + count]->stray &&
		     ident_msgid(items[at + count]->id) ==
			 ident_msgid(items[at]->id);
		     count++)
			;
		look_at_family(o, items + at, count, p);
		at += count;
	}
}

static int
by_inode(const void *a, const void *b)
{
	const struct tree_item *x = *(struct tree_item *const *)a,
			       *y = *(struct tree_item *const *)b;

	return x->st.st_ino < y->st.st_ino ? -1 : x->st.st_ino > y->st.st_ino;
}

static void
publish(struct run *r, struct looker *k, struct survey_stats *s)
{
	looker_count(k, s);
	pthread_mutex_lock(&r->lock);
	r->stats.files += s->files;
	r->stats.messages += s->messages;
	r->stats.envelopes += s->envelopes;
	r->stats.octets += s->octets;
	r->stats.covered += s->covered;
	r->stats.buckets += s->buckets;
	pthread_mutex_unlock(&r->lock);
	memset(s, 0, sizeof(*s));
}

static bool
to_open(const struct survey_options *o, const struct tree_item *it)
{
	return it->sound && o->level > SURVEY_NAMES &&
	    (o->since == 0 || it->st.st_mtime >= o->since ||
		it->st.st_ctime >= o->since);
}

/* The disk may begin with what will be read soon. */
static void
read_ahead(const struct survey_options *o, const struct tree_item *it)
{
#ifdef POSIX_FADV_WILLNEED
	int fd;

	if (!to_open(o, it))
		return;
	fd = openat(o->layout->root, it->file,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		return;
	(void)posix_fadvise(fd, 0, o->level == SURVEY_DEEP ? 0 : HEAD_AHEAD,
	    POSIX_FADV_WILLNEED);
	close(fd);
#else
	(void)o;
	(void)it;
#endif
}

static void
look_at_bucket(void *ctx, void *own, unsigned bucket)
{
	struct run *r = ctx;
	struct looker *k = own;
	struct survey_stats s = { 0 };
	struct problems p = { 0 };
	struct tree_item **items;
	size_t i, n;

	items = tree_bucket(r->o, bucket, &n, &p);
	look_at_families(r->o, items, n, &p);
	if (n > 1)
		qsort(items, n, sizeof(struct tree_item *), by_inode);
	for (i = 0; i < n && i < AHEAD; i++)
		read_ahead(r->o, items[i]);
	for (i = 0; i < n; i++) {
		if (i + AHEAD < n)
			read_ahead(r->o, items[i + AHEAD]);
		s.files++;
		s.messages += items[i]->kind == INSPECT_MESSAGE;
		s.envelopes += items[i]->kind == INSPECT_ENVELOPE;
		s.covered += items[i]->covered;
		if (to_open(r->o, items[i]))
			look_at(k, items[i], &p);
		if (s.files % BATCH == 0)
			publish(r, k, &s);
	}
	s.buckets = 1;
	publish(r, k, &s);
	pthread_mutex_lock(&r->lock);
	problems_join(&r->problems, &p);
	for (i = 0; i < n; i++)
		if (items[i]->stray)
			strays_add(&r->strays, items[i]->id);
	pthread_mutex_unlock(&r->lock);
	problems_clear(&p);
	for (i = 0; i < n; i++)
		free(items[i]);
	free(items);
}

static void *
begin(void *ctx)
{
	struct run *r = ctx;

	return looker_new(r->o);
}

static void
end(void *ctx, void *own)
{
	(void)ctx;
	looker_free(own);
}

static void
progress(void *ctx)
{
	struct run *r = ctx;
	struct survey_stats s;

	pthread_mutex_lock(&r->lock);
	s = r->stats;
	pthread_mutex_unlock(&r->lock);
	if (r->o->progress != NULL)
		r->o->progress(r->o->progress_ctx, &s);
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* True when the orphan's other half only stands in the wrong bucket. */
static bool
is_strayed(const struct strays *s, const struct problem *at)
{
	const char *base = strrchr(at->file, '/') + 1;
	bool message = at->class == PROBLEM_ORPHAN_MESSAGE;
	size_t lo = 0, hi = s->n, mid;
	uint64_t id, first;

	(void)inspect_name(base, &id);
	first = ident_evpid(ident_msgid(id), message ? 1 : 0);
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (s->ids[mid] < first)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n &&
	    (message ? ident_msgid(s->ids[lo]) == ident_msgid(id)
		     : s->ids[lo] == first);
}

static void
drop_strayed(struct run *r)
{
	struct problems *p = &r->problems;
	size_t i = 0;

	if (r->strays.n == 0)
		return;
	qsort(r->strays.ids, r->strays.n, sizeof(*r->strays.ids), by_value);
	while (i < p->n)
		if ((p->at[i].class == PROBLEM_ORPHAN_MESSAGE ||
			p->at[i].class == PROBLEM_ORPHAN_ENVELOPE) &&
		    is_strayed(&r->strays, &p->at[i]))
			problems_drop(p, i);
		else
			i++;
}

void
survey(
    const struct survey_options *o, struct problems *p, struct survey_stats *s)
{
	struct run r = { .o = o };
	struct buckets_work w = {
		.begin = begin,
		.bucket = look_at_bucket,
		.end = end,
		.progress = progress,
		.ctx = &r,
	};

	pthread_mutex_init(&r.lock, NULL);
	if (o->wanted == NULL)
		tree_rest(o, &r.problems);
	buckets_run(o->jobs, &w);
	drop_strayed(&r);
	free(r.strays.ids);
	problems_join(p, &r.problems);
	problems_clear(&r.problems);
	problems_sort(p);
	*s = r.stats;
	pthread_mutex_destroy(&r.lock);
}

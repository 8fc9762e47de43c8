#include "queue/view.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "queue/lock.h"
#include "queue/view_inside.h"

#define VERSION_TEXT "spoolkit-spool 1\n"
#define JOBS_MAX 64
#define JOBS_OWN 8
#define AHEAD 4 /* buckets a thread may be ahead of what was ended */

const char *
view_status_name(enum view_status s)
{
	static const char *const names[VIEW_STATUSES] = { "whole", "gone",
		"locked", "unavailable", "torn", "edited", "broken" };

	return names[s];
}

const char *
view_odd_name(enum view_odd odd)
{
	static const char *const names[VIEW_ODDS] = { "foreign", "wrong-bucket",
		"orphan-message", "orphan-envelope", "directory", "scrap" };

	return names[odd];
}

static unsigned
own_jobs(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > JOBS_OWN ? JOBS_OWN : (unsigned)n;
}

static int
open_root(struct view *v, const char *path, char *err, size_t errlen)
{
	struct stat st;
	size_t len;
	char *text;

	v->layout.root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->layout.root == -1 || fstat(v->layout.root, &st) == -1) {
		snprintf(err, errlen, "spool %s: %s", path, strerror(errno));
		return -1;
	}
	v->layout.owner = st.st_uid;
	v->layout.group = st.st_gid;
	/* For those that write after all: a lock that root makes is theirs. */
	v->layout.chown = geteuid() == 0 && st.st_uid != 0;
	text = layout_read_all(&v->layout, "VERSION", 256, &len);
	if (text == NULL) {
		snprintf(err, errlen, "spool %s: %s%s", path,
		    errno == ENOENT ? "not a spool, there is no file VERSION"
				    : "VERSION: ",
		    errno == ENOENT ? "" : layout_reason(errno));
		return -1;
	}
	if (strcmp(text, VERSION_TEXT) == 0) {
		free(text);
		return 0;
	}
	text[strcspn(text, "\n")] = '\0';
	snprintf(err, errlen,
	    "spool %s: VERSION says \"%.40s\", not \"spoolkit-spool 1\"", path,
	    text);
	free(text);
	return -1;
}

struct view *
view_open(const struct view_options *o, char *err, size_t errlen)
{
	struct view *v = mem_zalloc(sizeof(*v));
	struct lock_owner owner;

	v->layout.root = v->layout.lock = -1;
	v->jobs = o->jobs == 0   ? own_jobs()
	    : o->jobs > JOBS_MAX ? JOBS_MAX
				 : o->jobs;
	v->keys = o->keys;
	if (open_root(v, o->path, err, errlen) == -1)
		goto failed;
	v->busy = lock_look(v->layout.root, &owner) == -1 || owner.held;
	if (view_journal_read(v, err, errlen) == -1)
		goto failed;
	return v;
failed:
	view_close(v);
	return NULL;
}

void
view_close(struct view *v)
{
	if (v == NULL)
		return;
	view_journal_free(v);
	if (v->layout.root != -1)
		close(v->layout.root);
	free(v);
}

/* What lies in incoming/ for no record. */
static void
show_scraps(struct view *v, const struct view_visitor *to, void *part)
{
	char name[LAYOUT_NAME_MAX + 256];
	struct view_anomaly a = { .odd = VIEW_ODD_SCRAP, .name = name };
	const struct view_entry *e;
	struct dirent *entry;
	uint64_t msgid;
	DIR *dir;
	int fd;

	if (to->anomaly == NULL)
		return;
	fd = layout_open_dir(&v->layout, "incoming");
	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		a.odd = VIEW_ODD_DIRECTORY;
		a.name = "incoming";
		a.reason = layout_reason(errno);
		to->anomaly(part, &a);
		if (fd != -1)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		e = ident_msgid_parse(entry->d_name, &msgid)
		    ? hmap_get(v->entries, msgid)
		    : NULL;
		if (e != NULL && e->where == VIEW_INCOMING)
			continue;
		snprintf(name, sizeof(name), "incoming/%s", entry->d_name);
		a.reason = v->busy ? "being received" : "never acknowledged";
		to->anomaly(part, &a);
	}
	closedir(dir);
}

/* A walk by several threads. */
struct walk {
	struct view *v;
	const struct view_visitor *to;
	unsigned want;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned next; /* bucket to be taken */
	unsigned ended; /* buckets that are over */
	bool stop;
	void *part[LAYOUT_BUCKETS];
	bool ready[LAYOUT_BUCKETS];
};

static const struct view_range all = { 0, UINT64_MAX };

static void
read_one(struct walk *w, unsigned bucket, void *part)
{
	view_bucket_read(w->v, bucket, &all, w->want, w->to, part);
	if (bucket == LAYOUT_BUCKETS - 1)
		show_scraps(w->v, w->to, part);
}

static void *
work(void *arg)
{
	struct walk *w = arg;
	unsigned bucket;
	void *part;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->stop && w->next < LAYOUT_BUCKETS &&
		    w->next >= w->ended + AHEAD * w->v->jobs)
			pthread_cond_wait(&w->moved, &w->lock);
		if (w->stop || w->next >= LAYOUT_BUCKETS)
			break;
		bucket = w->next++;
		pthread_mutex_unlock(&w->lock);
		part = w->to->begin(w->to->ctx, bucket);
		read_one(w, bucket, part);
		pthread_mutex_lock(&w->lock);
		w->part[bucket] = part;
		w->ready[bucket] = true;
		pthread_cond_broadcast(&w->moved);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Ends parts in their order; what comes after a stop is ended as well. */
static int
collect(struct walk *w, unsigned threads)
{
	bool more = true;
	unsigned i;

	pthread_mutex_lock(&w->lock);
	for (i = 0; i < LAYOUT_BUCKETS; i++) {
		while (!w->ready[i] && (more || i < w->next)) {
			if (threads == 0)
				break;
			pthread_cond_wait(&w->moved, &w->lock);
		}
		if (!w->ready[i])
			break;
		pthread_mutex_unlock(&w->lock);
		if (w->to->end != NULL && !w->to->end(w->to->ctx, w->part[i]))
			more = false;
		pthread_mutex_lock(&w->lock);
		w->ended = i + 1;
		w->stop = !more;
		pthread_cond_broadcast(&w->moved);
	}
	pthread_mutex_unlock(&w->lock);
	return more ? 0 : -1;
}

static int
walk_alone(struct walk *w)
{
	unsigned i;
	void *part;

	for (i = 0; i < LAYOUT_BUCKETS; i++) {
		part = w->to->begin == NULL ? w->to->ctx
					    : w->to->begin(w->to->ctx, i);
		read_one(w, i, part);
		if (w->to->end != NULL && !w->to->end(w->to->ctx, part))
			return -1;
	}
	return 0;
}

int
view_walk(struct view *v, const struct view_visitor *to, unsigned want)
{
	struct walk w = { .v = v, .to = to, .want = want };
	pthread_t threads[JOBS_MAX];
	unsigned n = 0, i;
	int rc;

	if (v->jobs == 1 || to->begin == NULL)
		return walk_alone(&w);
	pthread_mutex_init(&w.lock, NULL);
	pthread_cond_init(&w.moved, NULL);
	for (i = 0; i < v->jobs; i++)
		if (pthread_create(&threads[n], NULL, work, &w) == 0)
			n++;
	rc = n > 0 ? collect(&w, n) : walk_alone(&w);
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	pthread_cond_destroy(&w.moved);
	pthread_mutex_destroy(&w.lock);
	return rc;
}

void
view_find(struct view *v, uint64_t lo, uint64_t hi,
    const struct view_visitor *to, unsigned want)
{
	const struct view_range range = { lo, hi };
	unsigned bucket = layout_bucket(ident_msgid(lo));
	void *part = to->begin == NULL ? to->ctx : to->begin(to->ctx, bucket);

	view_bucket_read(v, bucket, &range, want, to, part);
	if (to->end != NULL)
		(void)to->end(to->ctx, part);
}

const struct view_journal *
view_journal(const struct view *v)
{
	return &v->journal;
}

bool
view_settled(const struct view *v)
{
	return hmap_count(v->entries) == 0 && v->bulks == NULL;
}

bool
view_covers(const struct view *v, uint64_t evpid)
{
	const struct view_entry *e = hmap_get(v->entries, ident_msgid(evpid));

	if (e == NULL)
		return false;
	return ident_rcpt(evpid) == 0
	    ? e->put
	    : view_entry_leaf(e, ident_rcpt(evpid)) != NULL;
}

bool
view_mentions(const struct view *v, uint64_t msgid)
{
	return hmap_get(v->entries, msgid) != NULL;
}

const struct layout *
view_layout(const struct view *v)
{
	return &v->layout;
}

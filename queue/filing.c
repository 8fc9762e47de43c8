/*
 * filing - files are made to say what memory says
 *
 * One job at a time per message: it writes the message and its envelopes,
 * rewrites what changed, unlinks what is finished. A file is only written from
 * octets that are flushed in the journal, so a torn one does no harm. At most
 * 64 jobs are under way.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/base/crc32c.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/compat/writeback.h"
#include "queue/envfile.h"
#include "queue/inside.h"

#define JOBS_MAX 64 /* file jobs at a time */
#define RETRIES 64 /* a second, of what was refused */
#define RETRIES_MAX 256
#define COPY 65536
#define PASSED_MAX 64 /* that wait for their change, a look */
#define TOGETHER_MS 64u /* what falls due in that time is done at once */
#define PATIENCE 4u /* times settle_ms, while mail streams in */
#define STREAM 10u /* a part of settle_ms without mail: it has ended */

struct act {
	uint16_t rcpt;
	bool unlink; /* else write */
	bool fresh; /* no file of it is expected */
	bool force;
	bool replayed; /* an odd text in the file goes to corrupt/ */
	bool again; /* another file is made */
	uint32_t seen;
	struct blob *blob;
	uint32_t off, len;
	bool edited; /* result: a person's text was left */
	bool stood; /* result: the file was there */
	int error;
};

/* One file job of a message: whatever it needs to be what memory says. */
struct work {
	struct job job;
	struct entry *e;
	uint64_t msgid;
	struct form form;
	uint64_t stored; /* octets of the message file */
	bool write_message, unlink_message;
	bool again; /* another file is made of the message */
	enum source source;
	struct blob *head, *record, *body;
	int fd; /* of the journal, where it is copied from there */
	uint64_t at;
	int error; /* of the message file */
	bool partial; /* a text was left out that is not flushed */
	bool bucket; /* an error, and the bucket cannot be used */
	unsigned unlinked;
	unsigned n;
	struct act acts[];
};

static int
close_file(int fd, int rc)
{
	int error = errno;

	/* Else a checkpoint writes all of it in one go, and the journal's
	 * flushes stand in line behind that. */
	writeback_begin(fd);
	if (close(fd) == -1 && rc == 0)
		return -1;
	errno = error;
	return rc;
}

static int
copy_from(int fd, uint64_t at, uint64_t len, int to)
{
	size_t room = len < COPY ? (size_t)len : COPY;
	char *chunk = mem_rearray(NULL, room, 1);
	ssize_t n;
	int rc = 0;

	while (len > 0 && rc == 0) {
		n = pread(
		    fd, chunk, len < room ? (size_t)len : room, (off_t)at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0 || layout_write_all(to, chunk, (size_t)n) == -1) {
			rc = -1;
			break;
		}
		at += (uint64_t)n;
		len -= (uint64_t)n;
	}
	free(chunk);
	return rc;
}

static int
write_parts(const struct work *w, int fd)
{
	struct iovec v[4] = { { w->head->data, w->head->len },
		{ w->record->data, w->record->len }, { (char[]){ "\n" }, 1 },
		{ NULL, 0 } };
	size_t total = w->head->len + w->record->len + 1;
	ssize_t n;
	int i = 0;

	if (w->body != NULL) {
		v[3].iov_base = w->body->data;
		v[3].iov_len = w->body->len;
		total += w->body->len;
	}
	while (total > 0) {
		n = writev(fd, v + i, 4 - i);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		total -= (size_t)n;
		while (i < 4 && (size_t)n >= v[i].iov_len)
			n -= (ssize_t)v[i++].iov_len;
		if (i < 4) {
			v[i].iov_base = (char *)v[i].iov_base + n;
			v[i].iov_len -= (size_t)n;
		}
	}
	return 0;
}

static int
write_message(const struct work *w)
{
	char name[LAYOUT_NAME_MAX], from[LAYOUT_NAME_MAX];
	const struct layout *l = &w->job.q->layout;
	struct stat st;
	int fd, rc;

	layout_message(name, w->msgid);
	if (w->source == IN_INCOMING) {
		layout_incoming(from, w->msgid);
		/* That it moved may be lost: it moves once more. */
		if (w->again && renameat(l->root, name, l->root, from) == -1 &&
		    errno != ENOENT)
			return -1;
		if (renameat(l->root, from, l->root, name) == 0)
			return 0;
		/* Moved by a run that did not live to write its mark. */
		if (errno == ENOENT &&
		    fstatat(l->root, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return 0;
		errno = errno == 0 ? ENOENT : errno;
		return -1;
	}
	if (w->again && unlinkat(l->root, name, 0) == -1 && errno != ENOENT)
		return -1;
	if ((fd = layout_open_write(l, name, w->source == IN_MEMORY)) == -1 &&
	    errno == EEXIST)
		fd = layout_open_write(l, name, false);
	if (fd == -1)
		return -1;
	if (w->head != NULL)
		rc = write_parts(w, fd);
	else
		rc = copy_from(w->fd, w->at, w->stored, fd);
	if (rc == 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size > w->stored)
		rc = ftruncate(fd, (off_t)w->stored);
	return close_file(fd, rc);
}

/* Looks at what stands in the file before it is overwritten. 0: go on, 1: a
 * person's text, leave it, -1: errno. */
static int
look_first(const struct work *w, struct act *a, const char *name)
{
	const struct layout *l = &w->job.q->layout;
	size_t len;
	char *text = layout_read_all(l, name, ENVFILE_STORED_MAX, &len);
	enum envfile_state state;
	char id[IDENT_TEXT_MAX];
	bool ours;

	if (text == NULL)
		return errno == ENOENT           ? 0
		    : errno == EFBIG && a->force ? 0
						 : -1;
	a->stood = true;
	state = envfile_check(text, len);
	ours = state == ENVFILE_WHOLE || len == 0 ||
	    (len <= a->len && memcmp(text, a->blob->data + a->off, len) == 0) ||
	    a->force || (a->seen != 0 && a->seen == crc32c(0, text, len));
	/* A torn one is no person's work, nor news where flushes fail. */
	if (!ours && a->replayed && !(a->again && state == ENVFILE_TORN)) {
		(void)layout_keep(l,
		    ident_evpid_text(id, ident_evpid(w->msgid, a->rcpt)), text,
		    len,
		    state == ENVFILE_TORN
			? "cut short; the journal had a newer text"
			: "edited or damaged; the journal had a newer text");
		ours = true;
	}
	free(text);
	return ours || state == ENVFILE_TORN ? 0 : 1;
}

/* The file is open, empty, and nobody's but ours; or -1 with the act's error,
 * or with edited. */
static int
open_envelope(const struct work *w, struct act *a, const char *name)
{
	const struct layout *l = &w->job.q->layout;
	int fd = -1, rc;

	if (a->fresh && !a->again) {
		fd = layout_open_write(l, name, true);
		if (fd == -1 && errno != EEXIST)
			a->error = errno;
		if (fd != -1 || a->error != 0)
			return fd;
	}
	rc = look_first(w, a, name);
	if (rc != 0) {
		a->edited = rc == 1;
		a->error = rc == 1 ? 0 : errno;
		return -1;
	}
	if (a->again && unlinkat(l->root, name, 0) == -1 && errno != ENOENT) {
		a->error = errno;
		return -1;
	}
	fd = layout_open_write(l, name, a->again);
	if (fd != -1 && ftruncate(fd, 0) == 0)
		return fd;
	a->error = errno;
	if (fd != -1)
		close(fd);
	return -1;
}

static void
write_envelope(const struct work *w, struct act *a, const char *name)
{
	struct buf *text = buf_new(ENVFILE_STORED_MAX);
	int fd, rc;

	if (envfile_wrap(w->form.codec.key, ident_evpid(w->msgid, a->rcpt),
		a->blob->data + a->off, a->len, text) == -1)
		a->error = EIO;
	else if ((fd = open_envelope(w, a, name)) != -1) {
		rc = layout_write_all(fd, buf_text(text), buf_len(text));
		if (close_file(fd, rc) == -1)
			a->error = errno;
	}
	buf_free(text);
}

static bool
removed(struct work *w, const char *name, int *error)
{
	if (unlinkat(w->job.q->layout.root, name, 0) == 0) {
		w->unlinked++;
		return true;
	}
	/* A bucket that was moved away may come back with it. */
	if ((errno != ENOENT && errno != ENOTDIR) ||
	    !layout_bucket_usable(&w->job.q->layout, w->msgid))
		*error = errno;
	return false;
}

static void
make_files(struct work *w)
{
	char name[LAYOUT_NAME_MAX];
	unsigned i;

	if (w->write_message && write_message(w) == -1) {
		w->error = errno;
		return;
	}
	for (i = 0; i < w->n; i++) {
		layout_envelope(name, ident_evpid(w->msgid, w->acts[i].rcpt));
		if (w->acts[i].unlink)
			(void)removed(w, name, &w->acts[i].error);
		else
			write_envelope(w, &w->acts[i], name);
	}
	if (!w->unlink_message)
		return;
	if (!removed(w, layout_message(name, w->msgid), &w->error) &&
	    w->source == IN_INCOMING)
		(void)removed(w, layout_incoming(name, w->msgid), &w->error);
}

static void
run_work(struct job *j)
{
	struct work *w = (struct work *)(void *)j;
	bool failed;
	unsigned i;

	make_files(w);
	failed = w->error != 0;
	for (i = 0; i < w->n; i++)
		failed = failed || w->acts[i].error != 0;
	w->bucket = failed && !layout_bucket_usable(&j->q->layout, w->msgid);
}

static void
complain(struct queue *q, const struct work *w, const char *what, int error)
{
	struct entry *e = w->e;
	bool fresh;

	e->cause = trouble_meet(q->trouble, e->cause, what, e->m.msgid, error,
	    w->bucket, q->now, &fresh);
	q->stats.anomalies += fresh;
}

static void
edited(struct queue *q, struct leaf *l, uint64_t evpid)
{
	char id[IDENT_TEXT_MAX];

	if (l->edited)
		return;
	l->edited = true;
	q->stats.anomalies++;
	ident_evpid_text(id, evpid);
	log_warn("event=edited evpid=%s text=\"the file was changed by hand "
		 "and is left alone; see smtpctl discover\"",
	    id);
	if (q->has_loader && q->loader.anomaly != NULL)
		q->loader.anomaly(q->loader.ctx, id,
		    "changed by hand: not overwritten until discover");
}

/* Takes one result into the index; false when it failed. */
static bool
take_act(struct queue *q, const struct work *w, const struct act *a)
{
	struct entry *e = w->e;
	struct leaf *l = entry_leaf(e, a->rcpt);

	if (a->error != 0) {
		complain(q, w, a->unlink ? "unlink" : "settle", a->error);
		return false;
	}
	if (l == NULL)
		return true;
	if (a->unlink) {
		l->file = false;
		return true;
	}
	if (a->edited) {
		edited(q, l, ident_evpid(e->m.msgid, a->rcpt));
		l->file = true;
		return true;
	}
	l->file = true;
	l->force = l->again = false;
	l->backed = l->backed == 2;
	checkpoint_touch(q, ident_evpid(e->m.msgid, a->rcpt));
	if (l->blob == a->blob && l->off == a->off) {
		l->dirty = l->edited = false;
		/* It stays until the journal has it. */
		if (l->waits == 0) {
			blob_unref(l->blob);
			l->blob = NULL;
		}
	}
	return true;
}

/* Until a sync has gone well nobody knows whether the names are gone. */
static void
note_removed(struct queue *q, const struct work *w)
{
	uint64_t id;
	unsigned i;

	q->stats.unlinked += w->unlinked;
	for (i = 0; w->unlinked > 0 && i <= w->n; i++) {
		if (i < w->n ? !w->acts[i].unlink : !w->unlink_message)
			continue;
		id = ident_evpid(w->msgid, i < w->n ? w->acts[i].rcpt : 0);
		(void)buf_put(q->removed, &id, sizeof(id));
	}
}

static void
finish_work(struct job *j)
{
	struct work *w = (struct work *)(void *)j;
	struct queue *q = j->q;
	struct entry *e = w->e;
	bool good = true;
	unsigned i;

	e->busy = false;
	q->jobs--;
	q->filed = true;
	note_removed(q, w);
	if (w->error != 0) {
		complain(
		    q, w, w->write_message ? "settle" : "unlink", w->error);
		good = false;
		/* The journal has it: memory is for what comes and goes. */
		if (w->write_message && e->source == IN_MEMORY) {
			e->source = IN_JOURNAL;
			entry_drop_body(q, e);
		}
	} else {
		for (i = 0; i < w->n; i++)
			good = take_act(q, w, &w->acts[i]) && good;
		if (w->write_message) {
			e->source = IN_FILE;
			e->put = e->again = false;
			q->stats.settled++;
			checkpoint_touch(q, ident_evpid(w->msgid, 0));
			entry_drop_body(q, e);
			room_release(q, e);
		}
		/* Nothing of it is left in files. */
		if (w->unlink_message && good) {
			e->source = IN_MEMORY;
			e->found = false;
		}
	}
	if (good) {
		if (e->cause != 0 && q->retries < RETRIES_MAX)
			q->retries += 2; /* it goes again: so may others */
		trouble_over(q->trouble, e->cause, q->now);
		e->cause = 0;
		entry_unpin(q, e);
	} else if (e->pin_next != -1) {
		q->pins[e->pin_next]--; /* the older pin covers it */
		e->pin_next = -1;
	}
	for (i = 0; i < w->n; i++)
		blob_unref(w->acts[i].blob);
	blob_unref(w->head);
	blob_unref(w->record);
	blob_unref(w->body);
	form_drop(&w->form);
	if (!good || !w->partial)
		entry_came(q, e, good);
	free(w);
	entry_consider(q, e);
}

static struct work *
plan(struct queue *q, struct entry *e)
{
	bool finished = entry_finished(q, e);
	struct work *w =
	    mem_zalloc(sizeof(*w) + e->leaves * sizeof(w->acts[0]));
	struct leaf *l;
	struct act *a;
	unsigned i;

	w->job.q = q;
	w->job.run = run_work;
	w->job.finish = finish_work;
	w->job.operation = finished ? "unlink" : "settle";
	w->e = e;
	w->msgid = e->m.msgid;
	w->stored = e->stored;
	form_take(q, &w->form);
	w->source = e->source;
	w->unlink_message = finished;
	w->again = e->again;
	w->write_message = !finished && e->source != IN_FILE;
	if (w->write_message && e->source == IN_MEMORY &&
	    e->m.codec == MESSAGE_PLAIN) {
		w->head = blob_ref(e->head);
		w->record = blob_ref(e->record);
		w->body = blob_ref(e->body);
	} else if (w->write_message && e->source != IN_INCOMING) {
		/* What was compressed or sealed is not made again. */
		w->fd = ring_fd(q->ring, e->slot);
		w->at = e->at;
	}
	for (i = 0; i < e->leaves; i++) {
		l = &e->leaf[i];
		a = &w->acts[w->n];
		l->backed = l->backed != 0;
		/* A file that says what nothing else does stays whole. */
		if (!l->done && l->waits > 0 && !l->backed) {
			w->partial = w->partial || l->dirty;
			continue;
		}
		if (l->done
			? !l->file && !(finished && e->found)
			: !l->dirty || (l->edited && l->seen == 0 && !l->force))
			continue;
		a->rcpt = l->rcpt;
		a->unlink = l->done;
		a->fresh = !l->file;
		a->force = l->force;
		a->seen = l->seen;
		a->replayed = e->found || l->again;
		a->again = l->again;
		if (!l->done) {
			a->blob = blob_ref(l->blob);
			a->off = l->off;
			a->len = l->len;
		}
		w->n++;
	}
	return w;
}

static void
start(struct queue *q, struct entry *e)
{
	TAILQ_REMOVE(e->list, e, due);
	e->list = NULL;
	e->due_at = 0;
	e->busy = true;
	q->jobs++;
	crew_submit(q->crew, &plan(q, e)->job, false);
}

/* Settling does not wait when memory or the ring runs short. */
static bool
pressed(const struct queue *q)
{
	return q->closing || !STAILQ_EMPTY(&q->syncers) || accept_hungry(q) ||
	    ring_free(q->ring) <= RING_MAIL + 1;
}

uint64_t
filing_alarm(const struct queue *q, uint64_t due)
{
	return q->settle_ms < TOGETHER_MS ? due : (due | (TOGETHER_MS - 1)) + 1;
}

/* How much longer than it is due a new message waits for its files. While mail
 * streams in they would slow what is being taken, and the more is delivered
 * meanwhile, the fewer there are to write. What is made anew is waited for. */
static uint64_t
patience(const struct queue *q)
{
	bool streams = q->now < q->taken_at + q->settle_ms / STREAM;
	bool roomy = q->body_bytes < q->body_cap / 8 * 7 && !pressed(q);

	return streams && roomy && q->anew == ANEW_NONE
	    ? (uint64_t)PATIENCE * q->settle_ms
	    : 0;
}

/* What was refused is not tried by thousands at once: so many a second, and
 * more as they go well. */
static void
count_retries(struct queue *q)
{
	if (q->now < q->retries_at + 1000)
		return;
	q->retries_at = q->now;
	if (q->retries < RETRIES)
		q->retries = RETRIES;
}

/* The first whose changes are all flushed: nothing is removed for the sake of a
 * done, nor overwritten by an image, that a crash may yet take back. The answer
 * brings us here again. A change that finds no room in the ring, however, waits
 * for just these files. */
static struct entry *
first_ready(const struct queue *q, const struct entries *list)
{
	unsigned left = ring_free(q->ring);
	bool stuck = left <= RING_OUTCOME;
	unsigned passed = 0;
	struct entry *e;

	TAILQ_FOREACH(e, list, due) {
		if (e->pending == 0 || stuck ||
		    (left <= RING_MAIL && e->pending == e->images))
			return e;
		if (++passed == PASSED_MAX)
			break;
	}
	return NULL;
}

void
filing_turn(struct queue *q)
{
	struct entries *lists[] = { &q->soon, &q->retry, &q->later };
	struct entry *e;
	uint64_t wait;
	unsigned i;
	bool now, retry;

	count_retries(q);
	if (anew_holds_files(q))
		return;
	for (i = 0; i < 3; i++) {
		now = lists[i] == &q->later && pressed(q);
		wait = lists[i] == &q->later ? patience(q) : 0;
		retry = lists[i] == &q->retry;
		while (q->jobs < JOBS_MAX && (!retry || q->retries > 0) &&
		    (e = first_ready(q, lists[i])) != NULL &&
		    (now || e->due_at + wait <= q->now)) {
			if (retry)
				q->retries--;
			start(q, e);
		}
	}
}

uint64_t
filing_next(const struct queue *q)
{
	const struct entries *lists[] = { &q->soon, &q->retry, &q->later };
	uint64_t next = 0;
	struct entry *e;
	uint64_t at;
	unsigned i;

	if (q->jobs >= JOBS_MAX || anew_holds_files(q))
		return 0; /* the next answer brings us here */
	for (i = 0; i < 3; i++) {
		if ((e = first_ready(q, lists[i])) == NULL)
			continue;
		at = e->due_at;
		/* The mail may have ended by then. */
		if (lists[i] == &q->later && at <= q->now && patience(q) > 0)
			at = filing_alarm(q, q->now + 1);
		if (lists[i] == &q->retry && q->retries == 0 &&
		    at < q->retries_at + 1000)
			at = q->retries_at + 1000;
		if (next == 0 || at < next)
			next = at;
	}
	return next;
}

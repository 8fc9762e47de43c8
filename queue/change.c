/*
 * change - one envelope gets a new text, or is finished
 *
 * Both are a record of the journal first; files follow when it is flushed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "queue/envfile.h"
#include "queue/inside.h"

#define OUTCOME_MAX 1024
#define FINISHED_MAX (256u * 1024) /* lines that wait for the file */
#define FINISHED_MS 1000
#define FINISHED_KEEP (6 * 86400) /* then the file becomes finished.1 */
#define COPY 65536

/* An image or a done on its way. */
struct change {
	struct draft d;
	struct form form;
	uint64_t evpid;
	struct blob *text; /* of an image */
	struct buf *sealed;
	size_t outcome; /* octets of a done's outcome */
	void (*cb)(void *, enum queue_status);
	void *ctx;
	char line[IDENT_TEXT_MAX + 1 + OUTCOME_MAX + 1];
};

struct answer {
	struct job job;
	void (*cb)(void *, enum queue_status);
	void *ctx;
	enum queue_status status;
};

static void
finish_answer(struct job *j)
{
	struct answer *a = (struct answer *)(void *)j;

	a->cb(a->ctx, a->status);
	free(a);
}

void
change_answer_later(struct queue *q, void (*cb)(void *, enum queue_status),
    void *ctx, enum queue_status status)
{
	struct answer *a;

	if (cb == NULL)
		return;
	a = mem_zalloc(sizeof(*a));
	a->job.q = q;
	a->job.finish = finish_answer;
	a->cb = cb;
	a->ctx = ctx;
	a->status = status;
	crew_deliver(q->crew, &a->job);
}

void
change_answered(struct queue *q, const struct draft *d)
{
	if (d->status != QUEUE_OK)
		return;
	if (d->seq > q->last_seq)
		q->last_seq = d->seq;
	if (q->work_since == 0 && d->kind != JOURNAL_MARK)
		q->work_since = q->now;
}

/* A sealed spool says what became of it, and nothing that came from mail. */
static size_t
first_word(const struct queue *q, const char *outcome, size_t len)
{
	const char *end = memchr(outcome, ' ', len);

	if (!q->seal || end == NULL)
		return len;
	len = (size_t)(end - outcome);
	return len > 0 && outcome[len - 1] == ',' ? len - 1 : len;
}

/* A line for state/finished, so that a restored backup can be held against
 * what was delivered. */
void
finished_line(struct queue *q, struct buf *to, uint64_t evpid,
    const char *outcome, size_t len)
{
	char id[IDENT_TEXT_MAX], when[TEXT_TIME_MAX];

	if (len > OUTCOME_MAX)
		len = OUTCOME_MAX;
	len = first_word(q, outcome, len);
	(void)buf_putf(to, "%s %s %.*s\n", ident_evpid_text(id, evpid),
	    text_time(when, mono_wall()), (int)len, outcome);
}

static void
note_finished(struct queue *q, uint64_t evpid, const char *outcome, size_t len)
{
	if (buf_len(q->finished) == 0)
		q->finished_since = q->now;
	finished_line(q, q->finished, evpid, outcome, len);
}

void
change_back(struct queue *q, uint64_t evpid)
{
	note_finished(q, evpid, "back", 4);
}

void
change_replayed(
    struct queue *q, uint64_t evpid, const char *outcome, size_t len)
{
	note_finished(q, evpid, outcome, len);
}

static struct leaf *
mark_done(struct queue *q, struct entry *e, uint64_t evpid)
{
	struct leaf *l = entry_leaf(e, ident_rcpt(evpid));

	if (l == NULL) {
		l = entry_leaf_make(e, ident_rcpt(evpid));
		l->file = e->source == IN_FILE;
	}
	l->done = true;
	l->dirty = l->edited = l->locked = false;
	blob_unref(l->blob);
	l->blob = NULL;
	(void)tally_del(q->tally, evpid);
	cache_drop(q->cache, evpid);
	lock_del(q, evpid);
	if (tally_count(q->tally, e->m.msgid) == 0)
		shelf_drop(q->shelf, e->m.msgid);
	return l;
}

/* What a bounce's put ended is durable. */
void
change_finish(struct queue *q, uint64_t evpid, const char *outcome, size_t len,
    unsigned slot)
{
	struct entry *e;

	if (!tally_has(q->tally, evpid))
		return;
	e = entry_make(q, ident_msgid(evpid));
	mark_done(q, e, evpid);
	entry_pin(q, e, slot);
	note_finished(q, evpid, outcome, len);
	entry_consider(q, e);
}

static void
image_answered(struct entry *e, const struct change *c)
{
	struct leaf *l = entry_leaf(e, ident_rcpt(c->evpid));

	e->images--;
	l->waits--;
	if (c->d.status == QUEUE_OK)
		l->backed = e->busy ? 2 : 1;
	/* Its file has it, and now the journal as well. */
	if (l->waits == 0 && !l->dirty && !l->edited && !l->locked) {
		blob_unref(l->blob);
		l->blob = NULL;
	}
}

static void
finish_change(struct job *j)
{
	struct change *c = (struct change *)(void *)j;
	struct queue *q = j->q;
	struct entry *e = entry_get(q, ident_msgid(c->evpid));

	change_answered(q, &c->d);
	if (c->d.status == QUEUE_OK) {
		entry_pin(q, e, c->d.slot);
		if (c->d.kind == JOURNAL_DONE)
			note_finished(
			    q, c->evpid, c->line + IDENT_TEXT_MAX, c->outcome);
	}
	e->pending--;
	if (c->d.kind == JOURNAL_IMAGE)
		image_answered(e, c);
	blob_unref(c->text);
	buf_free(c->sealed);
	form_drop(&c->form);
	entry_consider(q, e);
	if (c->cb != NULL)
		c->cb(c->ctx, c->d.status);
	free(c);
}

/* The id stays in the clear. */
static int
seal_change(struct draft *d, struct codec_writer *w)
{
	struct change *c = (struct change *)(void *)d;
	int rc;

	(void)w;
	c->sealed = buf_new(ENVFILE_STORED_MAX);
	if (c->text != NULL)
		rc = envfile_wrap(c->form.codec.key, c->evpid, c->text->data,
		    c->text->len, c->sealed);
	else
		rc = seal_text(c->form.codec.key, "done", c->evpid, 0,
		    c->line + IDENT_TEXT_MAX, c->outcome, c->sealed);
	d->part[0].iov_len = IDENT_TEXT_MAX;
	d->part[1].iov_base = (void *)(uintptr_t)buf_text(c->sealed);
	d->part[1].iov_len = buf_len(c->sealed);
	d->parts = 2;
	return rc;
}

static struct change *
change_new(struct queue *q, uint64_t evpid, enum journal_kind kind,
    void (*cb)(void *, enum queue_status), void *ctx)
{
	struct change *c = mem_zalloc(sizeof(*c));

	c->d.job.q = q;
	c->d.job.finish = finish_change;
	c->d.kind = kind;
	c->d.flush = cb != NULL;
	c->evpid = c->d.evpid = evpid;
	c->cb = cb;
	c->ctx = ctx;
	form_take(q, &c->form);
	if (c->form.codec.key != NULL)
		c->d.prepare = seal_change;
	ident_evpid_text(c->line, evpid);
	c->d.part[0].iov_base = c->line;
	c->d.parts = 1;
	return c;
}

void
queue_image(struct queue *q, uint64_t evpid, const char *text, size_t len,
    void (*cb)(void *ctx, enum queue_status), void *ctx)
{
	struct change *c;
	struct entry *e;
	struct leaf *l;

	if (!tally_has(q->tally, evpid)) {
		change_answer_later(q, cb, ctx, QUEUE_GONE);
		return;
	}
	e = entry_make(q, ident_msgid(evpid));
	if ((l = entry_leaf(e, ident_rcpt(evpid))) == NULL) {
		l = entry_leaf_make(e, ident_rcpt(evpid));
		l->file = e->source == IN_FILE;
	}
	c = change_new(q, evpid, JOURNAL_IMAGE, cb, ctx);
	c->line[IDENT_EVPID_DIGITS] = '\n';
	c->d.part[0].iov_len = IDENT_TEXT_MAX;
	c->text = blob_new(len);
	memcpy(c->text->data, text, len);
	c->d.part[1].iov_base = c->text->data;
	c->d.part[1].iov_len = len;
	c->d.parts = 2;
	if (l->waits++ == 0)
		l->backed = l->dirty;
	leaf_text(l, c->text, 0, len);
	l->dirty = l->image = true;
	l->locked = false;
	cache_drop(q->cache, evpid);
	lock_del(q, evpid);
	/* An edit that was read may be overwritten by what came of it. */
	if (l->seen != 0)
		l->edited = false;
	e->pending++;
	e->images++;
	committer_submit(q->committer, &c->d);
}

void
queue_done(struct queue *q, uint64_t evpid, const char *outcome,
    void (*cb)(void *ctx, enum queue_status), void *ctx)
{
	size_t len = strnlen(outcome, OUTCOME_MAX), i;
	struct change *c;
	struct entry *e;

	if (!tally_has(q->tally, evpid)) {
		change_answer_later(q, cb, ctx, QUEUE_GONE);
		return;
	}
	e = entry_make(q, ident_msgid(evpid));
	mark_done(q, e, evpid);
	c = change_new(q, evpid, JOURNAL_DONE, cb, ctx);
	c->line[IDENT_EVPID_DIGITS] = ' ';
	for (i = 0; i < len; i++)
		c->line[IDENT_TEXT_MAX + i] =
		    (unsigned char)outcome[i] < 0x20 ? ' ' : outcome[i];
	c->outcome = len;
	c->d.part[0].iov_len = IDENT_TEXT_MAX + len;
	e->pending++;
	committer_submit(q->committer, &c->d);
}

struct append {
	struct job job;
	bool anew; /* to another file, that has what this one has */
	uint8_t *lines;
	size_t len;
	int error;
};

#define FINISHED "state/finished"

/* A flush of it failed: what was lost of it is among the lines. */
static int
append_anew(const struct append *a)
{
	const struct layout *l = &a->job.q->layout;
	char *chunk = mem_zalloc(COPY);
	int from, to = -1, rc = -1;
	ssize_t n = 0;

	from = layout_open_read(l, FINISHED, NULL);
	if (from == -1 && errno != ENOENT)
		goto out;
	(void)unlinkat(l->root, FINISHED ".new", 0);
	if ((to = layout_open_write(l, FINISHED ".new", true)) == -1)
		goto out;
	while (from != -1 && (n = read(from, chunk, COPY)) != 0)
		if ((n == -1 && errno != EINTR) ||
		    (n > 0 && layout_write_all(to, chunk, (size_t)n) == -1))
			goto out;
	if (layout_write_all(to, a->lines, a->len) == 0 && fsync(to) == 0)
		rc = renameat(l->root, FINISHED ".new", l->root, FINISHED);
out:
	free(chunk);
	if (from != -1)
		close(from);
	if (to != -1)
		close(to);
	return rc;
}

static void
run_append(struct job *j)
{
	struct append *a = (struct append *)(void *)j;
	const struct layout *l = &j->q->layout;
	struct stat st;
	int64_t since;
	char head[64], when[TEXT_TIME_MAX];
	int fd;

	if (a->anew) {
		a->error = append_anew(a) == -1 ? errno : 0;
		return;
	}
	if ((fd = layout_open_write(l, FINISHED, false)) == -1) {
		a->error = errno;
		return;
	}
	/* The first line says when the file was begun. */
	if (pread(fd, head, 27, 0) == 27 && memcmp(head, "since: ", 7) == 0) {
		head[27] = '\0';
		if (text_time_parse(head + 7, &since) &&
		    mono_wall() > since + FINISHED_KEEP &&
		    renameat(l->root, FINISHED, l->root, FINISHED ".1") == 0) {
			close(fd);
			fd = layout_open_write(l, FINISHED, false);
		}
	}
	if (fd == -1 || fstat(fd, &st) == -1 || lseek(fd, 0, SEEK_END) == -1) {
		a->error = errno;
	} else {
		snprintf(head, sizeof(head), "since: %s\n",
		    text_time(when, mono_wall()));
		if ((st.st_size == 0 &&
			layout_write_all(fd, head, strlen(head)) == -1) ||
		    layout_write_all(fd, a->lines, a->len) == -1)
			a->error = errno;
	}
	if (fd != -1)
		close(fd);
}

static void
finish_append(struct job *j)
{
	struct append *a = (struct append *)(void *)j;

	j->q->finished_busy = false;
	(void)trouble_part(
	    j->q->trouble, TROUBLE_FINISHED, a->error, j->q->now);
	if (a->anew)
		anew_logged(j->q, a->error);
	free(a->lines);
	free(a);
}

static void
submit_append(struct queue *q, uint8_t *lines, size_t len, bool anew)
{
	struct append *a = mem_zalloc(sizeof(*a));

	a->job.q = q;
	a->job.run = run_append;
	a->job.finish = finish_append;
	a->anew = anew;
	a->lines = lines;
	a->len = len;
	q->finished_busy = true;
	crew_submit(q->crew, &a->job, false);
}

void
finished_anew(struct queue *q, char *lines, size_t len)
{
	submit_append(q, (uint8_t *)lines, len, true);
}

void
finished_turn(struct queue *q)
{
	uint8_t *lines;
	size_t len;

	if (q->finished_busy || buf_len(q->finished) == 0 ||
	    anew_holds_files(q) ||
	    (!q->closing && q->now < q->finished_since + FINISHED_MS &&
		buf_len(q->finished) < FINISHED_MAX / 2))
		return;
	lines = buf_steal(q->finished, &len);
	submit_append(q, lines, len, false);
}

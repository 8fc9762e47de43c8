/*
 * fetch - envelopes and bodies are read, from memory or by a worker
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/crc32c.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "queue/envfile.h"
#include "queue/inside.h"

#define BODY_MAX 65536

/* An envelope's file is read. */
struct fetch {
	struct job job;
	uint64_t evpid;
	char *text;
	size_t len;
	enum queue_status status;
	bool differs;
	bool raw; /* queue_envelope_file */
	bool again; /* read for the second time */
	void (*cb)(void *, enum queue_status, const char *, size_t);
	void (*file_cb)(void *, enum queue_status, const char *, size_t, bool);
	void *ctx;
};

/* A piece of a body is read. */
struct piece {
	struct job job;
	uint64_t msgid, offset;
	size_t max, len;
	uint8_t *data;
	enum source source;
	int fd; /* of the journal */
	int slot; /* it is in, held for so long; -1 */
	uint64_t at;
	struct message m;
	enum queue_status status;
	void (*cb)(
	    void *, enum queue_status, const uint8_t *, size_t, uint64_t);
	void *ctx;
};

/* What is missing together with its bucket was not taken away by itself. */
static enum queue_status
why_not(const struct layout *l, uint64_t msgid)
{
	return errno == ENOENT && layout_bucket_there(l, msgid)
	    ? QUEUE_GONE
	    : QUEUE_UNAVAILABLE;
}

static void
run_fetch(struct job *j)
{
	struct fetch *f = (struct fetch *)(void *)j;
	char name[LAYOUT_NAME_MAX];

	f->text = layout_read_all(&j->q->layout,
	    layout_envelope(name, f->evpid), ENVFILE_MAX, &f->len);
	if (f->text == NULL) {
		f->status = why_not(&j->q->layout, ident_msgid(f->evpid));
		return;
	}
	f->differs = envfile_check(f->text, f->len) != ENVFILE_WHOLE;
	f->status = f->differs ? QUEUE_DAMAGED : QUEUE_OK;
}

/* An edit that was shown may be overwritten by what is made of it. */
static void
remember_edit(struct queue *q, const struct fetch *f)
{
	struct entry *e;
	struct leaf *l;

	if (f->text == NULL || !f->differs || !tally_has(q->tally, f->evpid))
		return;
	e = entry_make(q, ident_msgid(f->evpid));
	l = entry_leaf_make(e, ident_rcpt(f->evpid));
	l->file = true;
	l->edited = true;
	l->seen = crc32c(0, f->text, f->len);
}

/* What is in memory now. False: nothing, its file is the truth. */
static bool
from_memory(struct queue *q, uint64_t evpid,
    void (*cb)(void *ctx, enum queue_status, const char *text, size_t len),
    void *ctx)
{
	struct entry *e = entry_get(q, ident_msgid(evpid));
	struct leaf *l = e == NULL ? NULL : entry_leaf(e, ident_rcpt(evpid));
	struct blob *hold;

	if (!tally_has(q->tally, evpid)) {
		cb(ctx, QUEUE_GONE, NULL, 0);
		return true;
	}
	if (l == NULL || l->blob == NULL)
		return false;
	q->stats.hits++;
	hold = blob_ref(l->blob);
	cb(ctx, QUEUE_OK, hold->data + l->off, l->len);
	blob_unref(hold);
	return true;
}

/* An image may have come while the file was read, and been written into it:
 * the old text must not come back, nor a half-written one be called damaged.
 * True: it is read once more. */
static bool
answer_fetch(struct fetch *f)
{
	struct queue *q = f->job.q;

	if (from_memory(q, f->evpid, f->cb, f->ctx))
		return false;
	if (f->status == QUEUE_OK || f->again || q->closing) {
		f->cb(f->ctx, f->status, f->text, f->len);
		return false;
	}
	f->again = true;
	free(f->text);
	f->text = NULL;
	crew_submit(q->crew, &f->job, true);
	return true;
}

static void
finish_fetch(struct job *j)
{
	struct fetch *f = (struct fetch *)(void *)j;

	if (f->raw) {
		remember_edit(j->q, f);
		f->file_cb(f->ctx,
		    f->status == QUEUE_DAMAGED ? QUEUE_OK : f->status, f->text,
		    f->len, f->differs);
	} else if (answer_fetch(f)) {
		return;
	}
	free(f->text);
	free(f);
}

static struct fetch *
fetch_new(struct queue *q, uint64_t evpid, void *ctx)
{
	struct fetch *f = mem_zalloc(sizeof(*f));

	q->stats.misses++;
	f->job.q = q;
	f->job.run = run_fetch;
	f->job.finish = finish_fetch;
	f->job.operation = "envelope.read";
	f->evpid = evpid;
	f->ctx = ctx;
	return f;
}

void
queue_envelope(struct queue *q, uint64_t evpid,
    void (*cb)(void *ctx, enum queue_status, const char *text, size_t len),
    void *ctx)
{
	struct fetch *f;

	if (from_memory(q, evpid, cb, ctx))
		return;
	f = fetch_new(q, evpid, ctx);
	f->cb = cb;
	crew_submit(q->crew, &f->job, true);
}

void
queue_envelope_file(struct queue *q, uint64_t evpid,
    void (*cb)(void *ctx, enum queue_status, const char *text, size_t len,
	bool differs),
    void *ctx)
{
	struct fetch *f = fetch_new(q, evpid, ctx);

	f->raw = true;
	f->file_cb = cb;
	crew_submit(q->crew, &f->job, true);
}

static int
open_body(struct piece *p)
{
	char name[LAYOUT_NAME_MAX], head[MESSAGE_HEAD];
	const struct layout *l = &p->job.q->layout;
	int fd = -1;

	if (p->source == IN_INCOMING)
		fd = layout_open_read(l, layout_incoming(name, p->msgid), NULL);
	/* It may have been settled since. */
	if (fd == -1)
		fd = layout_open_read(l, layout_message(name, p->msgid), NULL);
	if (fd == -1) {
		p->status = why_not(l, p->msgid);
		return -1;
	}
	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    message_parse(&p->m, head, sizeof(head)) != NULL ||
	    p->m.msgid != p->msgid) {
		p->status = QUEUE_DAMAGED;
		close(fd);
		return -1;
	}
	return fd;
}

static void
run_piece(struct job *j)
{
	struct piece *p = (struct piece *)(void *)j;
	uint64_t base = 0;
	ssize_t n;
	int fd = p->fd;

	if (p->source == IN_JOURNAL)
		base = p->at;
	else if ((fd = open_body(p)) == -1)
		return;
	/* Nothing is sent of a message that is not what was accepted. */
	if (p->offset == 0 && p->source != IN_JOURNAL &&
	    message_verify(fd, base, &p->m) != 1) {
		p->status = QUEUE_DAMAGED;
		close(fd);
		return;
	}
	p->data = mem_zalloc(p->max);
	n = message_read_body(fd, base, &p->m, p->offset, p->data, p->max);
	if (n == -1)
		p->status =
		    errno == EBADMSG ? QUEUE_DAMAGED : QUEUE_UNAVAILABLE;
	else
		p->len = (size_t)n;
	if (p->source != IN_JOURNAL)
		close(fd);
}

static void
finish_piece(struct job *j)
{
	struct piece *p = (struct piece *)(void *)j;

	if (p->slot != -1)
		j->q->pins[p->slot]--;
	p->cb(p->ctx, p->status, p->data, p->len, p->m.size);
	free(p->data);
	free(p);
}

/* From memory, before the call returns. */
static void
lend_body(struct entry *e, uint64_t offset, size_t max,
    void (*cb)(void *, enum queue_status, const uint8_t *, size_t, uint64_t),
    void *ctx)
{
	struct blob *hold = blob_ref(e->body);
	size_t len = 0;

	if (offset < hold->len)
		len = hold->len - (size_t)offset;
	if (len > max)
		len = max;
	cb(ctx, QUEUE_OK, (const uint8_t *)hold->data + (len == 0 ? 0 : offset),
	    len, hold->len);
	blob_unref(hold);
}

void
queue_body(struct queue *q, uint64_t msgid, uint64_t offset, size_t max,
    void (*cb)(void *ctx, enum queue_status, const uint8_t *data, size_t len,
	uint64_t total),
    void *ctx)
{
	struct entry *e = entry_get(q, msgid);
	struct piece *p;

	if (tally_count(q->tally, msgid) == 0) {
		cb(ctx, QUEUE_GONE, NULL, 0, 0);
		return;
	}
	if (max > BODY_MAX)
		max = BODY_MAX;
	if (e != NULL && e->body != NULL) {
		q->stats.hits++;
		lend_body(e, offset, max, cb, ctx);
		return;
	}
	q->stats.misses++;
	p = mem_zalloc(sizeof(*p));
	p->job.q = q;
	p->job.run = run_piece;
	p->job.finish = finish_piece;
	p->job.operation = "body.read";
	p->msgid = msgid;
	p->offset = offset;
	p->max = max;
	p->source = e == NULL ? IN_FILE : e->source;
	p->slot = -1;
	if (p->source == IN_JOURNAL) {
		p->m = e->m;
		p->fd = ring_fd(q->ring, e->slot);
		p->at = e->at;
		p->slot = (int)e->slot;
		q->pins[e->slot]++;
	}
	p->cb = cb;
	p->ctx = ctx;
	crew_submit(q->crew, &p->job, true);
}

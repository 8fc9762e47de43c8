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
	struct form form;
	uint64_t evpid;
	struct buf *text; /* NULL: there is none */
	uint32_t seen; /* crc32c of what stands in the file */
	enum queue_status status;
	int error; /* of the open; 0: it was opened */
	bool bucket; /* which cannot be used at all */
	bool differs;
	bool raw; /* queue_envelope_file */
	bool again; /* read for the second time */
	uint64_t word; /* of the cache */
	void (*cb)(void *, enum queue_status, const char *, size_t);
	void (*file_cb)(void *, enum queue_status, const char *, size_t, bool);
	void *ctx;
};

/* A piece of a body is read. */
struct piece {
	struct job job;
	struct form form;
	uint64_t msgid, offset;
	size_t max, len;
	uint8_t *data;
	uint64_t total;
	enum source source;
	struct codec_reader *reader;
	bool fresh; /* it has not been verified */
	int fd; /* of the file; -1 */
	int slot; /* of the journal, held for so long; -1 */
	int journal;
	uint64_t at, stored;
	enum queue_status status;
	int error; /* of the open; 0: it was opened */
	bool bucket; /* which cannot be used at all */
	void (*cb)(
	    void *, enum queue_status, const uint8_t *, size_t, uint64_t);
	void *ctx;
};

/* What is missing together with its bucket was not taken away by itself. */
static enum queue_status
why_not(const struct layout *l, uint64_t msgid, int *why, bool *bucket)
{
	int error = errno;

	*why = error;
	*bucket = false;
	if (trouble_of_system(error))
		return QUEUE_FAILED;
	*bucket = !layout_bucket_usable(l, msgid);
	return error == ENOENT && !*bucket ? QUEUE_GONE : QUEUE_UNAVAILABLE;
}

/* What is no fault of the file is said once for all of them. */
static void
say_why_not(struct queue *q, uint64_t msgid, enum queue_status status,
    int error, bool bucket)
{
	(void)trouble_part(q->trouble, TROUBLE_READING,
	    status == QUEUE_FAILED ? error : 0, q->now);
	if (bucket)
		trouble_bucket(q->trouble, msgid, error, q->now);
}

static void
run_fetch(struct job *j)
{
	struct fetch *f = (struct fetch *)(void *)j;
	char name[LAYOUT_NAME_MAX], *data;
	size_t len;

	data = layout_read_all(&j->q->layout, layout_envelope(name, f->evpid),
	    ENVFILE_STORED_MAX, &len);
	if (data == NULL) {
		f->status = why_not(&j->q->layout, ident_msgid(f->evpid),
		    &f->error, &f->bucket);
		return;
	}
	f->seen = crc32c(0, data, len);
	f->text = buf_new(ENVFILE_STORED_MAX);
	switch (envfile_unwrap(f->form.keys, data, len, f->text, NULL, NULL)) {
	case ENVFILE_WHOLE:
		f->status = QUEUE_OK;
		break;
	case ENVFILE_TORN:
	case ENVFILE_EDITED:
		f->status = QUEUE_DAMAGED;
		f->differs = true;
		break;
	case ENVFILE_NO_KEY:
	case ENVFILE_WRONG_KEY:
		f->status = QUEUE_LOCKED;
		break;
	}
	free(data);
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
	l->seen = f->seen;
}

/* What its file said a moment ago. */
static bool
from_cache(struct queue *q, uint64_t evpid,
    void (*cb)(void *ctx, enum queue_status, const char *text, size_t len),
    void *ctx)
{
	size_t len;
	const char *text = cache_get(q->cache, evpid, q->now, &len);
	char *copy;

	if (text == NULL)
		return false;
	q->stats.hits++;
	copy = mem_strndup(text, len); /* cb may change the envelope */
	cb(ctx, QUEUE_OK, copy, len);
	free(copy);
	return true;
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
	if (l->locked) {
		cb(ctx, QUEUE_LOCKED, NULL, 0);
		return true;
	}
	q->stats.hits++;
	hold = blob_ref(l->blob);
	cb(ctx, QUEUE_OK, hold->data + l->off, l->len);
	blob_unref(hold);
	return true;
}

static const char *
text_of(const struct fetch *f)
{
	return f->text == NULL ? NULL : buf_text(f->text);
}

static size_t
length_of(const struct fetch *f)
{
	return f->text == NULL ? 0 : buf_len(f->text);
}

/* An image may have come while the file was read, and been written into it:
 * the old text must not come back, nor a half-written one be called damaged.
 * True: it is read once more. */
static bool
answer_fetch(struct fetch *f)
{
	struct queue *q = f->job.q;

	if (f->status == QUEUE_OK)
		cache_put(
		    q->cache, f->evpid, f->word, text_of(f), length_of(f));
	if (from_memory(q, f->evpid, f->cb, f->ctx))
		return false;
	if (f->status == QUEUE_OK || f->again || q->closing) {
		f->cb(f->ctx, f->status, text_of(f), length_of(f));
		return false;
	}
	f->again = true;
	buf_free(f->text);
	f->text = NULL;
	crew_submit(q->crew, &f->job, true);
	return true;
}

static void
finish_fetch(struct job *j)
{
	struct fetch *f = (struct fetch *)(void *)j;

	say_why_not(
	    j->q, ident_msgid(f->evpid), f->status, f->error, f->bucket);
	if (f->raw) {
		cache_drop(j->q->cache, f->evpid);
		remember_edit(j->q, f);
		f->file_cb(f->ctx,
		    f->status == QUEUE_DAMAGED ? QUEUE_OK : f->status,
		    text_of(f), length_of(f), f->differs);
	} else if (answer_fetch(f)) {
		return;
	}
	form_drop(&f->form);
	buf_free(f->text);
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
	form_take(q, &f->form);
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

	if (from_memory(q, evpid, cb, ctx) || from_cache(q, evpid, cb, ctx))
		return;
	f = fetch_new(q, evpid, ctx);
	f->word = cache_expect(q->cache, evpid, q->now);
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

static enum queue_status
status_of(enum codec_result rc)
{
	switch (rc) {
	case CODEC_OK:
		return QUEUE_OK;
	case CODEC_DAMAGED:
		return QUEUE_DAMAGED;
	case CODEC_NO_KEY:
	case CODEC_WRONG_KEY:
		return QUEUE_LOCKED;
	case CODEC_FAILED:
		break;
	}
	return QUEUE_UNAVAILABLE;
}

static void
open_body(struct piece *p)
{
	char name[LAYOUT_NAME_MAX];
	const struct layout *l = &p->job.q->layout;

	p->fresh = true;
	if (p->source == IN_JOURNAL) {
		p->reader =
		    codec_open(p->journal, p->at, p->stored, p->form.keys);
		return;
	}
	if (p->source == IN_INCOMING)
		p->fd =
		    layout_open_read(l, layout_incoming(name, p->msgid), NULL);
	/* It may have been settled since. */
	if (p->fd == -1)
		p->fd =
		    layout_open_read(l, layout_message(name, p->msgid), NULL);
	if (p->fd == -1)
		p->status = why_not(l, p->msgid, &p->error, &p->bucket);
	else
		p->reader = codec_open(p->fd, 0, CODEC_TO_END, p->form.keys);
}

static void
run_piece(struct job *j)
{
	struct piece *p = (struct piece *)(void *)j;

	if (p->reader == NULL)
		open_body(p);
	if (p->reader == NULL)
		return;
	p->status = status_of(codec_state(p->reader));
	if (p->status == QUEUE_OK &&
	    codec_message(p->reader)->msgid != p->msgid)
		p->status = QUEUE_DAMAGED;
	/* Nothing is sent of a message that is not what was accepted. */
	if (p->status == QUEUE_OK && p->fresh && p->offset == 0)
		p->status = status_of(codec_verify(p->reader));
	if (p->status != QUEUE_OK)
		return;
	p->total = codec_message(p->reader)->size;
	p->data = mem_zalloc(p->max);
	p->status = status_of(
	    codec_read_body(p->reader, p->offset, p->data, p->max, &p->len));
}

static void
finish_piece(struct job *j)
{
	struct piece *p = (struct piece *)(void *)j;
	uint64_t next = p->offset + p->len;

	say_why_not(j->q, p->msgid, p->status, p->error, p->bucket);
	if (p->slot != -1)
		j->q->pins[p->slot]--;
	p->cb(p->ctx, p->status, p->data, p->len, p->total);
	/* The journal's places do not last, and plain ones cost nothing. */
	if (p->reader != NULL && p->fd != -1 && p->status == QUEUE_OK &&
	    next < p->total &&
	    codec_message(p->reader)->codec != MESSAGE_PLAIN) {
		shelf_put(
		    j->q->shelf, p->msgid, next, p->reader, p->fd, j->q->now);
	} else {
		codec_close(p->reader);
		if (p->fd != -1)
			close(p->fd);
	}
	form_drop(&p->form);
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
	p->slot = p->fd = -1;
	form_take(q, &p->form);
	if (p->source == IN_JOURNAL) {
		p->journal = ring_fd(q->ring, e->slot);
		p->at = e->at;
		p->stored = e->stored;
		p->slot = (int)e->slot;
		q->pins[e->slot]++;
	} else if (offset > 0) {
		p->reader = shelf_take(q->shelf, msgid, offset, &p->fd);
	}
	p->cb = cb;
	p->ctx = ctx;
	crew_submit(q->crew, &p->job, true);
}

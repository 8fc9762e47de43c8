/*
 * accept - a message on its way in
 *
 * Small bodies stay in memory and travel through the journal. Large ones, and
 * others when memory is short, are written to incoming/ as they come; the
 * journal then holds a reference.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "queue/inside.h"

#define BODY_FIRST 4096
#define WINDOW (256u * 1024) /* of a large body, not written yet */
#define SPILL_LEAST 16384 /* smaller ones are no relief */
#define ROOM 65536 /* at most, in front of a body whose record comes last */

/* The put on its way. */
struct put {
	struct draft d;
	uint64_t msgid;
	struct form form;
	int64_t arrived;
	struct blob *head, *record, *body; /* lent by the entry */
	char *stored; /* the message as it is stored, when it is not plain */
	size_t stored_len;
	uint64_t *ends;
	size_t nends;
	char *ends_text;
	char reference[32];
	void (*cb)(void *, enum queue_status);
	void *ctx;
};

struct queue_txn {
	struct queue *q;
	uint64_t msgid;
	int64_t arrived;
	uint64_t size;
	struct blob *body; /* what is in memory */
	size_t room; /* of body */

	bool large; /* goes through incoming/ */
	bool busy; /* a spill job runs */
	bool aborted;
	int error;
	int fd; /* of incoming/, -1 */
	bool whole; /* its record is known before it is written */
	struct form form;
	struct codec_writer *writer; /* of incoming/ */

	struct put *put; /* once it is to be committed */
};

struct spill {
	struct job job;
	struct queue_txn *t;
	struct blob *data; /* body octets; may be NULL */
	bool last;
	struct blob *record; /* with last */
	struct message m; /* result, with last */
	char head[MESSAGE_HEAD_MAX];
	size_t head_len;
	uint64_t stored;
	int error;
};

bool
accept_hungry(const struct queue *q)
{
	return q->body_bytes > q->body_cap;
}

void
accept_relieve(struct queue *q)
{
	if (!q->starved || accept_hungry(q))
		return;
	q->starved = false;
	if (q->relief != NULL)
		q->relief(q->relief_ctx);
}

void
queue_relief(struct queue *q, void (*fn)(void *ctx), void *ctx)
{
	q->relief = fn;
	q->relief_ctx = ctx;
}

static bool
id_is_free(const struct queue *q, uint64_t msgid)
{
	char name[LAYOUT_NAME_MAX];
	struct stat st;

	return tally_count(q->tally, msgid) == 0 &&
	    entry_get(q, msgid) == NULL && hmap_get(q->txns, msgid) == NULL &&
	    fstatat(q->layout.root, layout_message(name, msgid), &st,
		AT_SYMLINK_NOFOLLOW) == -1;
}

struct queue_txn *
queue_begin(struct queue *q, enum queue_status *why)
{
	struct queue_txn *t;

	if (q->closing) {
		*why = QUEUE_FAILED;
		return NULL;
	}
	if (!room_for(q, 4096, 2) || ring_free(q->ring) < RING_MAIL) {
		*why = q->journal_error == 0 || q->full ? QUEUE_FULL
							: QUEUE_FAILED;
		return NULL;
	}
	t = mem_zalloc(sizeof(*t));
	t->q = q;
	do
		t->msgid = ident_random_msgid();
	while (!id_is_free(q, t->msgid));
	t->arrived = mono_wall();
	t->fd = -1;
	form_take(q, &t->form);
	hmap_put(q->txns, t->msgid, t);
	*why = QUEUE_OK;
	return t;
}

uint64_t
queue_txn_id(const struct queue_txn *t)
{
	return t->msgid;
}

uint64_t
queue_txn_size(const struct queue_txn *t)
{
	return t->size;
}

static void
drop_body(struct queue_txn *t)
{
	if (t->body == NULL)
		return;
	t->q->body_bytes -= t->body->len;
	blob_unref(t->body);
	t->body = NULL;
	t->room = 0;
}

static void
txn_free(struct queue_txn *t)
{
	drop_body(t);
	if (t->fd != -1)
		close(t->fd);
	codec_writer_free(t->writer);
	form_drop(&t->form);
	hmap_del(t->q->txns, t->msgid);
	free(t);
}

static void
remove_incoming(struct queue_txn *t)
{
	char name[LAYOUT_NAME_MAX];

	if (t->large && t->fd != -1)
		(void)unlinkat(
		    t->q->layout.root, layout_incoming(name, t->msgid), 0);
}

/* The record outgrew the room that was left for it: a second file, written
 * from what the first holds. A sealed one gets a key of its own. */
static int
move_body(struct spill *s, const char *name)
{
	struct queue_txn *t = s->t;
	struct codec_writer *w = codec_writer_new();
	struct codec_reader *r = NULL;
	char other[LAYOUT_NAME_MAX + 8];
	uint8_t *chunk = mem_zalloc(WINDOW);
	uint64_t at;
	size_t got = 0;
	int fd, rc = -1;

	snprintf(other, sizeof(other), "%s.move", name);
	fd = layout_open_write(&t->q->layout, other, true);
	codec_put_record(t->writer, "", 0);
	if (fd == -1 || codec_end(t->writer, NULL) == -1 ||
	    codec_begin(w, &t->form.codec, t->msgid, t->arrived,
		s->record->len + 1 + t->size, fd) == -1)
		goto out;
	codec_put_record(w, s->record->data, s->record->len);
	r = codec_open(t->fd, 0, CODEC_TO_END, t->form.keys);
	for (at = 0; at < t->size; at += got)
		if (codec_read_body(r, at, chunk, WINDOW, &got) != CODEC_OK ||
		    got == 0 || codec_put_body(w, chunk, got) == -1)
			goto out;
	if (codec_end(w, &s->m) == -1 ||
	    renameat(t->q->layout.root, other, t->q->layout.root, name) == -1)
		goto out;
	close(t->fd);
	t->fd = fd;
	fd = -1;
	codec_writer_free(t->writer);
	t->writer = w;
	w = NULL;
	rc = 0;
out:
	codec_close(r);
	codec_writer_free(w);
	free(chunk);
	if (fd != -1) {
		(void)unlinkat(t->q->layout.root, other, 0);
		close(fd);
	}
	return rc;
}

static int
write_last(struct spill *s, const char *name)
{
	struct queue_txn *t = s->t;
	const char *head;
	int dir, rc;

	codec_put_record(t->writer, s->record->data, s->record->len);
	rc = codec_end(t->writer, &s->m);
	if (rc == -1 && errno == EMSGSIZE)
		rc = move_body(s, name);
	if (rc == -1 || fdatasync(t->fd) == -1)
		return -1;
	head = codec_written_head(t->writer, &s->head_len);
	memcpy(s->head, head, s->head_len);
	s->stored = codec_written(t->writer);
	if ((dir = layout_open_dir(&t->q->layout, "incoming")) == -1)
		return -1;
	rc = fsync(dir);
	close(dir);
	return rc;
}

static int
begin_incoming(struct spill *s, const char *name)
{
	struct queue_txn *t = s->t;

	t->fd = layout_open_write(&t->q->layout, name, true);
	if (t->fd == -1)
		return -1;
	t->writer = codec_writer_new();
	if (codec_begin(t->writer, &t->form.codec, t->msgid, t->arrived,
		t->whole ? s->record->len + 1 + t->size : 0, t->fd) == -1)
		return -1;
	if (t->whole)
		codec_put_record(t->writer, s->record->data, s->record->len);
	return 0;
}

static void
run_spill(struct job *j)
{
	struct spill *s = (struct spill *)(void *)j;
	char name[LAYOUT_NAME_MAX];

	layout_incoming(name, s->t->msgid);
	if ((s->t->fd == -1 && begin_incoming(s, name) == -1) ||
	    (s->data != NULL &&
		codec_put_body(s->t->writer, s->data->data, s->data->len) ==
		    -1) ||
	    (s->last && write_last(s, name) == -1))
		s->error = errno;
}

static void
put_free(struct put *p)
{
	form_drop(&p->form);
	free(p->stored);
	free(p->ends);
	free(p->ends_text);
	free(p);
}

static void
put_finish(struct job *j)
{
	struct put *p = (struct put *)(void *)j;
	struct queue *q = j->q;
	struct entry *e = entry_get(q, p->msgid);
	char text[IDENT_TEXT_MAX + 16], name[LAYOUT_NAME_MAX];
	unsigned i;

	change_answered(q, &p->d);
	e->pending--;
	if (p->d.status == QUEUE_OK) {
		q->taken_at = q->now;
		entry_pin(q, e, p->d.slot);
		e->seq = p->d.seq;
		e->slot = p->d.slot;
		e->at =
		    p->d.at + (p->ends_text == NULL ? 0 : p->d.part[0].iov_len);
		if (e->source != IN_INCOMING)
			e->stored = p->d.length - (e->at - p->d.at);
		for (i = 0; i < e->leaves; i++)
			(void)tally_add(
			    q->tally, ident_evpid(p->msgid, e->leaf[i].rcpt));
		memcpy(text, "bounced by ", 11);
		ident_msgid_text(text + 11, p->msgid);
		for (i = 0; i < p->nends; i++)
			change_finish(
			    q, p->ends[i], text, strlen(text), p->d.slot);
		entry_consider(q, e);
	} else {
		if (e->source == IN_INCOMING)
			(void)unlinkat(
			    q->layout.root, layout_incoming(name, p->msgid), 0);
		entry_free(q, e);
	}
	if (p->cb != NULL)
		p->cb(p->ctx, p->d.status);
	put_free(p);
}

static void
refuse(struct put *p, enum queue_status status)
{
	p->d.status = status;
	crew_deliver(p->d.job.q->crew, &p->d.job);
}

static void
add_part(struct draft *d, void *base, size_t len)
{
	d->part[d->parts].iov_base = base;
	d->part[d->parts++].iov_len = len;
}

/* The plain form is written from where its parts are. */
static int
prepare_plain(struct put *p, struct codec_writer *w)
{
	struct message_hash *h = codec_hash(w);
	uint8_t digest[MESSAGE_DIGEST];

	message_hash_add(h, p->body->data, p->body->len);
	message_hash_add(h, p->record->data, p->record->len);
	message_hash_end(h, digest);
	message_put_digest(p->head->data, digest);
	add_part(&p->d, p->head->data, p->head->len);
	add_part(&p->d, p->record->data, p->record->len);
	add_part(&p->d, (void *)(uintptr_t) "\n", 1);
	add_part(&p->d, p->body->data, p->body->len);
	return 0;
}

static int
prepare_small(struct draft *d, struct codec_writer *w)
{
	struct put *p = (struct put *)(void *)d;

	if (p->form.codec.level == 0 && p->form.codec.key == NULL)
		return prepare_plain(p, w);
	if (codec_begin(w, &p->form.codec, p->msgid, p->arrived,
		p->record->len + 1 + p->body->len, -1) == -1)
		return -1;
	codec_put_record(w, p->record->data, p->record->len);
	if (codec_put_body(w, p->body->data, p->body->len) == -1 ||
	    codec_end(w, NULL) == -1)
		return -1;
	p->stored = codec_take(w, &p->stored_len);
	add_part(d, p->stored, p->stored_len);
	return 0;
}

static void
submit_small(struct queue_txn *t, struct entry *e)
{
	struct put *p = t->put;

	/* Counted on as the entry's from here. */
	e->body = t->body != NULL ? t->body : blob_new(0);
	t->body = NULL;
	e->head = blob_new(MESSAGE_HEAD_MAX);
	e->head->len = message_head(&e->m);
	message_print(&e->m, e->head->data);
	p->head = e->head;
	p->record = e->record;
	p->body = e->body;
	p->d.prepare = prepare_small;
	committer_submit(t->q->committer, &p->d);
	txn_free(t);
}

static void
submit_large(struct spill *s, struct entry *e)
{
	struct queue_txn *t = s->t;
	struct put *p = t->put;
	char id[IDENT_TEXT_MAX];

	e->m = s->m;
	e->stored = s->stored;
	e->head = blob_new(s->head_len);
	memcpy(e->head->data, s->head, s->head_len);
	snprintf(p->reference, sizeof(p->reference), "incoming %s\n",
	    ident_msgid_text(id, t->msgid));
	add_part(&p->d, p->reference, strlen(p->reference));
	add_part(&p->d, e->head->data, e->head->len);
	e->source = IN_INCOMING;
	committer_submit(t->q->committer, &p->d);
	txn_free(t);
}

static void spill(struct queue_txn *t);

static enum queue_status
status_of(int error)
{
	return error == ENOSPC || error == EDQUOT ? QUEUE_FULL : QUEUE_FAILED;
}

static void
finish_spill(struct job *j)
{
	struct spill *s = (struct spill *)(void *)j;
	struct queue_txn *t = s->t;
	struct queue *q = j->q;

	t->busy = false;
	if (s->error != 0 && t->error == 0)
		t->error = s->error;
	if (s->data != NULL)
		q->body_bytes -= s->data->len;
	blob_unref(s->data);
	blob_unref(s->record);
	if (t->aborted) {
		remove_incoming(t);
		txn_free(t);
	} else if (t->put != NULL && t->error != 0) {
		remove_incoming(t);
		refuse(t->put, status_of(t->error));
		txn_free(t);
	} else if (s->last)
		submit_large(s, entry_get(q, t->msgid));
	else if (t->put != NULL || (t->body != NULL && t->body->len > 0))
		spill(t);
	free(s);
	if (q->starved && !accept_hungry(q)) {
		q->starved = false;
		if (q->relief != NULL)
			q->relief(q->relief_ctx);
	}
}

/* Sends what is in memory to incoming/; with the put also the record. */
static void
spill(struct queue_txn *t)
{
	struct spill *s;

	if (t->busy)
		return;
	s = mem_zalloc(sizeof(*s));
	s->job.q = t->q;
	s->job.run = run_spill;
	s->job.finish = finish_spill;
	s->job.operation = "body.write";
	s->t = t;
	s->data = t->body;
	t->body = NULL;
	t->room = 0;
	if (t->put != NULL) {
		s->last = true;
		s->record = blob_ref(entry_get(t->q, t->msgid)->record);
	}
	t->busy = true;
	crew_submit(t->q->crew, &s->job, true);
}

static void
append(struct queue_txn *t, const void *data, size_t len)
{
	size_t used = t->body == NULL ? 0 : t->body->len, room = t->room;

	if (used + len > room) {
		room = room == 0 ? BODY_FIRST : room;
		while (room < used + len)
			room *= 2;
		t->body =
		    mem_rearray(t->body, 1, sizeof(struct blob) + room + 1);
		t->body->refs = 1;
		t->room = room;
	}
	memcpy(t->body->data + used, data, len);
	t->body->len = used + len;
	t->q->body_bytes += len;
}

bool
queue_write(struct queue_txn *t, const void *data, size_t len)
{
	struct queue *q = t->q;
	size_t held;

	t->size += len;
	if (t->error != 0 || t->size > MESSAGE_BODY_MAX) {
		t->error = t->error != 0 ? t->error : EFBIG;
		return true; /* nothing to wait for: commit will say so */
	}
	if (len > 0)
		append(t, data, len);
	held = t->body == NULL ? 0 : t->body->len;
	if (!t->large &&
	    (t->size > q->large || (accept_hungry(q) && held >= SPILL_LEAST)))
		t->large = true;
	if (t->large && held > 0)
		spill(t);
	if (!accept_hungry(q) && (!t->large || held <= WINDOW || !t->busy))
		return true;
	q->starved = true;
	return false;
}

void
queue_abort(struct queue_txn *t)
{
	struct queue *q = t->q;

	if (t->busy) {
		t->aborted = true;
		return;
	}
	remove_incoming(t);
	txn_free(t);
	accept_relieve(q);
}

static void
note_ends(struct put *p, const uint64_t *ends, size_t n)
{
	char id[IDENT_TEXT_MAX], *at;
	size_t i;

	if (n == 0)
		return;
	p->ends = mem_zarray(n, sizeof(*ends));
	memcpy(p->ends, ends, n * sizeof(*ends));
	p->nends = n;
	p->ends_text = at = mem_zalloc(8 + n * IDENT_TEXT_MAX + 1);
	memcpy(at, "ends", 4);
	for (at += 4, i = 0; i < n; i++)
		at += sprintf(at, " %s", ident_evpid_text(id, ends[i]));
	*at++ = '\n';
	add_part(&p->d, p->ends_text, (size_t)(at - p->ends_text));
}

static struct entry *
make_entry(struct queue_txn *t, const struct queue_text *texts, size_t n,
    size_t record)
{
	struct entry *e = entry_make(t->q, t->msgid);
	struct leaf *l;
	size_t i, at = 0;

	e->source = IN_MEMORY;
	e->put = true;
	e->pending = 1;
	e->m.arrived = t->arrived;
	e->m.size = t->size;
	e->m.record = record;
	e->m.codec = (t->form.codec.level > 0 ? MESSAGE_ZSTD : 0) |
	    (t->form.codec.key != NULL ? MESSAGE_SEALED : 0);
	e->record = blob_new(record);
	for (i = 0; i < n; i++) {
		assert(ident_msgid(texts[i].evpid) == t->msgid);
		memcpy(e->record->data + at, texts[i].text, texts[i].len);
		l = entry_leaf_make(e, ident_rcpt(texts[i].evpid));
		leaf_text(l, e->record, at, texts[i].len);
		l->dirty = true;
		at += texts[i].len;
	}
	return e;
}

void
queue_commit(struct queue_txn *t, const struct queue_text *envelopes, size_t n,
    const uint64_t *ends, size_t nends,
    void (*cb)(void *ctx, enum queue_status), void *ctx)
{
	struct queue *q = t->q;
	struct put *p = mem_zalloc(sizeof(*p));
	size_t i, record = 0;
	struct entry *e;

	p->d.job.q = q;
	p->d.job.finish = put_finish;
	p->d.kind = JOURNAL_PUT;
	p->d.flush = true;
	p->msgid = t->msgid;
	p->arrived = t->arrived;
	p->cb = cb;
	p->ctx = ctx;
	form_copy(&p->form, &t->form);
	note_ends(p, ends, nends);
	for (i = 0; i < n; i++)
		record += envelopes[i].len;
	e = make_entry(t, envelopes, n, record);
	e->stored = codec_bound(message_clear(&e->m)) + (t->large ? ROOM : 0);
	t->put = p;
	bulk_committed(q, t->msgid);
	if (t->error != 0 || n == 0 || record > MESSAGE_BODY_MAX ||
	    !room_for(q, e->stored, n + 1)) {
		refuse(p,
		    t->error == 0 && n > 0 ? QUEUE_FULL : status_of(t->error));
		t->aborted = true;
		t->put = NULL;
		if (!t->busy) {
			remove_incoming(t);
			txn_free(t);
		}
		return;
	}
	room_reserve(q, e);
	/* Too long for the segments: by reference as well. */
	if (!t->large && e->stored + nends * IDENT_TEXT_MAX + 8 > q->put_max)
		t->large = t->whole = true;
	if (t->large)
		spill(t);
	else
		submit_small(t, e);
}

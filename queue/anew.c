#include "queue/anew.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "queue/envfile.h"
#include "queue/inside.h"
#include "queue/replay.h"

#define AGAIN_MS 5000 /* the second time; twice that the third */
#define AGAIN_MOST_MS 60000
#define TAKEN 256 /* a turn */
#define LINES_MAX (64u * 1024 * 1024)

/* A message as the journal has it. */
struct put {
	struct message m;
	uint64_t seq, stored, at;
	unsigned file; /* of the journal */
	bool large;
	bool locked; /* its record cannot be opened */
	struct blob *head; /* of a large one */
	struct blob *record;
};

/* The last text of an envelope. */
struct image {
	uint64_t evpid;
	bool locked;
	struct blob *text;
};

struct done {
	uint64_t evpid;
	char *outcome;
	size_t len;
};

struct anew {
	struct job job;
	struct form form;
	uint64_t low, last; /* of the records that count */
	uint64_t *removed;
	size_t removed_count;
	int error;

	struct ring *ring; /* the worker's own */
	struct hmap *puts, *images;
	struct done *dones;
	size_t done_count, done_room;

	/* Where taking stands. */
	size_t at_image, at_put, at_done;
	int slot; /* whose records everything is held by; -1: none */
	struct buf *lines;
};

static struct blob *
copy(const char *data, size_t len)
{
	struct blob *b = blob_new(len);

	memcpy(b->data, data, len);
	return b;
}

static void
put_free(struct put *p)
{
	if (p == NULL)
		return;
	blob_unref(p->head);
	blob_unref(p->record);
	free(p);
}

static void
image_free(struct image *i)
{
	if (i == NULL)
		return;
	blob_unref(i->text);
	free(i);
}

static void
run_free(struct anew *r)
{
	struct image *i;
	struct put *p;
	size_t at;

	if (r == NULL)
		return;
	HMAP_FOREACH(p, r->puts, at)
		put_free(p);
	HMAP_FOREACH(i, r->images, at)
		image_free(i);
	hmap_free(r->puts);
	hmap_free(r->images);
	for (at = 0; at < r->done_count; at++)
		free(r->dones[at].outcome);
	free(r->dones);
	free(r->removed);
	buf_free(r->lines);
	form_drop(&r->form);
	free(r);
}

static void
note_done(struct anew *r, uint64_t evpid, const char *outcome, size_t len)
{
	struct done *d;

	if (r->done_count == r->done_room) {
		r->done_room = r->done_room == 0 ? 256 : r->done_room * 2;
		r->dones =
		    mem_rearray(r->dones, r->done_room, sizeof(*r->dones));
	}
	d = &r->dones[r->done_count++];
	d->evpid = evpid;
	d->outcome = mem_strndup(outcome, len);
	d->len = len;
}

/* The record of a large message stands in its file, whose octets were flushed
 * before the journal named it. */
static struct codec_reader *
open_large(struct anew *r, uint64_t msgid, int *fd)
{
	const struct layout *l = &r->job.q->layout;
	char name[LAYOUT_NAME_MAX];

	*fd = layout_open_read(l, layout_incoming(name, msgid), NULL);
	if (*fd == -1)
		*fd = layout_open_read(l, layout_message(name, msgid), NULL);
	return *fd == -1 ? NULL
			 : codec_open(*fd, 0, CODEC_TO_END, r->form.keys);
}

static void
read_record(struct put *p, struct codec_reader *c)
{
	size_t len, got;

	p->locked = true;
	if (c == NULL || codec_state(c) != CODEC_OK)
		return;
	len = (size_t)codec_message(c)->record;
	p->record = blob_new(len);
	if (codec_read(c, 0, p->record->data, len, &got) == CODEC_OK &&
	    got == len && restore_record_fits(p->record->data, len))
		p->locked = false;
}

static void
read_put(struct anew *r, const struct replay_record *rec)
{
	char text[IDENT_TEXT_MAX + 16] = "bounced by ";
	struct replay_put parts;
	struct codec_reader *c, *file;
	struct put *p;
	bool fits = replay_put(rec, &parts);
	uint64_t id;
	int fd = -1;

	c = codec_open_data(parts.message, parts.len, r->form.keys);
	if (fits && codec_head(c) != 0) {
		p = mem_zalloc(sizeof(*p));
		p->m = *codec_message(c);
		p->seq = parts.seq;
		p->large = parts.large;
		p->file = ring_file(r->ring, rec->slot);
		p->at = parts.at;
		p->stored = codec_stored(c);
		if (p->large) {
			p->head = copy(parts.message, parts.len);
			file = open_large(r, p->m.msgid, &fd);
			if (file != NULL)
				p->stored = codec_stored(file);
			read_record(p, file);
			codec_close(file);
			if (fd != -1)
				close(fd);
		} else
			read_record(p, c);
		ident_msgid_text(text + 11, p->m.msgid);
		put_free(hmap_put(r->puts, p->m.msgid, p));
	}
	codec_close(c);
	while (replay_put_ends(&parts, &id))
		note_done(r, id, text, strlen(text));
}

static void
read_image(struct anew *r, const struct replay_record *rec, uint64_t evpid)
{
	const char *stored = rec->payload + IDENT_TEXT_MAX;
	size_t len = rec->len - IDENT_TEXT_MAX;
	struct buf *text = buf_new(ENVFILE_STORED_MAX);
	struct image *i = mem_zalloc(sizeof(*i));

	i->evpid = evpid;
	i->locked = envfile_unwrap(r->form.keys, stored, len, text, NULL,
			NULL) != ENVFILE_WHOLE &&
	    envfile_is_sealed(stored, len);
	i->text =
	    i->locked ? copy(stored, len) : copy(buf_text(text), buf_len(text));
	buf_free(text);
	image_free(hmap_put(r->images, evpid, i));
}

static void
read_one(void *ctx, const struct replay_record *rec)
{
	struct anew *r = ctx;
	char digits[IDENT_TEXT_MAX];
	uint64_t id = 0;

	if (rec->seq < r->low || rec->seq > r->last)
		return;
	if (rec->kind == JOURNAL_PUT) {
		read_put(r, rec);
		return;
	}
	if ((rec->kind != JOURNAL_IMAGE && rec->kind != JOURNAL_DONE) ||
	    rec->len < IDENT_TEXT_MAX)
		return;
	memcpy(digits, rec->payload, IDENT_EVPID_DIGITS);
	digits[IDENT_EVPID_DIGITS] = '\0';
	if (!ident_evpid_parse(digits, &id))
		return;
	if (rec->kind == JOURNAL_IMAGE)
		read_image(r, rec, id);
	else
		note_done(r, id, rec->payload + IDENT_TEXT_MAX,
		    rec->len - IDENT_TEXT_MAX);
}

/* That a name went may be lost as well. It comes and goes once more, so that
 * its directory is written. */
static int
remove_again(const struct layout *l, uint64_t id)
{
	char name[LAYOUT_NAME_MAX];
	int fd;

	if (ident_rcpt(id) == 0)
		layout_message(name, ident_msgid(id));
	else
		layout_envelope(name, id);
	fd = layout_open_write(l, name, true);
	if (fd == -1)
		/* Something stands there by now, or the bucket is away. */
		return trouble_of_system(errno) ? -1 : 0;
	close(fd);
	return unlinkat(l->root, name, 0);
}

static void
run_read(struct job *j)
{
	struct anew *r = (struct anew *)(void *)j;
	struct replay_result result;
	char err[512];
	size_t i;

	for (i = 0; i < r->removed_count && r->error == 0; i++)
		if (remove_again(&j->q->layout, r->removed[i]) == -1)
			r->error = errno;
	if (r->error != 0)
		return;
	r->ring = ring_open_reading(&j->q->layout, err, sizeof(err));
	if (err[0] != '\0' ||
	    replay(r->ring, NULL, read_one, r, &result, err, sizeof(err)) == -1)
		r->error = errno == 0 ? EIO : errno;
	ring_close(r->ring);
	r->ring = NULL;
}

static void
wait_more(struct queue *q, int error)
{
	uint64_t ms = 0;
	unsigned i;

	q->flush_error = error;
	q->anew = ANEW_DUE;
	if (q->anew_tries > 0)
		ms = AGAIN_MS;
	for (i = 1; i < q->anew_tries && ms < AGAIN_MOST_MS; i++)
		ms *= 2;
	q->anew_tries++;
	q->anew_at = q->now + (ms < AGAIN_MOST_MS ? ms : AGAIN_MOST_MS);
}

void
anew_begin(struct queue *q, int error)
{
	/* Whatever is flushed next, files are to be. */
	q->filed = true;
	wait_more(q, error);
}

static void
finish_read(struct job *j)
{
	struct anew *r = (struct anew *)(void *)j;
	struct queue *q = j->q;

	/* Until they are flushed. */
	(void)buf_put(
	    q->removed, r->removed, r->removed_count * sizeof(*r->removed));
	if (r->error != 0) {
		q->anew_run = NULL;
		run_free(r);
		wait_more(q, q->flush_error);
		return;
	}
	r->slot = ring_oldest(q->ring);
	r->lines = buf_new(LINES_MAX);
	q->anew = ANEW_TAKE;
	crew_wake(q->crew);
}

static void
submit_read(struct queue *q)
{
	struct anew *r = mem_zalloc(sizeof(*r));
	size_t len, i, kept = 0;

	r->job.q = q;
	r->job.run = run_read;
	r->job.finish = finish_read;
	r->job.operation = "checkpoint.reread";
	form_take(q, &r->form);
	r->low = q->low;
	r->last = q->last_seq;
	r->puts = hmap_new();
	r->images = hmap_new();
	r->removed = (uint64_t *)(void *)buf_steal(q->removed, &len);
	r->removed_count = len / sizeof(*r->removed);
	/* What was brought back stays. */
	for (i = 0; i < r->removed_count; i++)
		if (ident_rcpt(r->removed[i]) == 0
			? tally_count(q->tally, ident_msgid(r->removed[i])) == 0
			: !tally_has(q->tally, r->removed[i]))
			r->removed[kept++] = r->removed[i];
	r->removed_count = kept;
	q->anew_run = r;
	q->anew = ANEW_READ;
	crew_submit(q->crew, &r->job, true);
}

/* It is to be filed once more; its oldest record keeps the journal. */
static void
enlist(struct queue *q, const struct anew *r, struct entry *e)
{
	if (r->slot != -1) {
		if (e->pin != -1)
			q->pins[e->pin]--;
		e->pin = r->slot;
		q->pins[e->pin]++;
	}
	/* What waits with a cause is not waited for. */
	if (!e->anew && e->cause == 0) {
		e->anew = true;
		q->anew_waits++;
	}
	e->due_at = q->now;
	entry_consider(q, e);
}

/* What the walk has not come to, or cannot read, is filed after that; NULL. */
static struct entry *
entry_of(struct queue *q, uint64_t msgid)
{
	struct entry *e = entry_make(q, msgid);
	unsigned i;

	if (!e->replayed && !e->unknown)
		return e;
	e->again = true;
	for (i = 0; i < e->leaves; i++)
		e->leaf[i].again = true;
	return NULL;
}

/* What memory has is as new or newer. */
static void
take_text(
    struct entry *e, unsigned rcpt, struct blob *b, size_t off, size_t len)
{
	struct leaf *l = entry_leaf(e, rcpt);

	if (l == NULL) {
		l = entry_leaf_make(e, rcpt);
		l->file = true;
	}
	/* A person's text was not lost: it came later. */
	if (l->done || l->edited)
		return;
	if (l->blob == NULL)
		leaf_text(l, b, off, len);
	l->dirty = l->again = true;
	l->backed = 1;
}

static void
take_image(struct queue *q, const struct anew *r, const struct image *i)
{
	struct entry *e;
	struct leaf *l;

	if (!tally_has(q->tally, i->evpid) ||
	    (e = entry_of(q, ident_msgid(i->evpid))) == NULL)
		return;
	take_text(e, ident_rcpt(i->evpid), i->text, 0, i->text->len);
	l = entry_leaf(e, ident_rcpt(i->evpid));
	if (l->blob == i->text) {
		l->image = true;
		l->locked = i->locked;
		/* As at a start: its records stay until it can be read. */
		e->unknown = e->unknown || i->locked;
	}
	enlist(q, r, e);
}

static void
take_message(struct queue *q, struct entry *e, const struct put *p)
{
	unsigned i;

	e->again = e->found = true;
	if (e->source != IN_FILE)
		return;
	e->m = p->m;
	e->put = true;
	e->seq = p->seq;
	e->stored = p->stored;
	if (p->large) {
		e->source = IN_INCOMING;
		e->head = blob_ref(p->head);
		return;
	}
	e->source = IN_JOURNAL;
	e->at = p->at;
	for (i = 0; i < ring_slots(q->ring); i++)
		if (ring_file(q->ring, i) == p->file)
			e->slot = i;
}

static void
take_put(struct queue *q, const struct anew *r, const struct put *p)
{
	const char *text = p->locked ? "" : p->record->data;
	size_t len = p->locked ? 0 : p->record->len, at, n;
	struct entry *e;
	uint64_t id;

	if (tally_count(q->tally, p->m.msgid) == 0 ||
	    (e = entry_of(q, p->m.msgid)) == NULL)
		return;
	take_message(q, e, p);
	for (at = 0; (n = envfile_first(text + at, len - at)) > 0; at += n) {
		id = envfile_id(text + at, n);
		if (ident_msgid(id) == p->m.msgid && tally_has(q->tally, id))
			take_text(e, ident_rcpt(id), p->record, at, n);
	}
	e->unknown = e->unknown || p->locked;
	enlist(q, r, e);
}

/* What of the journal is alive becomes entries, some a turn: images first, so
 * that a message's own texts are not taken for newer ones. */
static bool
take(struct queue *q, struct anew *r)
{
	struct image *i;
	unsigned n = 0;
	struct put *p;

	for (; n < TAKEN && (i = hmap_next(r->images, &r->at_image)) != NULL;
	     n++)
		take_image(q, r, i);
	for (; n < TAKEN && (p = hmap_next(r->puts, &r->at_put)) != NULL; n++)
		take_put(q, r, p);
	for (; n < TAKEN && r->at_done < r->done_count; n++, r->at_done++) {
		const struct done *d = &r->dones[r->at_done];

		if (!tally_has(q->tally, d->evpid))
			finished_line(
			    q, r->lines, d->evpid, d->outcome, d->len);
	}
	return n < TAKEN;
}

void
anew_turn(struct queue *q)
{
	struct anew *r = q->anew_run;
	char *lines;
	size_t len;

	if (q->anew == ANEW_DUE && q->now >= q->anew_at)
		q->anew = ANEW_STOP;
	if (q->anew == ANEW_STOP && q->jobs == 0 && !q->renewing &&
	    !q->finished_busy)
		submit_read(q);
	if (q->anew != ANEW_TAKE)
		return;
	if (!take(q, r)) {
		crew_wake(q->crew);
		return;
	}
	log_info("event=files-anew messages=%u text=\"written again from the "
		 "journal\"",
	    q->anew_waits);
	lines = (char *)buf_steal(r->lines, &len);
	q->anew_run = NULL;
	run_free(r);
	q->anew = ANEW_FILES;
	finished_anew(q, lines, len);
}

void
anew_logged(struct queue *q, int error)
{
	if (error != 0 && q->anew == ANEW_FILES)
		wait_more(q, error);
}

void
anew_came(struct queue *q, struct entry *e)
{
	if (e->anew)
		q->anew_waits--;
	e->anew = false;
}

void
anew_flushed(struct queue *q)
{
	q->flush_error = 0;
	q->anew = ANEW_NONE;
	q->anew_tries = 0;
}

bool
anew_holds_files(const struct queue *q)
{
	return q->anew == ANEW_STOP || q->anew == ANEW_READ ||
	    q->anew == ANEW_TAKE;
}

bool
anew_is_ready(const struct queue *q)
{
	return q->anew == ANEW_FILES && q->anew_waits == 0 && !q->finished_busy;
}

void
anew_free(struct queue *q)
{
	run_free(q->anew_run);
	q->anew_run = NULL;
}

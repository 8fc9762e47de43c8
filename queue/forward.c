/*
 * forward - what cannot become files moves on in the ring
 *
 * A message that the file system refuses keeps its records, and the ring ends
 * at the oldest of them. When the ring fills up they are written anew at its
 * head: the put, which names the seq it had first, then images and dones. The
 * pin moves when all of them are flushed, so that a crash finds the old ones or
 * both. At most 64 messages at a time, and a round begins only when others have
 * written as many records as the last one copied: a ring full of such mail
 * stands still, and mail is refused.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "queue/envfile.h"
#include "queue/inside.h"

#define FORWARD_MAX 64 /* messages at a time */

/* One message on its way. */
struct forward {
	struct job job; /* reads what the journal holds of it */
	struct entry *e;
	char prefix[64]; /* of the put */
	struct blob *stream; /* the put's payload; NULL: none */
	int fd;
	uint64_t at;
	bool failed;
	unsigned open; /* records not answered */
	int slot; /* of the first copy; -1 */
	unsigned put_slot;
	uint64_t put_at;
};

/* One record of it. */
struct copy {
	struct draft d;
	struct forward *f;
	struct form form;
	uint64_t evpid;
	struct blob *text; /* of an image */
	size_t off, len;
	struct buf *sealed;
	char id[IDENT_TEXT_MAX];
};

static void
end(struct forward *f)
{
	struct entry *e = f->e;
	struct queue *q = f->job.q;

	if (f->failed) {
		if (f->slot != -1)
			q->pins[f->slot]--;
	} else {
		q->pins[e->pin]--;
		e->pin = f->slot;
		if (f->stream != NULL && e->source == IN_JOURNAL) {
			e->slot = f->put_slot;
			e->at = f->put_at;
		}
	}
	e->pending--;
	q->forwarding--;
	blob_unref(f->stream);
	free(f);
	entry_consider(q, e);
}

static void
finish_copy(struct job *j)
{
	struct copy *r = (struct copy *)(void *)j;
	struct forward *f = r->f;
	struct queue *q = j->q;

	change_answered(q, &r->d);
	if (r->d.status != QUEUE_OK)
		f->failed = true;
	else if (f->slot == -1) {
		/* Answers come in the order of the journal. */
		f->slot = (int)r->d.slot;
		q->pins[f->slot]++;
	}
	if (r->d.kind == JOURNAL_PUT) {
		f->put_slot = r->d.slot;
		f->put_at = r->d.at + strlen(f->prefix);
	}
	blob_unref(r->text);
	buf_free(r->sealed);
	form_drop(&r->form);
	free(r);
	if (--f->open == 0)
		end(f);
}

static struct copy *
copy_new(struct forward *f, enum journal_kind kind)
{
	struct copy *r = mem_zalloc(sizeof(*r));

	r->d.job.q = f->job.q;
	r->d.job.finish = finish_copy;
	r->d.kind = kind;
	r->d.carried = true;
	r->d.flush = true;
	r->f = f;
	f->open++;
	f->job.q->forward_records++;
	return r;
}

static void
add_part(struct copy *r, void *base, size_t len)
{
	r->d.part[r->d.parts].iov_base = base;
	r->d.part[r->d.parts++].iov_len = len;
}

static int
wrap_image(struct draft *d, struct codec_writer *w)
{
	struct copy *r = (struct copy *)(void *)d;

	(void)w;
	r->sealed = buf_new(ENVFILE_STORED_MAX);
	if (envfile_wrap(r->form.codec.key, r->evpid, r->text->data + r->off,
		r->len, r->sealed) == -1)
		return -1;
	add_part(r, (void *)(uintptr_t)buf_text(r->sealed), buf_len(r->sealed));
	return 0;
}

static void
copy_leaf(struct forward *f, const struct leaf *l)
{
	struct copy *r = copy_new(f, l->done ? JOURNAL_DONE : JOURNAL_IMAGE);

	ident_evpid_text(r->id, ident_evpid(f->e->m.msgid, l->rcpt));
	r->id[IDENT_EVPID_DIGITS] = l->done ? ' ' : '\n';
	add_part(r, r->id, IDENT_TEXT_MAX);
	if (!l->done) {
		r->text = blob_ref(l->blob);
		r->off = l->off;
		r->len = l->len;
		r->evpid = ident_evpid(f->e->m.msgid, l->rcpt);
		/* What cannot be opened goes on as it is. */
		if (l->locked) {
			add_part(r, r->text->data + l->off, l->len);
		} else {
			form_take(f->job.q, &r->form);
			r->d.prepare = wrap_image;
		}
	}
	committer_submit(f->job.q->committer, &r->d);
}

/* The put first, so that the pin is at its segment. */
static void
copy_all(struct forward *f)
{
	struct entry *e = f->e;
	struct copy *r;
	unsigned i;

	f->open = 1; /* until all are on their way */
	if (f->stream != NULL) {
		r = copy_new(f, JOURNAL_PUT);
		add_part(r, f->prefix, strlen(f->prefix));
		add_part(r, f->stream->data, f->stream->len);
		committer_submit(f->job.q->committer, &r->d);
	}
	for (i = 0; i < e->leaves; i++) {
		struct leaf *l = &e->leaf[i];

		/* A first form stands in the put. */
		if (l->done || (l->blob != NULL && (!e->put || l->image)))
			copy_leaf(f, l);
	}
	if (f->open == 1)
		f->failed = true; /* there was nothing to write */
	if (--f->open == 0)
		end(f);
}

static void
run_read(struct job *j)
{
	struct forward *f = (struct forward *)(void *)j;
	size_t at = 0;
	ssize_t n;

	while (at < f->stream->len) {
		n = pread(f->fd, f->stream->data + at, f->stream->len - at,
		    (off_t)(f->at + at));
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			f->failed = true;
			return;
		}
		at += (size_t)n;
	}
}

static void
finish_read(struct job *j)
{
	struct forward *f = (struct forward *)(void *)j;

	if (f->failed)
		end(f);
	else
		copy_all(f);
}

static bool
begin(struct queue *q, struct entry *e)
{
	bool finished = !e->unknown && entry_finished(q, e);
	char id[IDENT_TEXT_MAX];
	struct forward *f;
	unsigned i;

	/* Copies overtake what waits for room: not the images before a done. */
	for (i = 0; e->pending > 0 && i < e->leaves; i++)
		if (e->leaf[i].done)
			return false;
	if (e->put && !finished && e->source != IN_JOURNAL &&
	    e->source != IN_INCOMING)
		return false; /* its first job has not been refused yet */
	f = mem_zalloc(sizeof(*f));
	f->job.q = q;
	f->e = e;
	f->slot = -1;
	e->pending++;
	q->forwarding++;
	entry_consider(q, e); /* which takes it from its list */
	snprintf(
	    f->prefix, sizeof(f->prefix), "again %016" PRIx64 "\n", e->seq);
	if (!e->put || finished) {
		copy_all(f);
	} else if (e->source == IN_INCOMING) {
		snprintf(f->prefix + strlen(f->prefix),
		    sizeof(f->prefix) - strlen(f->prefix), "incoming %s\n",
		    ident_msgid_text(id, e->m.msgid));
		f->stream = blob_ref(e->head);
		copy_all(f);
	} else {
		f->stream = blob_new((size_t)e->stored);
		f->fd = ring_fd(q->ring, e->slot);
		f->at = e->at;
		f->job.run = run_read;
		f->job.finish = finish_read;
		f->job.operation = "journal.forward";
		crew_submit(q->crew, &f->job, true);
	}
	return true;
}

void
forward_turn(struct queue *q, uint64_t low)
{
	struct entries *lists[] = { &q->retry, &q->unseen };
	struct entry *e, *next;
	unsigned i;

	/* Nothing is held: half of less than nothing would be a limit that no
	 * later round comes to. */
	if (q->forwarding > 0 || low > q->last_seq)
		return;
	if (low > q->forward_limit) {
		if (q->last_seq < q->forward_seq + 2 * q->forward_records)
			return;
		/* The older half of what is in use. */
		q->forward_limit = low + (q->last_seq - low) / 2;
		q->forward_records = 0;
		q->forward_seq = q->last_seq;
	}
	for (i = 0; i < 2; i++) {
		for (e = TAILQ_FIRST(lists[i]); e != NULL; e = next) {
			next = TAILQ_NEXT(e, due);
			if (q->forwarding == FORWARD_MAX)
				return;
			if (e->pin != -1 &&
			    ring_first(q->ring, (unsigned)e->pin) <=
				q->forward_limit)
				(void)begin(q, e);
		}
	}
}

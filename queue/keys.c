/*
 * keys - what lacks its key, and what becomes of it when the key comes
 *
 * Sealed mail whose key is not in the ring is not damaged: it is listed, kept
 * as it is, in its files and in the journal, and tried again with every ring.
 * Files are tried by walking their buckets, one at a time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "queue/envfile.h"
#include "queue/inside.h"
#include "queue/walk.h"

struct lock {
	uint64_t evpid;
	char kid[KEYRING_KID + 1];
};

/* What the journal has of a message is read again. */
struct reopen {
	struct job job;
	struct form form;
	uint64_t msgid;
	enum source source;
	int fd; /* of the journal, or the file */
	unsigned slot; /* held for so long */
	uint64_t at, stored;
	struct codec_reader *reader;
	char *record; /* NULL: it cannot be had */
};

void
form_take(const struct queue *q, struct form *f)
{
	f->keys = q->keys == NULL ? NULL : keyring_ref(q->keys);
	f->codec.level = q->compression;
	f->codec.key = q->seal ? keyring_active(q->keys) : NULL;
}

void
form_copy(struct form *to, const struct form *from)
{
	*to = *from;
	if (to->keys != NULL)
		(void)keyring_ref(to->keys);
}

void
form_drop(struct form *f)
{
	keyring_unref(f->keys);
	f->keys = NULL;
	f->codec.key = NULL;
}

void
lock_add(struct queue *q, uint64_t evpid, const char *kid)
{
	struct lock *l = hmap_get(q->locks, evpid);

	if (l == NULL) {
		l = mem_zalloc(sizeof(*l));
		l->evpid = evpid;
		hmap_put(q->locks, evpid, l);
	}
	snprintf(l->kid, sizeof(l->kid), "%s", kid);
	snprintf(q->stats.locked_kid, sizeof(q->stats.locked_kid), "%s", kid);
	q->stats.locked = hmap_count(q->locks);
}

void
lock_del(struct queue *q, uint64_t evpid)
{
	struct lock *l;
	size_t at = 0;

	if (q->stats.locked == 0)
		return;
	free(hmap_del(q->locks, evpid));
	q->stats.locked = hmap_count(q->locks);
	l = hmap_next(q->locks, &at);
	snprintf(q->stats.locked_kid, sizeof(q->stats.locked_kid), "%s",
	    l == NULL ? "" : l->kid);
}

bool
lock_has(const struct queue *q, uint64_t evpid)
{
	return q->stats.locked > 0 && hmap_get(q->locks, evpid) != NULL;
}

bool
entry_is_locked(const struct entry *e)
{
	unsigned i;

	for (i = 0; i < e->leaves; i++)
		if (e->leaf[i].locked)
			return true;
	return e->locked;
}

/* The images of a message that can be opened now. */
static void
open_leaves(struct queue *q, struct entry *e)
{
	struct buf *text = buf_new(ENVFILE_STORED_MAX);
	struct leaf *l;
	struct blob *b;
	unsigned i;

	for (i = 0; i < e->leaves; i++) {
		l = &e->leaf[i];
		if (!l->locked)
			continue;
		buf_reset(text);
		if (envfile_unwrap(q->keys, l->blob->data + l->off, l->len,
			text, NULL, NULL) != ENVFILE_WHOLE)
			continue;
		b = blob_new(buf_len(text));
		memcpy(b->data, buf_text(text), b->len);
		leaf_text(l, b, 0, b->len);
		blob_unref(b);
		l->locked = false;
		l->dirty = true;
	}
	buf_free(text);
}

static void
run_reopen(struct job *j)
{
	struct reopen *r = (struct reopen *)(void *)j;
	char name[LAYOUT_NAME_MAX];
	size_t len, got;

	if (r->source == IN_INCOMING) {
		r->fd = layout_open_read(
		    &j->q->layout, layout_incoming(name, r->msgid), NULL);
		/* Moved by a run that did not live to write its mark. */
		if (r->fd == -1)
			r->fd = layout_open_read(&j->q->layout,
			    layout_message(name, r->msgid), NULL);
		if (r->fd == -1)
			return;
	}
	r->reader = codec_open(r->fd, r->at, r->stored, r->form.keys);
	if (codec_state(r->reader) != CODEC_OK)
		return;
	len = (size_t)codec_message(r->reader)->record;
	r->record = mem_zalloc(len + 1);
	if (codec_read(r->reader, 0, r->record, len, &got) == CODEC_OK &&
	    got == len)
		return;
	free(r->record);
	r->record = NULL;
}

static void
report_leaves(struct queue *q, struct entry *e)
{
	struct leaf *l;
	unsigned i;

	for (i = 0; i < e->leaves; i++) {
		l = &e->leaf[i];
		if (l->done || l->locked || l->blob == NULL)
			continue;
		/* What is not known to be no file may be one. */
		if (e->locked)
			l->file = true;
		else if (!lock_has(q, ident_evpid(e->m.msgid, l->rcpt)))
			continue;
		l->dirty = true;
		load_report(q, ident_evpid(e->m.msgid, l->rcpt), QUEUE_OK,
		    l->blob->data + l->off, l->len, e->m.size, NULL);
	}
}

static void
finish_reopen(struct job *j)
{
	struct reopen *r = (struct reopen *)(void *)j;
	struct queue *q = j->q;
	struct entry *e = entry_get(q, r->msgid);

	q->pins[r->slot]--;
	e->pending--;
	if (r->record != NULL &&
	    restore_record(
		e, r->record, (size_t)codec_message(r->reader)->record)) {
		e->m = *codec_message(r->reader);
		open_leaves(q, e);
		report_leaves(q, e);
		e->locked = false;
		e->unknown = entry_is_locked(e);
		lock_del(q, ident_evpid(e->m.msgid, 0));
	}
	entry_consider(q, e);
	codec_close(r->reader);
	if (r->source == IN_INCOMING && r->fd != -1)
		close(r->fd);
	free(r->record);
	form_drop(&r->form);
	free(r);
}

static void
reopen(struct queue *q, struct entry *e)
{
	struct reopen *r;

	if (!e->locked) {
		open_leaves(q, e);
		report_leaves(q, e);
		e->unknown = entry_is_locked(e);
		entry_consider(q, e);
		return;
	}
	r = mem_zalloc(sizeof(*r));
	r->job.q = q;
	r->job.run = run_reopen;
	r->job.finish = finish_reopen;
	form_take(q, &r->form);
	r->msgid = e->m.msgid;
	r->source = e->source;
	r->slot = e->slot;
	r->fd = ring_fd(q->ring, e->slot);
	r->at = e->source == IN_INCOMING ? 0 : e->at;
	r->stored = e->source == IN_INCOMING ? CODEC_TO_END : e->stored;
	q->pins[r->slot]++;
	e->pending++;
	entry_consider(q, e);
	crew_submit(q->crew, &r->job, true);
}

/* A walk over the buckets where locked mail is. */
struct unlock {
	bool wanted[LAYOUT_BUCKETS];
	unsigned next;
};

static void retry(struct queue *q);

/* Reports of one message what is not locked any more. */
static void
take_message(
    struct queue *q, struct walk *w, const struct found *found, size_t n)
{
	const struct found *m = ident_rcpt(found->id) == 0 ? found : NULL;
	struct found *fresh;
	size_t i, kept = 0;

	if (m == NULL || m->status == QUEUE_LOCKED || m->status == QUEUE_GONE)
		return;
	fresh = mem_zarray(n, sizeof(*fresh));
	fresh[kept++] = *m;
	for (i = 1; i < n; i++)
		if (found[i].status != QUEUE_LOCKED &&
		    found[i].status != QUEUE_GONE && lock_has(q, found[i].id))
			fresh[kept++] = found[i];
	if (kept > 1)
		(void)load_files(q, w, fresh, kept);
	free(fresh);
}

static void
finish_unlock(struct job *j)
{
	struct walk *w = (struct walk *)(void *)j;
	size_t i, n;

	for (i = 0; w->error == 0 && i < w->count; i += n) {
		for (n = 1; i + n < w->count &&
		     ident_msgid(w->found[i + n].id) ==
			 ident_msgid(w->found[i].id);
		     n++)
			;
		take_message(j->q, w, &w->found[i], n);
	}
	retry(j->q);
	walk_free(w);
}

static void
end_unlock(struct queue *q)
{
	free(q->unlock);
	q->unlock = NULL;
	log_info(
	    "event=unlocked left=%llu", (unsigned long long)q->stats.locked);
	if (q->unlock_again) {
		q->unlock_again = false;
		queue_rekey(q, q->keys);
	}
}

static void
retry(struct queue *q)
{
	struct unlock *u = q->unlock;
	struct walk *w;

	while (u->next < LAYOUT_BUCKETS && !u->wanted[u->next])
		u->next++;
	if (u->next == LAYOUT_BUCKETS) {
		end_unlock(q);
		return;
	}
	w = walk_new(q, u->next++, 0);
	w->job.finish = finish_unlock;
	crew_submit(q->crew, &w->job, false);
}

/* Tries all that is locked with the ring of now. */
static void
unlock(struct queue *q)
{
	size_t n = 0, at, i;
	struct lock *l;
	struct entry *e;
	uint64_t *ids;

	q->unlock = mem_zalloc(sizeof(*q->unlock));
	ids = mem_zarray(hmap_count(q->locks), sizeof(*ids));
	HMAP_FOREACH(l, q->locks, at)
		ids[n++] = l->evpid;
	for (i = 0; i < n; i++) {
		e = entry_get(q, ident_msgid(ids[i]));
		if (!lock_has(q, ids[i]))
			continue;
		if (e != NULL && entry_is_locked(e))
			reopen(q, e);
		else
			q->unlock->wanted[layout_bucket(ident_msgid(ids[i]))] =
			    true;
	}
	free(ids);
	retry(q);
}

void
keys_loaded(struct queue *q)
{
	if (q->stats.locked > 0)
		log_warn("event=locked envelopes=%llu kid=%s text=\"sealed "
			 "by a key that is not at hand; kept as they are\"",
		    (unsigned long long)q->stats.locked, q->stats.locked_kid);
	if (!q->unlock_again)
		return;
	q->unlock_again = false;
	queue_rekey(q, q->keys);
}

void
queue_rekey(struct queue *q, struct keyring *keys)
{
	struct keyring *old = q->keys;

	/* Nothing is ever written in the clear for want of a key. */
	if (q->seal && (keys == NULL || keyring_active(keys) == NULL)) {
		log_err("event=rekey error=\"the ring has no active key, and "
			"the spool is sealed: the old ring stays\"");
		return;
	}
	q->keys = keys == NULL ? NULL : keyring_ref(keys);
	keyring_unref(old);
	shelf_drop(q->shelf, 0);
	if (q->load != NULL || q->unlock != NULL || q->closing)
		q->unlock_again = true;
	else if (q->stats.locked > 0)
		unlock(q);
}

bool
queue_restyle(struct queue *q, int compression, bool seal)
{
	if (seal && (q->keys == NULL || keyring_active(q->keys) == NULL))
		return false;
	q->compression = compression;
	q->seal = seal;
	return true;
}

void
keys_free(struct queue *q)
{
	struct lock *l;
	size_t at;

	for (at = 0; (l = hmap_next(q->locks, &at)) != NULL;)
		free(l);
	hmap_free(q->locks);
	free(q->unlock);
	keyring_unref(q->keys);
}

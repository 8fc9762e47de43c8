/*
 * load - what the walk found meets what the journal said
 *
 * Bucket by bucket, a bounded number of envelopes a turn, each reported once.
 * The journal is the truth where it has an entry; files speak for the rest.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "queue/envfile.h"
#include "queue/inside.h"
#include "queue/walk.h"

#define AHEAD 8 /* buckets read and not yet reported */

/* The walk over the tree while it lasts. */
struct load {
	unsigned next; /* bucket to be asked for */
	unsigned open; /* asked for, and not done with */
	struct walk *ready[AHEAD];
	unsigned count;
	struct walk *now; /* being reported */
	size_t at; /* in it */
	size_t odd;
	struct finished *finished; /* NULL: not read yet */
	bool reading; /* it */
};

/* Of state/finished. */
struct reading {
	struct job job;
	struct finished *finished;
};

struct discovery {
	struct job job; /* reads what was finished */
	struct finished *finished;
	uint64_t msgid;
	bool back; /* whatever was finished */
	void (*cb)(void *, enum queue_status, unsigned);
	void *ctx;
};

/* What lacks its key is told once for all of it, when the walk has ended. */
static void
report_locked(struct queue *q, uint64_t evpid, const char *kid, uint64_t size,
    int64_t arrived, const char *reason)
{
	char why[128];

	if (ident_rcpt(evpid) != 0)
		(void)tally_add(q->tally, evpid);
	lock_add(q, evpid, kid);
	snprintf(
	    why, sizeof(why), "%s%s%s", reason, *kid == '\0' ? "" : ": ", kid);
	if (!q->has_loader)
		return;
	if (q->loader.locked != NULL)
		q->loader.locked(q->loader.ctx, evpid, size, arrived, why);
	else if (q->loader.envelope != NULL && ident_rcpt(evpid) != 0)
		q->loader.envelope(
		    q->loader.ctx, evpid, QUEUE_LOCKED, NULL, 0, size, why);
}

void
load_report(struct queue *q, uint64_t evpid, enum queue_status status,
    const char *text, size_t len, uint64_t size, const char *reason)
{
	(void)tally_add(q->tally, evpid);
	lock_del(q, evpid);
	if (status != QUEUE_OK)
		q->stats.anomalies++;
	if (q->has_loader && q->loader.envelope != NULL)
		q->loader.envelope(
		    q->loader.ctx, evpid, status, text, len, size, reason);
}

unsigned
load_files(struct queue *q, struct walk *w, const struct found *found, size_t n)
{
	const struct found *m = ident_rcpt(found->id) == 0 ? found : NULL;
	char id[IDENT_TEXT_MAX];
	const struct found *f;
	const char *text;
	unsigned count = 0;

	if (m != NULL && m->status == QUEUE_GONE)
		return 0; /* removed between the listing and the look */
	if (m != NULL && n == 1) {
		if (m->status == QUEUE_UNAVAILABLE ||
		    m->status == QUEUE_LOCKED) {
			char name[LAYOUT_NAME_MAX];

			aside_anomaly(q,
			    layout_message(name, ident_msgid(m->id)),
			    m->reason);
		} else
			aside_file(q, m->id, "a message without any envelope");
		return 1;
	}
	for (f = m == NULL ? found : found + 1; f < found + n; f++) {
		if (f->status == QUEUE_GONE)
			continue;
		count++;
		if (m == NULL && f->status != QUEUE_UNAVAILABLE) {
			aside_file(q, f->id, "an envelope without its message");
			continue;
		}
		text = f->len > 0 ? w->text + f->at : NULL;
		if (f->status == QUEUE_LOCKED ||
		    (m != NULL && m->status == QUEUE_LOCKED))
			report_locked(q, f->id,
			    f->status == QUEUE_LOCKED ? f->kid : m->kid,
			    m == NULL ? 0 : m->size, m == NULL ? 0 : m->arrived,
			    f->status == QUEUE_LOCKED ? f->reason : m->reason);
		else if (f->status != QUEUE_OK || m == NULL ||
		    m->status == QUEUE_OK)
			load_report(q, f->id, f->status, text, f->len,
			    m == NULL ? 0 : m->size, f->reason);
		else {
			char why[160];

			snprintf(
			    why, sizeof(why), "its message: %s", m->reason);
			load_report(q, f->id, m->status, text, f->len, 0, why);
		}
		if (f->rebuilt) {
			log_warn("event=rebuilt evpid=%s reason=\"the file was "
				 "cut short\"",
			    ident_evpid_text(id, f->id));
			q->stats.anomalies++;
			queue_image(q, f->id, text, f->len, NULL, NULL);
		}
	}
	return count;
}

/* Files that nobody knew of. What was finished before is not taken twice: a
 * backup brought it back, or a bucket that had been away. */
static unsigned
take_new(struct queue *q, struct walk *w, const struct finished *finished,
    const struct found *found, size_t n)
{
	static const char reason[] =
	    "it was finished before: see state/finished";
	struct found *kept = mem_zarray(n, sizeof(*kept));
	size_t i, refused = 0, envelopes = 0, count = 0;
	unsigned rc = 0;

	for (i = 0; i < n; i++) {
		if (ident_rcpt(found[i].id) != 0 &&
		    finished_has(finished, found[i].id)) {
			aside_file(q, found[i].id, reason);
			refused++;
			continue;
		}
		envelopes += ident_rcpt(found[i].id) != 0;
		kept[count++] = found[i];
	}
	if (refused > 0 && envelopes == 0) {
		if (count > 0 && kept[0].status != QUEUE_GONE &&
		    tally_count(q->tally, ident_msgid(found->id)) == 0)
			aside_file(q, kept[0].id, reason);
	} else if (count > 0) {
		rc = load_files(q, w, kept, count);
	}
	free(kept);
	return rc + (unsigned)refused;
}

static const struct found *
find(const struct found *found, size_t n, uint64_t id)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (found[i].id == id)
			return &found[i];
	return NULL;
}

/* An image in the journal that cannot be opened, or one of a message that
 * cannot. m may be NULL. */
static void
leaf_locked(struct queue *q, struct entry *e, const struct leaf *l,
    const struct found *m)
{
	struct buf *none = buf_new(ENVFILE_STORED_MAX);
	uint64_t evpid = ident_evpid(e->m.msgid, l->rcpt);
	char kid[KEYRING_KID + 1] = "";
	enum envfile_state state = ENVFILE_NO_KEY;

	if (l->locked)
		state = envfile_unwrap(
		    q->keys, l->blob->data + l->off, l->len, none, NULL, kid);
	report_locked(q, evpid, l->locked ? kid : m->kid,
	    m == NULL ? e->m.size : m->size,
	    m == NULL ? e->m.arrived : m->arrived,
	    state == ENVFILE_WHOLE ? "sealed" : envfile_reason(state));
	buf_free(none);
}

/* The journal knows of changes to a message whose put it no longer holds. */
static unsigned
take_changed(struct queue *q, struct walk *w, struct entry *e,
    const struct found *found, size_t n)
{
	const struct found *m, *f;
	unsigned i, count = 0;
	struct found *whole;
	struct leaf *l;
	size_t kept = 0;

	m = find(found, n, ident_evpid(e->m.msgid, 0));
	for (i = 0; i < e->leaves; i++) {
		l = &e->leaf[i];
		f = find(found, n, ident_evpid(e->m.msgid, l->rcpt));
		l->file = f != NULL && f->status != QUEUE_GONE;
		if (l->done)
			continue;
		if (m == NULL || m->status == QUEUE_GONE) {
			/* There is nothing to send: leave it as it is. */
			l->dirty = false;
			continue;
		}
		count++;
		if (l->locked || m->status == QUEUE_LOCKED)
			leaf_locked(q, e, l, m);
		else
			load_report(q, ident_evpid(e->m.msgid, l->rcpt),
			    m->status, l->blob->data + l->off, l->len, m->size,
			    m->reason);
	}
	/* The others of this message, by their files. */
	whole = mem_zarray(n, sizeof(*whole));
	for (f = found; f < found + n; f++)
		if (ident_rcpt(f->id) == 0 ||
		    (l = entry_leaf(e, ident_rcpt(f->id))) == NULL ||
		    (!l->done && (m == NULL || m->status == QUEUE_GONE)))
			whole[kept++] = *f;
	if (kept > (m == NULL ? 0u : 1u))
		count += take_new(q, w,
		    q->load == NULL ? NULL : q->load->finished, whole, kept);
	free(whole);
	e->found = m != NULL || n > 0;
	return count;
}

/* A message whose put the journal holds: the journal is the truth. */
static unsigned
take_put(struct queue *q, struct entry *e, const struct found *found, size_t n)
{
	char name[LAYOUT_NAME_MAX];
	unsigned i, count = 0;
	struct leaf *l;

	for (i = 0; i < e->leaves; i++) {
		l = &e->leaf[i];
		l->file =
		    find(found, n, ident_evpid(e->m.msgid, l->rcpt)) != NULL;
		if (l->done)
			continue;
		count++;
		if (l->locked) {
			leaf_locked(q, e, l, NULL);
			continue;
		}
		l->dirty = true;
		load_report(q, ident_evpid(e->m.msgid, l->rcpt), QUEUE_OK,
		    l->blob->data + l->off, l->len, e->m.size, NULL);
	}
	e->found = n > 0;
	if (e->locked)
		report_locked(q, ident_evpid(e->m.msgid, 0), e->kid, e->m.size,
		    e->m.arrived,
		    e->kid[0] == '\0' ? "its record is damaged"
				      : "sealed by a key that is not at hand");
	else if (e->leaves == 0)
		aside_anomaly(q, layout_incoming(name, e->m.msgid),
		    "a large message was accepted, and its file is gone");
	return count;
}

static unsigned
merge(struct queue *q, struct walk *w, struct entry *e,
    const struct found *found, size_t n)
{
	unsigned count;

	TAILQ_REMOVE(e->list, e, due);
	e->list = NULL;
	e->replayed = false;
	if (e->put)
		count = take_put(q, e, found, n);
	else if (w->error != 0) {
		/* Who else is alive in this message cannot be known. */
		e->unknown = true;
		entry_consider(q, e);
		return 1;
	} else
		count = take_changed(q, w, e, found, n);
	/* Its records stay where they are until they can be read. */
	if (entry_is_locked(e))
		e->unknown = true;
	entry_consider(q, e);
	return count + 1;
}

/* Reports the next message of the bucket; what it counted. */
static unsigned
next_message(struct queue *q, struct walk *w)
{
	struct load *load = q->load;
	const struct found *f = &w->found[load->at];
	uint64_t msgid = ident_msgid(f->id);
	struct entry *e = entry_get(q, msgid);
	size_t n = 1;

	while (load->at + n < w->count &&
	    ident_msgid(w->found[load->at + n].id) == msgid)
		n++;
	load->at += n;
	if (e != NULL)
		/* Taken in by this run, unless the journal brought it. */
		return e->replayed ? merge(q, w, e, f, n) : 1;
	if (tally_count(q->tally, msgid) > 0 ||
	    hmap_get(q->txns, msgid) != NULL)
		return 1;
	return take_new(q, w, load->finished, f, n) + 1;
}

static bool
next_odd(struct queue *q, struct walk *w)
{
	char name[LAYOUT_NAME_MAX + 256];
	const char *odd;

	if (q->load->odd >= w->odd_len)
		return false;
	odd = w->odd + q->load->odd;
	snprintf(name, sizeof(name), "queue/%02x/%s", w->bucket, odd);
	q->load->odd += strlen(odd) + 1;
	aside_anomaly(q, name, "a name that has no business there");
	return true;
}

static void
finish_walk(struct job *j)
{
	struct walk *w = (struct walk *)(void *)j;
	struct load *load = j->q->load;

	if (load == NULL) {
		walk_free(w);
		return;
	}
	load->ready[load->count++] = w;
}

static void
run_reading(struct job *j)
{
	struct reading *r = (struct reading *)(void *)j;

	r->finished = finished_read(&j->q->layout, 0);
}

static void
finish_reading(struct job *j)
{
	struct reading *r = (struct reading *)(void *)j;

	if (j->q->load != NULL)
		j->q->load->finished = r->finished;
	else
		finished_free(r->finished);
	free(r);
}

/* Before the first bucket. */
static void
read_finished(struct queue *q)
{
	struct reading *r;

	if (q->load->reading)
		return;
	q->load->reading = true;
	r = mem_zalloc(sizeof(*r));
	r->job.q = q;
	r->job.run = run_reading;
	r->job.finish = finish_reading;
	crew_submit(q->crew, &r->job, true);
}

static void
ask(struct queue *q)
{
	struct load *load = q->load;
	struct walk *w;

	if (load->finished == NULL) {
		read_finished(q);
		return;
	}
	while (load->open < AHEAD && load->next < LAYOUT_BUCKETS) {
		w = walk_new(q, load->next++, 0);
		w->job.finish = finish_walk;
		load->open++;
		crew_submit(q->crew, &w->job, false);
	}
}

/* What the journal brought and no file of it was seen. */
static unsigned
next_replayed(struct queue *q, struct walk *w)
{
	struct entry *e = TAILQ_FIRST(&q->replayed[w->bucket]);

	return e == NULL ? 0 : merge(q, w, e, NULL, 0);
}

static void
end_load(struct queue *q)
{
	struct entry *e, **gone;
	size_t at, n = 0, i;

	finished_free(q->load->finished);
	free(q->load);
	q->load = NULL;
	q->loaded = true;
	crew_keep(q->crew, q->workers);
	/* Those that stayed only for the walk's sake. */
	gone = mem_zarray(hmap_count(q->entries), sizeof(*gone));
	HMAP_FOREACH(e, q->entries, at)
		if (e->list == NULL && !e->busy && e->pending == 0)
			gone[n++] = e;
	for (i = 0; i < n; i++)
		entry_consider(q, gone[i]);
	free(gone);
	if (q->work_since == 0)
		q->work_since = q->now;
	keys_loaded(q);
	if (q->loader.loaded != NULL)
		q->loader.loaded(q->loader.ctx);
}

unsigned
load_turn(struct queue *q, unsigned most)
{
	struct load *load = q->load;
	char name[LAYOUT_NAME_MAX];
	unsigned count = 0, n;
	struct walk *w;

	if (load == NULL || !q->has_loader || q->closing)
		return 0;
	ask(q);
	while (count < most) {
		if ((w = load->now) == NULL) {
			if (load->count == 0)
				break;
			w = load->now = load->ready[--load->count];
			load->at = load->odd = 0;
			if (w->error != 0)
				w->count = 0; /* half a listing misleads */
			if (w->error != 0)
				aside_anomaly(q,
				    layout_bucket_name(name, w->bucket),
				    layout_reason(w->error));
		}
		if (load->at < w->count)
			count += next_message(q, w);
		else if (next_odd(q, w))
			count++;
		else if ((n = next_replayed(q, w)) > 0)
			count += n;
		else {
			walk_free(w);
			load->now = NULL;
			load->open--;
			ask(q);
			if (load->open == 0) {
				end_load(q);
				return count;
			}
		}
	}
	if (count >= most)
		crew_wake(q->crew);
	return count;
}

void
load_new(struct queue *q)
{
	q->load = mem_zalloc(sizeof(*q->load));
}

void
load_free(struct queue *q)
{
	struct load *load = q->load;

	if (load == NULL)
		return;
	while (load->count > 0)
		walk_free(load->ready[--load->count]);
	walk_free(load->now);
	finished_free(load->finished);
	free(load);
	q->load = NULL;
}

void
queue_load(struct queue *q, const struct queue_loader *l)
{
	q->loader = *l;
	q->has_loader = true;
	bulk_report(q);
	if (q->open_alarm[0] != '\0')
		q->stats.anomalies++;
	if (q->open_note[0] != '\0')
		aside_anomaly(q, q->open_note,
		    "the end of the journal, a write that was not finished");
	ask(q);
}

static void
finish_discovery(struct job *j)
{
	struct walk *w = (struct walk *)(void *)j;
	struct discovery *d = w->ctx;
	struct queue *q = j->q;
	struct found *fresh = mem_zarray(w->count + 1, sizeof(*fresh));
	const struct found *m = NULL;
	unsigned count = 0;
	struct entry *e;
	struct leaf *l;
	size_t i, n = 0;

	e = entry_get(q, w->only);
	if (e != NULL && e->unknown && w->error == 0 && !entry_is_locked(e)) {
		/* Its bucket can be read again: as at the start. */
		e->unknown = false;
		count = take_changed(q, w, e, w->found, w->count);
		m = find(w->found, w->count, ident_evpid(w->only, 0));
		entry_consider(q, e);
		w->count = 0;
	}
	for (i = 0; i < w->count; i++) {
		cache_drop(q->cache, w->found[i].id);
		if (ident_rcpt(w->found[i].id) == 0) {
			m = &w->found[i];
			fresh[n++] = *m;
			continue;
		}
		l = e == NULL ? NULL
			      : entry_leaf(e, ident_rcpt(w->found[i].id));
		if (tally_has(q->tally, w->found[i].id) ||
		    (l != NULL && l->done))
			continue;
		fresh[n++] = w->found[i];
		count += !finished_has(d->finished, w->found[i].id);
	}
	if (n > 1 && m != NULL)
		(void)take_new(q, w, d->finished, fresh, n);
	/* Before a done of theirs that the journal still holds. */
	for (i = 0; d->back && i < n; i++)
		if (fresh[i].len > 0 && fresh[i].status == QUEUE_OK &&
		    tally_has(q->tally, fresh[i].id))
			queue_image(q, fresh[i].id, w->text + fresh[i].at,
			    fresh[i].len, NULL, NULL);
	d->cb(d->ctx,
	    w->error != 0   ? QUEUE_UNAVAILABLE
		: m == NULL ? QUEUE_GONE
			    : QUEUE_OK,
	    m == NULL ? 0 : count);
	finished_free(d->finished);
	free(fresh);
	free(d);
	walk_free(w);
}

static void
run_discovery(struct job *j)
{
	struct discovery *d = (struct discovery *)(void *)j;

	if (!d->back)
		d->finished = finished_read(&j->q->layout, d->msgid);
}

static void
walk_discovery(struct job *j)
{
	struct discovery *d = (struct discovery *)(void *)j;
	struct walk *w = walk_new(j->q, layout_bucket(d->msgid), d->msgid);

	w->ctx = d;
	w->job.finish = finish_discovery;
	crew_submit(j->q->crew, &w->job, true);
}

static void
discover(struct queue *q, uint64_t msgid, bool back,
    void (*cb)(void *ctx, enum queue_status, unsigned found), void *ctx)
{
	struct discovery *d = mem_zalloc(sizeof(*d));

	d->cb = cb;
	d->ctx = ctx;
	d->msgid = msgid;
	d->back = back;
	d->job.q = q;
	d->job.run = run_discovery;
	d->job.finish = walk_discovery;
	crew_submit(q->crew, &d->job, true);
}

void
queue_discover(struct queue *q, uint64_t msgid,
    void (*cb)(void *ctx, enum queue_status, unsigned found), void *ctx)
{
	discover(q, msgid, false, cb, ctx);
}

void
discover_back(struct queue *q, uint64_t msgid,
    void (*cb)(void *ctx, enum queue_status, unsigned found), void *ctx)
{
	discover(q, msgid, true, cb, ctx);
}

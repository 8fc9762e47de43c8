/*
 * entry - the messages that are not simply what their files say
 *
 * Fresh from the journal, changed and not in files yet, or finished and not
 * removed yet. A message leaves the index when its files say it all; what is
 * left of it in memory is its place in the tally.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "queue/inside.h"

#define RETRY_MS 5000 /* after the file system refused */

struct blob *
blob_new(size_t len)
{
	struct blob *b = mem_rearray(NULL, 1, sizeof(*b) + len + 1);

	b->refs = 1;
	b->len = len;
	b->data[len] = '\0';
	return b;
}

struct blob *
blob_ref(struct blob *b)
{
	if (b != NULL)
		b->refs++;
	return b;
}

void
blob_unref(struct blob *b)
{
	if (b != NULL && --b->refs == 0)
		free(b);
}

struct entry *
entry_get(const struct queue *q, uint64_t msgid)
{
	return hmap_get(q->entries, msgid);
}

struct entry *
entry_make(struct queue *q, uint64_t msgid)
{
	struct entry *e = entry_get(q, msgid);

	if (e != NULL)
		return e;
	e = mem_zalloc(sizeof(*e));
	e->m.msgid = msgid;
	e->source = IN_FILE;
	e->pin = e->pin_next = -1;
	hmap_put(q->entries, msgid, e);
	return e;
}

struct leaf *
entry_leaf(const struct entry *e, unsigned rcpt)
{
	unsigned low = 0, high = e->leaves, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (e->leaf[mid].rcpt == rcpt)
			return &e->leaf[mid];
		if (e->leaf[mid].rcpt < rcpt)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

struct leaf *
entry_leaf_make(struct entry *e, unsigned rcpt)
{
	struct leaf *l = entry_leaf(e, rcpt);
	unsigned at = e->leaves;

	if (l != NULL)
		return l;
	if (e->leaves == e->room) {
		e->room = e->room == 0 ? 1 : e->room * 2;
		e->leaf = mem_rearray(e->leaf, e->room, sizeof(*e->leaf));
	}
	while (at > 0 && e->leaf[at - 1].rcpt > rcpt)
		at--;
	memmove(e->leaf + at + 1, e->leaf + at,
	    (e->leaves - at) * sizeof(*e->leaf));
	e->leaves++;
	l = &e->leaf[at];
	memset(l, 0, sizeof(*l));
	l->rcpt = (uint16_t)rcpt;
	return l;
}

void
leaf_text(struct leaf *l, struct blob *b, size_t off, size_t len)
{
	blob_ref(b);
	blob_unref(l->blob);
	l->blob = b;
	l->off = (uint32_t)off;
	l->len = (uint32_t)len;
}

void
entry_pin(struct queue *q, struct entry *e, unsigned slot)
{
	int *pin = e->busy ? &e->pin_next : &e->pin;

	/* Answers come in the order of the journal: the first is the oldest. */
	if (*pin != -1)
		return;
	*pin = (int)slot;
	q->pins[slot]++;
}

void
entry_unpin(struct queue *q, struct entry *e)
{
	if (e->pin != -1)
		q->pins[e->pin]--;
	e->pin = e->pin_next;
	e->pin_next = -1;
}

void
entry_drop_body(struct queue *q, struct entry *e)
{
	if (e->body != NULL)
		q->body_bytes -= e->body->len;
	blob_unref(e->body);
	blob_unref(e->record);
	blob_unref(e->head);
	e->body = e->record = e->head = NULL;
	accept_relieve(q);
}

static void
leave_list(struct entry *e)
{
	if (e->list != NULL)
		TAILQ_REMOVE(e->list, e, due);
	e->list = NULL;
}

static void
join_list(struct entry *e, struct entries *list, uint64_t at)
{
	leave_list(e);
	e->list = list;
	e->due_at = at;
	TAILQ_INSERT_TAIL(list, e, due);
}

/* Tried again when its time comes, which it keeps while its records are moved
 * on in the ring or it is changed: where that happens more often than it is
 * tried it never would be. The list stays in the order of times. */
static void
join_retry(struct queue *q, struct entry *e)
{
	uint64_t at = e->due_at == 0 ? q->now + RETRY_MS : e->due_at;
	struct entry *before = NULL;

	leave_list(e);
	/* No long way for one that is late, as most are where many wait. */
	if (at > q->now)
		before = TAILQ_LAST(&q->retry, entries);
	while (before != NULL && before->due_at > at)
		before = TAILQ_PREV(before, entries, due);
	e->list = &q->retry;
	e->due_at = at;
	if (before != NULL)
		TAILQ_INSERT_AFTER(&q->retry, before, e, due);
	else
		TAILQ_INSERT_HEAD(&q->retry, e, due);
}

static void
await_no_more(struct queue *q, struct entry *e)
{
	anew_came(q, e);
	if (e->awaited > 0)
		q->awaited--;
	e->awaited = 0;
}

void
entry_free(struct queue *q, struct entry *e)
{
	unsigned i;

	await_no_more(q, e);
	leave_list(e);
	trouble_over(q->trouble, e->cause, q->now);
	room_release(q, e);
	entry_unpin(q, e);
	entry_unpin(q, e);
	entry_drop_body(q, e);
	for (i = 0; i < e->leaves; i++)
		blob_unref(e->leaf[i].blob);
	hmap_del(q->entries, e->m.msgid);
	free(e->leaf);
	free(e);
}

bool
entry_finished(const struct queue *q, const struct entry *e)
{
	return tally_count(q->tally, e->m.msgid) == 0;
}

/* Whether files must be written or removed for it. */
static bool
has_work(const struct queue *q, const struct entry *e)
{
	bool finished = entry_finished(q, e);
	unsigned i;

	if (e->source != IN_FILE && !finished)
		return true;
	if (finished &&
	    (e->source == IN_FILE || e->source == IN_INCOMING || e->found))
		return true;
	for (i = 0; i < e->leaves; i++) {
		if (e->leaf[i].done ? e->leaf[i].file
				    : e->leaf[i].dirty && !e->leaf[i].edited)
			return true;
	}
	return false;
}

static bool
keeps_text(const struct entry *e)
{
	unsigned i;

	for (i = 0; i < e->leaves; i++)
		if (e->leaf[i].edited && !e->leaf[i].done)
			return true;
	return false;
}

static bool
removes_only(const struct queue *q, const struct entry *e)
{
	unsigned i;

	if (entry_finished(q, e))
		return true;
	if (e->source != IN_FILE)
		return false;
	for (i = 0; i < e->leaves; i++)
		if (e->leaf[i].dirty && !e->leaf[i].done)
			return false;
	return true;
}

void
entry_await_all(struct queue *q)
{
	struct entry *e;
	size_t at;

	HMAP_FOREACH(e, q->entries, at) {
		if (e->unknown || e->cause != 0 ||
		    (!e->busy && e->pending == 0 && !has_work(q, e)))
			continue;
		if (e->awaited == 0)
			q->awaited++;
		/* The job that runs may not know of the last change. */
		e->awaited = e->busy ? 2 : 1;
	}
}

void
entry_came(struct queue *q, struct entry *e, bool good)
{
	anew_came(q, e);
	if (e->awaited > 1 && good)
		e->awaited--;
	else
		await_no_more(q, e);
}

void
entry_consider(struct queue *q, struct entry *e)
{
	/* What is on its way comes back here. */
	/* Images may wait for the very room that the ones before them pin. */
	if (e->busy || e->replayed ||
	    e->pending > (e->pin == -1 ? 0 : e->images)) {
		leave_list(e);
		return;
	}
	if (e->unknown) {
		await_no_more(q, e);
		join_list(e, &q->unseen, 0);
		return;
	}
	if (!has_work(q, e)) {
		await_no_more(q, e);
		entry_unpin(q, e);
		if (e->pending > 0) {
			leave_list(e);
			return;
		}
		/* While the tree is walked it stays, so that files that were
		 * seen a moment ago are not taken for mail. */
		if (keeps_text(e))
			leave_list(e);
		else if (q->load == NULL)
			entry_free(q, e);
		else {
			leave_list(e);
			entry_drop_body(q, e);
			room_release(q, e);
		}
		return;
	}
	if (e->cause != 0)
		join_retry(q, e);
	else if (removes_only(q, e) || (e->due_at != 0 && e->due_at <= q->now))
		join_list(e, &q->soon, q->now);
	else if (e->list == NULL)
		join_list(e, &q->later, filing_alarm(q, q->now + q->settle_ms));
}

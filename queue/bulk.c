/*
 * bulk - one verb for many, durable as one record or a few
 *
 * It pins the journal until its caller has turned it into images and dones.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "queue/inside.h"

#define PARTS_MOST 65536 /* of one verb */

/* One verb for many, from its acceptance to queue_bulk_done(). */
struct bulk {
	LIST_ENTRY(bulk) link;
	uint64_t id;
	char verb[32];
	bool all;
	bool known; /* its caller has it, or the loader was told */
	bool refused;
	bool ending; /* its last record is on the way */
	bool awaited; /* by a sync */
	uint64_t seq; /* of its last part */
	unsigned parts, here; /* parts in all, and durable */
	bool whole; /* replay has seen all parts, of one copy or of several */
	bool *seen; /* which */
	unsigned slots[RING_SLOTS]; /* pins it holds */
	unsigned carried; /* parts of a copy that are on their way */
	unsigned copies[RING_SLOTS]; /* pins of that copy */
	struct tally *later; /* all: messages that came after it */
	uint64_t *evpids;
	size_t n;
	void (*cb)(void *, enum queue_status, uint64_t);
	void *ctx;
};

enum reason {
	ASKED,
	CARRIED,
	ENDED
};

struct part {
	struct draft d;
	uint64_t id;
	enum reason why;
	char text[];
};

static struct bulk *
find(const struct queue *q, uint64_t id)
{
	struct bulk *b;

	LIST_FOREACH(b, &q->bulks, link)
		if (b->id == id)
			return b;
	return NULL;
}

static struct bulk *
bulk_new(struct queue *q, uint64_t id)
{
	struct bulk *b = mem_zalloc(sizeof(*b));

	b->id = id;
	b->later = tally_new();
	LIST_INSERT_HEAD(&q->bulks, b, link);
	return b;
}

static void
bulk_free(struct queue *q, struct bulk *b)
{
	unsigned i;

	for (i = 0; i < RING_SLOTS; i++)
		q->pins[i] -= b->slots[i] + b->copies[i];
	LIST_REMOVE(b, link);
	tally_free(b->later);
	free(b->evpids);
	free(b->seen);
	free(b);
}

void
bulk_free_all(struct queue *q)
{
	struct bulk *b;

	while ((b = LIST_FIRST(&q->bulks)) != NULL)
		bulk_free(q, b);
}

void
bulk_committed(struct queue *q, uint64_t msgid)
{
	struct bulk *b;

	LIST_FOREACH(b, &q->bulks, link)
		if (b->all)
			(void)tally_add(b->later, ident_evpid(msgid, 1));
}

void
bulk_replayed_put(struct queue *q, uint64_t msgid, uint64_t seq)
{
	struct bulk *b;

	LIST_FOREACH(b, &q->bulks, link)
		if (b->all && seq > b->seq)
			(void)tally_add(b->later, ident_evpid(msgid, 1));
}

static void
answer(struct bulk *b, enum queue_status status)
{
	b->known = status == QUEUE_OK;
	if (b->cb != NULL)
		b->cb(b->ctx, status, b->known ? b->id : 0);
}

static void
asked(struct queue *q, struct bulk *b, const struct draft *d)
{
	b->here++;
	if (d->status == QUEUE_OK) {
		b->slots[d->slot]++;
		q->pins[d->slot]++;
		b->seq = d->seq;
	} else {
		b->refused = true;
	}
	if (b->here < b->parts)
		return;
	if (b->refused) {
		answer(b, d->status == QUEUE_OK ? QUEUE_FAILED : d->status);
		bulk_free(q, b);
	} else {
		answer(b, QUEUE_OK);
	}
}

/* The copy takes the place of what stood further back, once it is whole. */
static void
carried(struct queue *q, struct bulk *b, const struct draft *d)
{
	unsigned i;

	if (d->status == QUEUE_OK) {
		b->copies[d->slot]++;
		q->pins[d->slot]++;
	} else {
		b->refused = true;
	}
	if (--b->carried > 0)
		return;
	for (i = 0; i < RING_SLOTS; i++) {
		q->pins[i] -= b->refused ? b->copies[i] : b->slots[i];
		if (!b->refused)
			b->slots[i] = b->copies[i];
		b->copies[i] = 0;
	}
	b->refused = false;
}

static void
finish_part(struct job *j)
{
	struct part *p = (struct part *)(void *)j;
	struct queue *q = j->q;
	struct bulk *b = find(q, p->id);

	change_answered(q, &p->d);
	if (b != NULL && p->why == ENDED)
		bulk_free(q, b);
	else if (b != NULL && p->why == CARRIED)
		carried(q, b, &p->d);
	else if (b != NULL)
		asked(q, b, &p->d);
	free(p);
}

static void
submit_part(
    struct queue *q, uint64_t id, enum reason why, bool flush, const char *text)
{
	size_t len = strlen(text);
	struct part *p = mem_zalloc(sizeof(*p) + len + 1);

	memcpy(p->text, text, len);
	p->d.job.q = q;
	p->d.job.finish = finish_part;
	p->d.kind = JOURNAL_BULK;
	p->d.flush = flush;
	p->d.carried = why == CARRIED;
	p->d.part[0].iov_base = p->text;
	p->d.part[0].iov_len = len;
	p->d.parts = 1;
	p->id = id;
	p->why = why;
	committer_submit(q->committer, &p->d);
}

/* Writes the bulk with these ids, in as many parts as they need; how many. */
static unsigned
submit_parts(struct queue *q, const struct bulk *b, enum reason why,
    const uint64_t *evpids, size_t n)
{
	size_t most = (q->put_max - 128) / IDENT_TEXT_MAX, at = 0, i, here;
	unsigned part, parts = (unsigned)((n + most - 1) / most);
	struct buf *text = buf_new(q->put_max);
	char id[IDENT_TEXT_MAX];

	if (parts == 0)
		parts = 1;
	for (part = 1; part <= parts; part++) {
		here = n - at < most ? n - at : most;
		buf_reset(text);
		(void)buf_putf(text,
		    "id=%016" PRIx64 " verb=%s all=%d part=%u/%u\n", b->id,
		    b->verb, b->all, part, parts);
		for (i = 0; i < here; i++, at++)
			(void)buf_putf(
			    text, "%s\n", ident_evpid_text(id, evpids[at]));
		submit_part(q, b->id, why, true, buf_text(text));
	}
	buf_free(text);
	return parts;
}

void
queue_bulk(struct queue *q, const char *verb, bool all, const uint64_t *evpids,
    size_t n, void (*cb)(void *ctx, enum queue_status, uint64_t bulk),
    void *ctx)
{
	struct bulk *b = bulk_new(q, ident_random64() | 1);

	snprintf(b->verb, sizeof(b->verb), "%s", verb);
	b->all = all;
	b->cb = cb;
	b->ctx = ctx;
	b->n = all ? 0 : n;
	b->evpids = mem_zarray(b->n, sizeof(*b->evpids));
	if (b->n > 0)
		memcpy(b->evpids, evpids, b->n * sizeof(*b->evpids));
	b->parts = submit_parts(q, b, ASKED, b->evpids, b->n);
}

/* What came after it and therefore is not meant. */
static size_t
list_later(const struct bulk *b, uint64_t **ids)
{
	size_t n = 0, at = 0;
	uint64_t id;

	*ids = mem_zarray((size_t)tally_messages(b->later), sizeof(**ids));
	while ((id = tally_next(b->later, &at)) != 0)
		(*ids)[n++] = id;
	return n;
}

static void
carry(struct queue *q, struct bulk *b)
{
	uint64_t *later;
	size_t n;

	if (b->all) {
		n = list_later(b, &later);
		b->carried = submit_parts(q, b, CARRIED, later, n);
		free(later);
	} else {
		b->carried = submit_parts(q, b, CARRIED, b->evpids, b->n);
	}
}

void
bulk_carry(struct queue *q, uint64_t low)
{
	struct bulk *b;
	unsigned i;

	LIST_FOREACH(b, &q->bulks, link) {
		if (!b->known || b->ending || b->carried > 0)
			continue;
		for (i = 0; i < RING_SLOTS; i++)
			if (b->slots[i] > 0 && ring_first(q->ring, i) == low)
				break;
		if (i < RING_SLOTS)
			carry(q, b);
	}
}

void
queue_bulk_done(struct queue *q, uint64_t bulk)
{
	struct bulk *b = find(q, bulk);
	char text[64];

	if (b == NULL || b->ending)
		return;
	b->ending = true;
	snprintf(text, sizeof(text), "id=%016" PRIx64 " finished\n", bulk);
	submit_part(q, bulk, ENDED, false, text);
}

bool
queue_bulk_covers(struct queue *q, uint64_t bulk, uint64_t evpid)
{
	struct bulk *b = find(q, bulk);
	size_t i;

	if (b == NULL)
		return false;
	if (b->all)
		return tally_count(b->later, ident_msgid(evpid)) == 0;
	for (i = 0; i < b->n; i++)
		if (b->evpids[i] == evpid)
			return true;
	return false;
}

static void
name(struct bulk *b, uint64_t evpid)
{
	if (b->n % 1024 == 0)
		b->evpids =
		    mem_rearray(b->evpids, b->n + 1024, sizeof(*b->evpids));
	b->evpids[b->n++] = evpid;
}

/* An id as the caller gave it, who may mean something by recipient number 0,
 * which is no envelope's. */
static bool
parse_id(char digits[IDENT_TEXT_MAX], uint64_t *evpid)
{
	uint64_t msgid;
	bool whole = strcmp(digits + IDENT_MSGID_DIGITS, "0000") == 0;

	if (!whole)
		return ident_evpid_parse(digits, evpid);
	digits[IDENT_MSGID_DIGITS] = '\0';
	if (!ident_msgid_parse(digits, &msgid))
		return false;
	*evpid = ident_evpid(msgid, 0);
	return true;
}

/* A carried bulk may stand in the journal twice, the copy cut short by a crash:
 * what is whole stays so, and each part is taken once. False: it is known. */
static bool
take_part(struct bulk *b, unsigned part, unsigned parts)
{
	if (b->whole || part == 0 || part > parts || parts > PARTS_MOST)
		return false;
	if (parts != b->parts) {
		free(b->seen);
		b->seen = mem_zarray(parts + 1, sizeof(*b->seen));
		b->parts = parts;
		b->here = 0;
		b->n = 0;
	}
	if (b->seen[part])
		return false;
	b->seen[part] = true;
	b->whole = ++b->here == parts;
	return true;
}

void
bulk_replay(
    struct queue *q, const char *text, size_t len, uint64_t seq, unsigned slot)
{
	char verb[32], digits[IDENT_TEXT_MAX];
	const char *end = text + len, *line;
	unsigned all, part, parts;
	struct bulk *b;
	uint64_t id, evpid;
	char head[160];
	bool fresh;

	line = memchr(text, '\n', len);
	if (line == NULL || (size_t)(line - text) >= sizeof(head))
		return;
	memcpy(head, text, (size_t)(line - text));
	head[line - text] = '\0';
	if (sscanf(head, "id=%16" SCNx64, &id) != 1)
		return;
	b = find(q, id);
	if (strstr(head, " finished") != NULL) {
		if (b != NULL)
			bulk_free(q, b);
		return;
	}
	if (sscanf(head, "id=%*16s verb=%31s all=%u part=%u/%u", verb, &all,
		&part, &parts) != 4)
		return;
	if (b == NULL)
		b = bulk_new(q, id);
	snprintf(b->verb, sizeof(b->verb), "%s", verb);
	b->all = all != 0;
	fresh = take_part(b, part, parts);
	b->seq = seq;
	b->slots[slot]++;
	q->pins[slot]++;
	for (line++; end - line >= IDENT_TEXT_MAX; line += IDENT_TEXT_MAX) {
		memcpy(digits, line, IDENT_EVPID_DIGITS);
		digits[IDENT_EVPID_DIGITS] = '\0';
		if (!parse_id(digits, &evpid))
			break;
		if (b->all)
			(void)tally_add(b->later, evpid);
		else if (fresh)
			name(b, evpid);
	}
}

void
bulk_report(struct queue *q)
{
	struct bulk *b, *next;

	for (b = LIST_FIRST(&q->bulks); b != NULL; b = next) {
		next = LIST_NEXT(b, link);
		if (b->known || b->cb != NULL)
			continue;
		if (!b->whole) {
			/* Not all of it was flushed: never answered. */
			bulk_free(q, b);
			continue;
		}
		b->known = true;
		if (q->loader.bulk != NULL)
			q->loader.bulk(q->loader.ctx, b->id, b->verb, b->all,
			    b->evpids, b->n);
		else
			queue_bulk_done(q, b->id);
	}
}

void
bulk_await(struct queue *q)
{
	struct bulk *b;

	LIST_FOREACH(b, &q->bulks, link)
		b->awaited = b->known && !b->ending;
}

bool
bulk_awaited(const struct queue *q)
{
	const struct bulk *b;

	LIST_FOREACH(b, &q->bulks, link)
		if (b->awaited && !b->ending)
			return true;
	return false;
}

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

/* One verb for many, from its acceptance to queue_bulk_done(). */
struct bulk {
	LIST_ENTRY(bulk) link;
	uint64_t id;
	char verb[32];
	bool all;
	bool known; /* its caller has it, or the loader was told */
	bool refused;
	uint64_t seq; /* of its last part */
	unsigned parts, here; /* parts in all, and durable */
	unsigned slots[RING_SLOTS]; /* pins it holds */
	struct tally *later; /* all: messages that came after it */
	uint64_t *evpids;
	size_t n;
	void (*cb)(void *, enum queue_status, uint64_t);
	void *ctx;
};

struct part {
	struct draft d;
	uint64_t id;
	bool end; /* of the bulk: queue_bulk_done() */
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
		q->pins[i] -= b->slots[i];
	LIST_REMOVE(b, link);
	tally_free(b->later);
	free(b->evpids);
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
finish_part(struct job *j)
{
	struct part *p = (struct part *)(void *)j;
	struct queue *q = j->q;
	struct bulk *b = find(q, p->id);

	change_answered(q, &p->d);
	if (b != NULL && p->end) {
		bulk_free(q, b);
	} else if (b != NULL) {
		b->here++;
		if (p->d.status != QUEUE_OK)
			b->refused = true;
		else {
			b->slots[p->d.slot]++;
			q->pins[p->d.slot]++;
			b->seq = p->d.seq;
		}
		if (b->here == b->parts && b->refused) {
			if (b->cb != NULL)
				b->cb(b->ctx,
				    p->d.status == QUEUE_OK ? QUEUE_FAILED
							    : p->d.status,
				    0);
			bulk_free(q, b);
		} else if (b->here == b->parts && b->cb != NULL) {
			b->known = true;
			b->cb(b->ctx, QUEUE_OK, b->id);
		}
	}
	free(p);
}

static void
submit_part(struct queue *q, uint64_t id, bool end, bool flush, char *text)
{
	size_t len = strlen(text);
	struct part *p = mem_zalloc(sizeof(*p) + len + 1);

	memcpy(p->text, text, len);
	p->d.job.q = q;
	p->d.job.finish = finish_part;
	p->d.kind = JOURNAL_BULK;
	p->d.flush = flush;
	p->d.part[0].iov_base = p->text;
	p->d.part[0].iov_len = len;
	p->d.parts = 1;
	p->id = id;
	p->end = end;
	committer_submit(q->committer, &p->d);
}

void
queue_bulk(struct queue *q, const char *verb, bool all, const uint64_t *evpids,
    size_t n, void (*cb)(void *ctx, enum queue_status, uint64_t bulk),
    void *ctx)
{
	size_t most = (q->put_max - 128) / IDENT_TEXT_MAX, at = 0, i, here;
	struct bulk *b = bulk_new(q, ident_random64() | 1);
	struct buf *text = buf_new(q->put_max);
	char id[IDENT_TEXT_MAX];
	unsigned part;

	snprintf(b->verb, sizeof(b->verb), "%s", verb);
	b->all = all;
	b->cb = cb;
	b->ctx = ctx;
	n = all ? 0 : n;
	b->parts = (unsigned)((n + most - 1) / most);
	if (b->parts == 0)
		b->parts = 1;
	for (part = 1; part <= b->parts; part++) {
		here = n - at < most ? n - at : most;
		buf_reset(text);
		(void)buf_putf(text,
		    "id=%016" PRIx64 " verb=%s all=%d part=%u/%u\n", b->id,
		    b->verb, all, part, b->parts);
		for (i = 0; i < here; i++, at++)
			(void)buf_putf(
			    text, "%s\n", ident_evpid_text(id, evpids[at]));
		submit_part(
		    q, b->id, false, true, (char *)(uintptr_t)buf_text(text));
	}
	buf_free(text);
}

void
queue_bulk_done(struct queue *q, uint64_t bulk)
{
	char text[64];

	if (find(q, bulk) == NULL)
		return;
	snprintf(text, sizeof(text), "id=%016" PRIx64 " finished\n", bulk);
	submit_part(q, bulk, true, false, text);
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
	/* After a crash the ids are here; before, its caller has them. */
	for (i = 0; i < b->n; i++)
		if (b->evpids[i] == evpid)
			return true;
	return false;
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
	b->parts = parts;
	b->here++;
	b->seq = seq;
	b->slots[slot]++;
	q->pins[slot]++;
	for (line++; end - line >= IDENT_TEXT_MAX; line += IDENT_TEXT_MAX) {
		memcpy(digits, line, IDENT_EVPID_DIGITS);
		digits[IDENT_EVPID_DIGITS] = '\0';
		if (!ident_evpid_parse(digits, &evpid))
			break;
		if (b->n % 1024 == 0)
			b->evpids = mem_rearray(
			    b->evpids, b->n + 1024, sizeof(*b->evpids));
		b->evpids[b->n++] = evpid;
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
		if (b->here < b->parts) {
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

/*
 * exact - sync: files say what the journal says, and are flushed
 *
 * A round serves all who had asked when it began. Verbs about many that were
 * accepted by then become images; whatever is not in files by then goes there;
 * a checkpoint flushes it. What comes meanwhile is not waited for, so a round
 * ends under any load.
 */
#include <stdlib.h>

#include "lib/base/mem.h"
#include "queue/inside.h"

static void
answer(struct queue *q, bool begun, enum queue_status status)
{
	struct syncer *s;

	while (
	    (s = STAILQ_FIRST(&q->syncers)) != NULL && (s->begun || !begun)) {
		STAILQ_REMOVE_HEAD(&q->syncers, link);
		change_answer_later(q, s->cb, s->ctx, status);
		free(s);
	}
	q->exact = EXACT_IDLE;
}

/* What the file system refused is not waited for, and no success. */
static enum queue_status
result(const struct queue *q)
{
	return TAILQ_EMPTY(&q->retry) ? QUEUE_OK : QUEUE_FAILED;
}

void
exact_turn(struct queue *q)
{
	struct syncer *s;

	if (q->load != NULL)
		return; /* it is not known yet what there is */
	if (q->exact == EXACT_IDLE && !STAILQ_EMPTY(&q->syncers)) {
		STAILQ_FOREACH(s, &q->syncers, link)
			s->begun = true;
		bulk_await(q);
		q->exact = EXACT_BULKS;
	}
	if (q->exact == EXACT_BULKS && !bulk_awaited(q)) {
		entry_await_all(q);
		committer_hurry(q->committer);
		q->exact = EXACT_FILES;
	}
}

bool
exact_ready(struct queue *q, uint64_t low)
{
	if (q->exact != EXACT_FILES || q->awaited > 0)
		return false;
	if (low <= q->low && !q->filed) {
		answer(q, true, result(q));
		return false;
	}
	q->exact = EXACT_FLUSH;
	return true;
}

void
exact_flushed(struct queue *q, bool good)
{
	if (q->exact == EXACT_FLUSH)
		answer(q, true, good ? result(q) : QUEUE_FAILED);
}

void
exact_fail(struct queue *q)
{
	answer(q, false, QUEUE_FAILED);
}

void
queue_sync(struct queue *q, void (*cb)(void *ctx, enum queue_status), void *ctx)
{
	struct syncer *s;

	if (q->anew != ANEW_NONE) {
		change_answer_later(q, cb, ctx, QUEUE_FAILED);
		return;
	}
	s = mem_zalloc(sizeof(*s));
	s->cb = cb;
	s->ctx = ctx;
	STAILQ_INSERT_TAIL(&q->syncers, s, link);
	crew_wake(q->crew);
}

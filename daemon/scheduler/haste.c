#include "daemon/scheduler/haste.h"

#include <stdbool.h>
#include <string.h>

/* The line of a key. */
struct crowd {
	uint32_t link; /* chain of the index */
	uint32_t key;
	uint32_t head, tail;
	uint32_t run; /* 0: nothing is let go */
};

enum run_state {
	RUN_RIPE, /* some may go now */
	RUN_RESTING, /* until its second is over */
	RUN_WAITING /* for another success; in no queue */
};

struct run {
	uint32_t next, prev; /* in its queue */
	uint32_t crowd;
	uint32_t step; /* how many of this second */
	uint32_t left; /* of them */
	uint32_t until; /* the second's end */
	uint8_t state;
	bool won; /* a success since the step began */
};

static uint64_t
key_of(const void *place)
{
	const struct crowd *c = place;

	return c->key;
}

static struct crowd *
crowd_at(const struct haste *h, uint32_t i)
{
	return slab_at(&h->crowds, i);
}

static struct run *
run_at(const struct haste *h, uint32_t i)
{
	return slab_at(&h->runs, i);
}

static uint32_t *
link_at(const struct haste *h, uint32_t place, size_t offset)
{
	return (uint32_t *)(void *)((char *)slab_at(h->slab, place) + offset);
}

void
haste_init(struct haste *h, const struct slab *slab, size_t next, size_t prev,
    uint32_t (*ready)(void *owner, uint32_t key), void *owner)
{
	memset(h, 0, sizeof(*h));
	h->slab = slab;
	h->next = next;
	h->prev = prev;
	h->ready = ready;
	h->owner = owner;
	slab_init(&h->crowds, sizeof(struct crowd));
	slab_init(&h->runs, sizeof(struct run));
	finder_init(
	    &h->by_key, &h->crowds, key_of, offsetof(struct crowd, link));
}

void
haste_free(struct haste *h)
{
	finder_free(&h->by_key);
	slab_free(&h->crowds);
	slab_free(&h->runs);
}

static struct haste_queue *
queue_of(struct haste *h, const struct run *r)
{
	return r->state == RUN_RIPE ? &h->ripe : &h->resting;
}

static void
leave_queue(struct haste *h, struct run *r)
{
	struct haste_queue *q = queue_of(h, r);

	if (r->state == RUN_WAITING)
		return;
	if (r->prev != 0)
		run_at(h, r->prev)->next = r->next;
	else
		q->head = r->next;
	if (r->next != 0)
		run_at(h, r->next)->prev = r->prev;
	else
		q->tail = r->prev;
	r->state = RUN_WAITING;
}

/* From no queue to the end of one. */
static void
join_queue(struct haste *h, uint32_t i, enum run_state state)
{
	struct run *r = run_at(h, i);
	struct haste_queue *q;

	r->state = (uint8_t)state;
	q = queue_of(h, r);
	r->next = 0;
	r->prev = q->tail;
	if (q->tail != 0)
		run_at(h, q->tail)->next = i;
	else
		q->head = i;
	q->tail = i;
}

static void
drop_run(struct haste *h, struct crowd *c)
{
	if (c->run == 0)
		return;
	leave_queue(h, run_at(h, c->run));
	slab_put(&h->runs, c->run);
	c->run = 0;
}

/* Those of the key that are ready anyway count. */
static void
begin_step(struct haste *h, uint32_t i, uint32_t step, uint32_t now)
{
	struct run *r = run_at(h, i);
	uint32_t ready = h->ready(h->owner, crowd_at(h, r->crowd)->key);

	r->step = step < HASTE_MOST ? step : HASTE_MOST;
	r->left = ready < r->step ? r->step - ready : 0;
	r->until = now + 1;
	r->won = false;
	join_queue(h, i, r->left > 0 ? RUN_RIPE : RUN_RESTING);
}

void
haste_wait(struct haste *h, uint32_t key, uint32_t place)
{
	uint32_t i = finder_find(&h->by_key, key);
	struct crowd *c;

	if (i == 0) {
		i = slab_take(&h->crowds);
		crowd_at(h, i)->key = key;
		finder_add(&h->by_key, i);
	}
	c = crowd_at(h, i);
	*link_at(h, place, h->next) = 0;
	*link_at(h, place, h->prev) = c->tail;
	if (c->tail != 0)
		*link_at(h, c->tail, h->next) = place;
	else
		c->head = place;
	c->tail = place;
}

void
haste_leave(struct haste *h, uint32_t key, uint32_t place)
{
	uint32_t i = finder_find(&h->by_key, key);
	uint32_t next = *link_at(h, place, h->next);
	uint32_t prev = *link_at(h, place, h->prev);
	struct crowd *c = crowd_at(h, i);

	if (prev != 0)
		*link_at(h, prev, h->next) = next;
	else
		c->head = next;
	if (next != 0)
		*link_at(h, next, h->prev) = prev;
	else
		c->tail = prev;
	if (c->head != 0)
		return;
	drop_run(h, c);
	finder_del(&h->by_key, i);
	slab_put(&h->crowds, i);
}

static void
let_go(struct haste *h, uint32_t i, uint32_t now)
{
	struct crowd *c = crowd_at(h, i);
	struct run *r;

	if (c->run == 0) {
		c->run = slab_take(&h->runs);
		r = run_at(h, c->run);
		r->crowd = i;
		r->state = RUN_WAITING;
		begin_step(h, c->run, HASTE_FIRST, now);
		return;
	}
	r = run_at(h, c->run);
	r->won = true;
	if (r->state == RUN_WAITING)
		begin_step(h, c->run, 2 * r->step, now);
}

void
haste_success(struct haste *h, uint32_t key, uint32_t now)
{
	uint32_t i = finder_find(&h->by_key, key);

	if (i != 0)
		let_go(h, i, now);
}

void
haste_all(struct haste *h, uint32_t now)
{
	uint32_t i;

	for (i = 1; i <= h->crowds.used; i++)
		if (crowd_at(h, i)->head != 0)
			let_go(h, i, now);
}

void
haste_failure(struct haste *h, uint32_t key)
{
	uint32_t i = finder_find(&h->by_key, key);

	if (i != 0)
		drop_run(h, crowd_at(h, i));
}

uint32_t
haste_due(const struct haste *h)
{
	if (h->ripe.head != 0)
		return 0;
	if (h->resting.head != 0)
		return run_at(h, h->resting.head)->until;
	return HASTE_NEVER;
}

/* Whether its second is over; a clock that was set back does not stop it. */
static bool
rested(const struct run *r, uint32_t now)
{
	return r->until <= now || r->until - now > 1;
}

uint32_t
haste_next(struct haste *h, uint32_t now)
{
	uint32_t i;
	struct run *r;

	/* Each rests for the same time, so the first is the next. */
	while ((i = h->resting.head) != 0 && rested(run_at(h, i), now)) {
		r = run_at(h, i);
		leave_queue(h, r);
		if (r->won)
			begin_step(h, i, 2 * r->step, now);
	}
	if ((i = h->ripe.head) == 0)
		return 0;
	r = run_at(h, i);
	leave_queue(h, r);
	join_queue(h, i, --r->left > 0 ? RUN_RIPE : RUN_RESTING);
	return crowd_at(h, r->crowd)->head;
}

size_t
haste_bytes(const struct haste *h)
{
	return chunks_bytes(&h->crowds.places) +
	    chunks_bytes(&h->by_key.heads) + chunks_bytes(&h->runs.places);
}

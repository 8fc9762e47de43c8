/*
 * The agenda beside a naive list that does the same slowly.
 *
 * Long on purpose: the list is the measure of all cases.
 */
#include "daemon/scheduler/agenda.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"

#define T0 INT64_C(1795353669)

static void
add(struct agenda *a, uint64_t evpid, enum plan_kind kind, uint32_t key,
    int64_t due)
{
	const struct plan_row row = {
		.evpid = evpid,
		.kind = kind,
		.key = key,
		.due = due,
	};

	agenda_add(a, &row);
}

static void
settle(struct agenda *a, uint64_t evpid, enum plan_result result, int64_t due)
{
	const struct plan_settled s = {
		.evpid = evpid,
		.result = result,
		.due = due,
	};

	agenda_settle(a, &s);
}

static uint64_t
id(unsigned msg, unsigned rcpt)
{
	return ident_evpid(msg, rcpt);
}

static void
one_envelope_through_its_life(void **state)
{
	struct agenda *a = agenda_new();
	struct agenda_stats s;
	struct plan_due b;

	(void)state;
	assert_true(agenda_next_due(a) == AGENDA_NEVER);
	assert_false(agenda_take(a, &b));
	add(a, id(1, 1), PLAN_RELAY, 7, T0 + 400);
	assert_true(agenda_next_due(a) == T0 + 400);
	assert_false(agenda_ripen(a, T0 + 399, 100));
	assert_false(agenda_take(a, &b));
	assert_false(agenda_ripen(a, T0 + 400, 100));
	assert_int_equal(agenda_find(a, id(1, 1)), AGENDA_READY);
	assert_true(agenda_take(a, &b));
	assert_int_equal(b.n, 1);
	assert_int_equal(b.key, 7);
	assert_true(b.evpids[0] == id(1, 1));
	assert_int_equal(agenda_find(a, id(1, 1)), AGENDA_FLYING);
	settle(a, id(1, 1), PLAN_AGAIN, T0 + 1600);
	assert_int_equal(agenda_find(a, id(1, 1)), AGENDA_WAITING);
	agenda_ripen(a, T0 + 1600, 100);
	assert_true(agenda_take(a, &b));
	settle(a, id(1, 1), PLAN_GONE, 0);
	assert_int_equal(agenda_find(a, id(1, 1)), AGENDA_NONE);
	agenda_stats(a, &s);
	assert_int_equal(s.envelopes, 0);
	assert_int_equal(s.keys, 0);
	agenda_free(a);
}

static void
a_flood_for_one_key_delays_no_other(void **state)
{
	struct agenda *a = agenda_new();
	struct plan_due b;
	unsigned i;

	(void)state;
	agenda_limit(a, PLAN_RELAY, 2000, 1000);
	for (i = 1; i <= 10000; i++)
		add(a, id(i, 1), PLAN_RELAY, 1, T0);
	agenda_ripen(a, T0, 100000);
	assert_true(agenda_take(a, &b));
	assert_int_equal(b.n, PLAN_BATCH);
	add(a, id(20000, 1), PLAN_RELAY, 2, T0);
	agenda_ripen(a, T0, 100000);
	/* At the latest the batch after the one whose turn it is. */
	assert_true(agenda_take(a, &b));
	if (b.key != 2)
		assert_true(agenda_take(a, &b));
	assert_int_equal(b.key, 2);
	agenda_free(a);
}

/* ids may be NULL. */
static unsigned
take_all(struct agenda *a, uint32_t key, uint64_t *ids)
{
	struct plan_due b;
	unsigned n = 0;

	while (agenda_take(a, &b)) {
		assert_true(b.n > 0 && b.n <= PLAN_BATCH);
		if (b.key != key)
			continue;
		if (ids != NULL)
			memcpy(ids + n, b.evpids, b.n * sizeof(*ids));
		n += b.n;
	}
	return n;
}

static void
a_key_alone_leaves_a_part(void **state)
{
	struct agenda *a = agenda_new();
	uint64_t flying[2000];
	unsigned i;

	(void)state;
	agenda_limit(a, PLAN_RELAY, 2000, 1000);
	for (i = 1; i <= 3000; i++)
		add(a, id(i, 1), PLAN_RELAY, 1, T0);
	agenda_ripen(a, T0, 100000);
	assert_int_equal(take_all(a, 1, flying), 1200);
	for (i = 1; i <= 500; i++)
		add(a, id(5000 + i, 1), PLAN_RELAY, 2, T0);
	agenda_ripen(a, T0, 100000);
	assert_int_equal(take_all(a, 2, NULL), 400);
	/* What comes back goes to the one that has less than its part. */
	for (i = 1; i <= 150; i++)
		settle(a, flying[i], PLAN_GONE, 0);
	assert_int_equal(take_all(a, 2, NULL), 100);
	agenda_free(a);
}

/* Hosts that take no mail, one after another, each with more than the window
 * holds: whoever comes next is tried. */
static void
stuck_keys_leave_room(void **state)
{
	struct agenda *a = agenda_new();
	unsigned key, i, n = 0;

	(void)state;
	agenda_limit(a, PLAN_RELAY, 2000, 1000);
	for (key = 1; key <= 40; key++) {
		for (i = 1; i <= 3000; i++)
			add(a, id(n++ + 1, 1), PLAN_RELAY, key, T0);
		agenda_ripen(a, T0, 1000000);
		assert_true(take_all(a, key, NULL) > 0);
	}
	agenda_free(a);
}

static void
two_keys_are_limited_each(void **state)
{
	struct agenda *a = agenda_new();
	unsigned i;

	(void)state;
	agenda_limit(a, PLAN_LOCAL, 100, 20);
	for (i = 1; i <= 50; i++) {
		add(a, id(i, 1), PLAN_LOCAL, 1, T0);
		add(a, id(i, 2), PLAN_LOCAL, 2, T0);
	}
	agenda_ripen(a, T0, 100000);
	assert_int_equal(take_all(a, 1, NULL), 20);
	assert_int_equal(take_all(a, 2, NULL), 0);
	agenda_free(a);
}

static void
a_paused_kind_stays_and_the_other_goes(void **state)
{
	struct agenda *a = agenda_new();
	struct plan_due b;

	(void)state;
	add(a, id(1, 1), PLAN_RELAY, 1, T0);
	add(a, id(1, 2), PLAN_LOCAL, 1, T0);
	agenda_pause(a, PLAN_RELAY, true);
	agenda_ripen(a, T0, 10);
	assert_true(agenda_take(a, &b));
	assert_int_equal(b.kind, PLAN_LOCAL);
	assert_false(agenda_take(a, &b));
	agenda_pause(a, PLAN_RELAY, false);
	assert_true(agenda_take(a, &b));
	assert_int_equal(b.kind, PLAN_RELAY);
	agenda_free(a);
}

static void
a_message_knows_its_envelopes(void **state)
{
	struct agenda *a = agenda_new();
	uint64_t first, at;
	unsigned i, n, seen;

	(void)state;
	assert_true(agenda_of_message(a, 5) == 0);
	for (i = 1; i <= 100; i++) {
		add(a, id(5, i), PLAN_RELAY, i % 3, T0);
		add(a, id(6, i), PLAN_RELAY, i % 3, T0);
	}
	/* The one that stands for the message goes first, then others. */
	for (n = 100; n > 0; n--) {
		first = at = agenda_of_message(a, 5);
		seen = 0;
		do {
			assert_true(ident_msgid(at) == 5);
			at = agenda_sibling(a, at);
			seen++;
		} while (at != first);
		assert_int_equal(seen, n);
		if (n % 2 == 0)
			at = agenda_sibling(a, at);
		agenda_remove(a, at);
	}
	assert_true(agenda_of_message(a, 5) == 0);
	assert_true(agenda_of_message(a, 6) != 0);
	agenda_free(a);
}

static void
verbs_pass_over_what_is_in_flight(void **state)
{
	struct agenda *a = agenda_new();
	struct plan_due b;
	unsigned i;

	(void)state;
	for (i = 1; i <= 4; i++)
		add(a, id(1, i), PLAN_RELAY, 1, T0);
	agenda_ripen(a, T0, 10);
	assert_true(agenda_take(a, &b));
	agenda_hold(a, id(1, 1));
	agenda_release(a, id(1, 2));
	agenda_remove(a, id(1, 3));
	agenda_schedule(a, id(1, 4), T0);
	for (i = 1; i <= 4; i++)
		assert_int_equal(agenda_find(a, id(1, i)), AGENDA_FLYING);
	settle(a, id(1, 1), PLAN_HELD, T0); /* the spooler had the hold */
	assert_int_equal(agenda_find(a, id(1, 1)), AGENDA_HELD);
	agenda_free(a);
}

static void
scheduling_what_is_held_leaves_it_held(void **state)
{
	struct agenda *a = agenda_new();

	(void)state;
	add(a, id(1, 1), PLAN_RELAY, 1, T0 + 500);
	agenda_hold(a, id(1, 1));
	agenda_schedule(a, id(1, 1), T0);
	agenda_fence(a);
	agenda_schedule_all(a, T0);
	assert_int_equal(agenda_find(a, id(1, 1)), AGENDA_HELD);
	agenda_release(a, id(1, 1));
	assert_true(agenda_next_due(a) == T0);
	agenda_free(a);
}

static void
the_fence_keeps_out_what_came_later(void **state)
{
	struct agenda *a = agenda_new();
	struct plan_due b;

	(void)state;
	add(a, id(1, 1), PLAN_RELAY, 1, T0);
	agenda_ripen(a, T0, 10);
	assert_true(agenda_take(a, &b));
	add(a, id(2, 1), PLAN_RELAY, 1, T0 + 9);
	agenda_fence(a);
	settle(a, id(1, 1), PLAN_AGAIN, T0 + 400);
	add(a, id(3, 1), PLAN_RELAY, 1, T0);
	agenda_remove_all(a);
	assert_int_equal(agenda_find(a, id(1, 1)), AGENDA_WAITING);
	assert_int_equal(agenda_find(a, id(2, 1)), AGENDA_NONE);
	assert_int_equal(agenda_find(a, id(3, 1)), AGENDA_READY);
	agenda_fence(a);
	agenda_remove_all(a);
	assert_int_equal(agenda_find(a, id(1, 1)), AGENDA_NONE);
	assert_int_equal(agenda_find(a, id(3, 1)), AGENDA_NONE);
	agenda_free(a);
}

static void
fresh_mail_keeps_its_order(void **state)
{
	struct agenda *a = agenda_new();
	uint64_t ids[200];
	unsigned i;

	(void)state;
	agenda_ripen(a, T0, 1);
	for (i = 0; i < 200; i++)
		add(a, id(1000 - i, 1), PLAN_RELAY, 1, T0);
	assert_int_equal(take_all(a, 1, ids), 200);
	for (i = 0; i < 200; i++)
		assert_true(ids[i] == id(1000 - i, 1));
	agenda_free(a);
}

static void
times_out_of_range_are_clamped(void **state)
{
	struct agenda *a = agenda_new();

	(void)state;
	add(a, id(1, 1), PLAN_RELAY, 1, INT64_MAX);
	assert_true(agenda_next_due(a) == UINT32_MAX);
	add(a, id(2, 1), PLAN_RELAY, 1, INT64_MIN);
	assert_int_equal(agenda_find(a, id(2, 1)), AGENDA_READY);
	assert_true(agenda_next_due(a) == UINT32_MAX);
	agenda_free(a);
}

static void
ripening_is_bounded(void **state)
{
	struct agenda *a = agenda_new();
	struct agenda_stats s;
	unsigned i;

	(void)state;
	for (i = 1; i <= 100; i++)
		add(a, id(i, 1), PLAN_LOCAL, i, T0);
	assert_true(agenda_ripen(a, T0, 64));
	agenda_stats(a, &s);
	assert_int_equal(s.ready[PLAN_LOCAL], 64);
	assert_false(agenda_ripen(a, T0, 64));
	agenda_free(a);
}

/* The model. */

struct naive {
	uint64_t evpid;
	enum plan_kind kind;
	uint32_t key;
	enum agenda_state state;
	int64_t due;
	unsigned turn; /* in which it became ready; whose own time came
			* goes before those BEHIND */
	bool fenced;
};

#define MESSAGES 60
#define RCPTS 5
#define KEYS 6
#define BEHIND (1u << 30)

struct model {
	struct agenda *a;
	struct naive list[MESSAGES * RCPTS];
	uint32_t total[PLAN_KINDS], per_key[PLAN_KINDS];
	bool paused[PLAN_KINDS];
	bool fence;
	int64_t now;
	unsigned turn;
	uint32_t seed;
};

#define EACH(m, n)                                                             \
	for ((n) = (m)->list; (n) < (m)->list + MESSAGES * RCPTS; (n)++)

static uint32_t
dice(struct model *m, uint32_t sides)
{
	m->seed = m->seed * 1664525 + 1013904223;
	return (m->seed >> 8) % sides;
}

static struct naive *
naive_of(struct model *m, uint64_t evpid)
{
	return &m->list[(ident_msgid(evpid) - 1) * RCPTS + ident_rcpt(evpid) -
	    1];
}

static void
check(struct model *m)
{
	struct agenda_stats s, want = { 0 };
	int64_t next = AGENDA_NEVER;
	struct naive *n;

	agenda_stats(m->a, &s);
	EACH(m, n)
	{
		assert_int_equal(agenda_find(m->a, n->evpid), n->state);
		want.envelopes += n->state != AGENDA_NONE;
		want.waiting += n->state == AGENDA_WAITING;
		want.held += n->state == AGENDA_HELD;
		want.ready[n->kind] += n->state == AGENDA_READY;
		want.flying[n->kind] += n->state == AGENDA_FLYING;
		if (n->state == AGENDA_WAITING && n->due < next)
			next = n->due;
	}
	assert_int_equal(s.envelopes, want.envelopes);
	assert_int_equal(s.waiting, want.waiting);
	assert_int_equal(s.held, want.held);
	assert_memory_equal(s.ready, want.ready, sizeof(s.ready));
	assert_memory_equal(s.flying, want.flying, sizeof(s.flying));
	assert_true(agenda_next_due(m->a) == next);
}

/* Not before the first ripening, when no time is known yet. */
static void
ready_if_due(struct model *m, struct naive *n)
{
	if (n->state != AGENDA_WAITING || n->due > m->now || m->turn == 0)
		return;
	n->state = AGENDA_READY;
	n->turn = BEHIND + m->turn;
}

static void
do_add(struct model *m, struct naive *n)
{
	const struct plan_row row = {
		.evpid = n->evpid,
		.kind = (enum plan_kind)dice(m, PLAN_KINDS),
		.key = dice(m, KEYS),
		.due = m->now - 20 + (int64_t)dice(m, 100),
		.held = dice(m, 8) == 0,
	};

	agenda_add(m->a, &row);
	if (n->state == AGENDA_FLYING)
		return;
	n->kind = row.kind;
	n->key = row.key;
	n->due = row.due;
	n->state = row.held ? AGENDA_HELD : AGENDA_WAITING;
	ready_if_due(m, n);
	n->fenced = m->fence;
}

static void
do_ripen(struct model *m)
{
	struct naive *n;

	m->now += dice(m, 20);
	m->turn++;
	agenda_ripen(m->a, m->now, UINT32_MAX);
	EACH(m, n)
	{
		if (n->state != AGENDA_WAITING || n->due > m->now)
			continue;
		n->state = AGENDA_READY;
		n->turn = m->turn;
	}
}

static uint32_t
count(struct model *m, enum plan_kind kind, uint32_t key, enum agenda_state st)
{
	struct naive *n;
	uint32_t c = 0;

	EACH(m, n)
	c +=
	    n->kind == kind && (key == KEYS || n->key == key) && n->state == st;
	return c;
}

/* How many of the key may go: tried one by one. */
static uint32_t
naive_room(struct model *m, enum plan_kind kind, uint32_t key)
{
	uint32_t k, keys = 0, spare = m->total[kind] / 10, mine, all, n;
	const uint32_t few = 1;

	if (m->paused[kind] || count(m, kind, key, AGENDA_READY) == 0)
		return 0;
	for (k = 0; k < KEYS; k++)
		keys += count(m, kind, k, AGENDA_READY) > 0;
	all = count(m, kind, KEYS, AGENDA_FLYING);
	mine = count(m, kind, key, AGENDA_FLYING);
	for (n = 0; all + n < m->total[kind]; n++) {
		if (keys > 1 && mine + n >= m->per_key[kind])
			break;
		/* One more must leave half as many as the key has. */
		if (mine + n >= few &&
		    (m->total[kind] - all - n <= spare ||
			mine + n >= 2 * (m->total[kind] - all - n - spare)))
			break;
	}
	return n;
}

static void
do_take(struct model *m)
{
	uint32_t k, room, ready;
	struct plan_due b;
	struct naive *n;
	unsigned i, turn = 0;
	int kind;

	if (!agenda_take(m->a, &b)) {
		for (kind = 0; kind < PLAN_KINDS; kind++)
			for (k = 0; k < KEYS; k++)
				assert_int_equal(
				    naive_room(m, (enum plan_kind)kind, k), 0);
		return;
	}
	room = naive_room(m, b.kind, b.key);
	ready = count(m, b.kind, b.key, AGENDA_READY);
	if (room > ready)
		room = ready;
	if (room > PLAN_BATCH)
		room = PLAN_BATCH;
	assert_int_equal(b.n, room);
	for (i = 0; i < b.n; i++) {
		n = naive_of(m, b.evpids[i]);
		assert_int_equal(n->state, AGENDA_READY);
		assert_true(n->kind == b.kind && n->key == b.key);
		assert_true(n->turn >= turn);
		turn = n->turn;
		n->state = AGENDA_FLYING;
	}
	EACH(m, n) /* none of an earlier turn was left behind */
	if (n->state == AGENDA_READY && n->kind == b.kind && n->key == b.key)
		assert_true(n->turn >= turn);
}

static void
do_settle(struct model *m, struct naive *n)
{
	static const enum agenda_state after[PLAN_RESULTS] = {
		[PLAN_GONE] = AGENDA_NONE,
		[PLAN_AGAIN] = AGENDA_WAITING,
		[PLAN_HELD] = AGENDA_HELD,
	};
	struct plan_settled s = {
		.evpid = n->evpid,
		.result = (enum plan_result)dice(m, PLAN_RESULTS),
		.due = m->now + dice(m, 50),
	};

	agenda_settle(m->a, &s);
	if (n->state == AGENDA_NONE)
		return;
	n->due = s.due;
	n->state = after[s.result];
	ready_if_due(m, n);
}

static void
naive_verb(struct model *m, unsigned verb, struct naive *n)
{
	if (n->state == AGENDA_FLYING)
		return;
	switch (verb) {
	case PLAN_HOLD:
		if (n->state == AGENDA_READY)
			n->due = 0;
		n->state = AGENDA_HELD;
		break;
	case PLAN_RELEASE:
		if (n->state == AGENDA_HELD)
			n->state = AGENDA_WAITING;
		break;
	case PLAN_SCHEDULE:
		if ((n->state == AGENDA_WAITING || n->state == AGENDA_HELD) &&
		    n->due > m->now)
			n->due = m->now;
		break;
	default:
		n->state = AGENDA_NONE;
	}
}

static void
do_verb(struct model *m, struct naive *n)
{
	unsigned verb = dice(m, PLAN_VERBS);

	if (verb == PLAN_HOLD)
		agenda_hold(m->a, n->evpid);
	else if (verb == PLAN_RELEASE)
		agenda_release(m->a, n->evpid);
	else if (verb == PLAN_SCHEDULE)
		agenda_schedule(m->a, n->evpid, m->now);
	else
		agenda_remove(m->a, n->evpid);
	if (n->state != AGENDA_NONE)
		naive_verb(m, verb, n);
}

static void
do_fence(struct model *m)
{
	struct naive *n;

	agenda_fence(m->a);
	m->fence = true;
	EACH(m, n)
	if (n->state == AGENDA_FLYING)
		n->fenced = true;
}

static void
do_all(struct model *m)
{
	unsigned verb = dice(m, PLAN_VERBS + 1);
	struct naive *n;

	if (verb == PLAN_HOLD)
		agenda_hold_all(m->a);
	else if (verb == PLAN_RELEASE)
		agenda_release_all(m->a);
	else if (verb == PLAN_SCHEDULE)
		agenda_schedule_all(m->a, m->now);
	else if (verb == PLAN_REMOVE)
		agenda_remove_all(m->a);
	else
		agenda_unfence(m->a);
	m->fence = false;
	EACH(m, n)
	{
		if (n->state != AGENDA_NONE && n->state != AGENDA_FLYING &&
		    verb < PLAN_VERBS &&
		    (!n->fenced || verb == PLAN_RELEASE ||
			(verb == PLAN_SCHEDULE && n->state != AGENDA_HELD)))
			naive_verb(m, verb, n);
		n->fenced = false;
	}
}

static void
do_ring(struct model *m, struct naive *n)
{
	uint64_t msgid = ident_msgid(n->evpid), first, at;
	unsigned seen = 0, want = 0, i;

	for (i = 1; i <= RCPTS; i++)
		want +=
		    naive_of(m, ident_evpid(msgid, i))->state != AGENDA_NONE;
	first = at = agenda_of_message(m->a, msgid);
	while (at != 0) {
		assert_true(ident_msgid(at) == msgid);
		seen++;
		at = agenda_sibling(m->a, at);
		if (at == first)
			break;
	}
	assert_int_equal(seen, want);
}

static void
step(struct model *m)
{
	struct naive *n = &m->list[dice(m, MESSAGES * RCPTS)];
	enum plan_kind kind;
	unsigned what = dice(m, 100);

	if (what < 35)
		do_add(m, n);
	else if (what < 55)
		do_take(m);
	else if (what < 75)
		do_settle(m, n);
	else if (what < 80)
		do_ripen(m);
	else if (what < 90)
		do_verb(m, n);
	else if (what < 95)
		do_ring(m, n);
	else if (what < 96 && !m->fence)
		do_fence(m);
	else if (what < 97 && m->fence)
		do_all(m);
	else if (what < 98) {
		kind = (enum plan_kind)dice(m, PLAN_KINDS);
		m->paused[kind] = !m->paused[kind];
		agenda_pause(m->a, kind, m->paused[kind]);
	}
}

static void
agrees_with_a_naive_list(void **state)
{
	struct model *m;
	unsigned seed, i;
	int kind;

	(void)state;
	for (seed = 1; seed <= 10; seed++) {
		m = mem_zalloc(sizeof(*m));
		m->a = agenda_new();
		m->now = T0;
		m->seed = seed;
		for (i = 0; i < MESSAGES * RCPTS; i++)
			m->list[i].evpid =
			    ident_evpid(i / RCPTS + 1, i % RCPTS + 1);
		for (kind = 0; kind < PLAN_KINDS; kind++) {
			m->total[kind] = 10 + dice(m, 100);
			m->per_key[kind] = 1 + dice(m, 30);
			agenda_limit(m->a, (enum plan_kind)kind, m->total[kind],
			    m->per_key[kind]);
		}
		for (i = 0; i < 10000; i++) {
			step(m);
			if (i % 16 == 0)
				check(m);
		}
		agenda_free(m->a);
		free(m);
	}
}

/* Every limit of growth is passed up and down: chunks, buckets, the heap. */
static void
grows_and_shrinks(void **state)
{
	struct agenda *a = agenda_new();
	struct agenda_stats s;
	struct plan_due b;
	uint32_t i, k, n = 20000;
	int64_t start = T0;

	(void)state;
	for (k = 0; k < 3; k++) {
		for (i = 1; i <= n; i++)
			add(a, id(i, 1), PLAN_RELAY, i, start + i * 7919 % n);
		agenda_stats(a, &s);
		assert_int_equal(s.envelopes, n);
		assert_true(s.bytes / n <= 96);
		agenda_ripen(a, start + n, n);
		start += 2 * n;
		agenda_stats(a, &s);
		assert_int_equal(s.keys, n);
		assert_true(s.bytes / n <= 120); /* the tables' own slack */
		for (i = 0; agenda_take(a, &b); i++) {
			assert_int_equal(b.n, 1);
			settle(a, b.evpids[0], PLAN_GONE, 0);
		}
		assert_int_equal(i, n);
		agenda_stats(a, &s);
		assert_int_equal(s.envelopes, 0);
		assert_true(s.bytes < 1 << 20);
	}
	agenda_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_envelope_through_its_life),
		cmocka_unit_test(a_flood_for_one_key_delays_no_other),
		cmocka_unit_test(a_key_alone_leaves_a_part),
		cmocka_unit_test(stuck_keys_leave_room),
		cmocka_unit_test(two_keys_are_limited_each),
		cmocka_unit_test(a_paused_kind_stays_and_the_other_goes),
		cmocka_unit_test(a_message_knows_its_envelopes),
		cmocka_unit_test(verbs_pass_over_what_is_in_flight),
		cmocka_unit_test(scheduling_what_is_held_leaves_it_held),
		cmocka_unit_test(the_fence_keeps_out_what_came_later),
		cmocka_unit_test(fresh_mail_keeps_its_order),
		cmocka_unit_test(times_out_of_range_are_clamped),
		cmocka_unit_test(ripening_is_bounded),
		cmocka_unit_test(agrees_with_a_naive_list),
		cmocka_unit_test(grows_and_shrinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What waits for its destination, through the agenda's public face.
 */
#include "daemon/scheduler/haste.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/scheduler/agenda.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"

#define T0 INT64_C(1795353669)
#define LATE (T0 + 7200)

static uint64_t
id(unsigned msg)
{
	return ident_evpid(msg, 1);
}

static void
add(struct agenda *a, unsigned msg, uint32_t key, int64_t due)
{
	const struct plan_row row = {
		.evpid = id(msg), .kind = PLAN_RELAY, .key = key, .due = due
	};

	agenda_add(a, &row);
}

static void
settle(struct agenda *a, unsigned msg, enum plan_result result, int64_t due,
    bool destination)
{
	const struct plan_settled s = { .evpid = id(msg),
		.result = result,
		.due = due,
		.destination = destination };

	agenda_settle(a, &s);
}

/* Envelopes from..to of the key, put off until LATE. */
static void
put_off(struct agenda *a, unsigned from, unsigned to, uint32_t key,
    bool destination)
{
	for (; from <= to; from++) {
		add(a, from, key, LATE);
		settle(a, from, PLAN_AGAIN, LATE, destination);
	}
}

/* As the scheduler does in one turn: what is ready goes. Returns how many. */
static unsigned
turn(struct agenda *a, int64_t now, uint64_t *taken)
{
	struct plan_due b;
	unsigned n = 0;

	while (agenda_ripen(a, now, 256))
		;
	while (agenda_take(a, &b)) {
		if (taken != NULL)
			memcpy(taken + n, b.evpids, b.n * sizeof(*taken));
		n += b.n;
	}
	return n;
}

static void
end(struct agenda *a, const uint64_t *ids, unsigned n)
{
	while (n-- > 0)
		settle(a, (unsigned)ident_msgid(ids[n]), PLAN_GONE, 0, true);
}

/* One of the key is delivered. */
static void
success(struct agenda *a, uint32_t key, int64_t now)
{
	uint64_t one;

	add(a, 1000000, key, now);
	assert_int_equal(turn(a, now, &one), 1);
	end(a, &one, 1);
}

static void
a_success_lets_them_go_faster_and_faster(void **state)
{
	struct agenda *a = agenda_new();
	uint64_t taken[5000];
	unsigned n;

	(void)state;
	put_off(a, 1, 600, 7, true);
	put_off(a, 601, 700, 8, true);
	put_off(a, 701, 800, 7, false);
	success(a, 7, T0);
	assert_true(agenda_next_due(a) <= T0);
	n = turn(a, T0, taken);
	assert_int_equal(n, 64);
	assert_true(taken[0] == id(1) && taken[63] == id(64));
	assert_int_equal(turn(a, T0, NULL), 0);
	assert_true(agenda_next_due(a) == T0 + 1);
	end(a, taken, n);
	n = turn(a, T0 + 1, taken);
	assert_int_equal(n, 128);
	end(a, taken, n);
	n = turn(a, T0 + 2, taken);
	assert_int_equal(n, 256);
	end(a, taken, n);
	/* The rest; neither those of another key nor those with a fault of
	 * their own. */
	n = turn(a, T0 + 3, taken);
	assert_int_equal(n, 600 - 64 - 128 - 256);
	end(a, taken, n);
	assert_int_equal(turn(a, T0 + 4, NULL), 0);
	assert_true(agenda_next_due(a) == LATE);
	assert_int_equal(turn(a, LATE, NULL), 200);
	agenda_free(a);
}

static void
without_news_no_more_go(void **state)
{
	struct agenda *a = agenda_new();
	uint64_t taken[5000];

	(void)state;
	put_off(a, 1, 1000, 7, true);
	success(a, 7, T0);
	assert_int_equal(turn(a, T0, taken), 64);
	assert_int_equal(turn(a, T0 + 1, NULL), 0);
	assert_int_equal(turn(a, T0 + 60, NULL), 0);
	end(a, taken, 1);
	assert_int_equal(turn(a, T0 + 60, taken + 64), 128);
	agenda_free(a);
}

static void
a_failure_ends_it(void **state)
{
	struct agenda *a = agenda_new();
	uint64_t taken[5000];
	unsigned n;

	(void)state;
	put_off(a, 1, 1000, 7, true);
	success(a, 7, T0);
	n = turn(a, T0, taken);
	end(a, taken, n - 1);
	settle(a, (unsigned)ident_msgid(taken[n - 1]), PLAN_AGAIN, LATE, true);
	assert_int_equal(turn(a, T0 + 1, NULL), 0);
	assert_true(agenda_next_due(a) == LATE);
	/* It begins anew with little. */
	success(a, 7, T0 + 9);
	assert_int_equal(turn(a, T0 + 9, NULL), 64);
	agenda_free(a);
}

static void
a_fault_of_its_own_ends_nothing(void **state)
{
	struct agenda *a = agenda_new();
	uint64_t taken[5000];
	unsigned n;

	(void)state;
	put_off(a, 1, 100, 7, true);
	success(a, 7, T0);
	n = turn(a, T0, taken);
	end(a, taken, n - 1);
	settle(a, (unsigned)ident_msgid(taken[n - 1]), PLAN_AGAIN, LATE, false);
	assert_int_equal(turn(a, T0 + 1, NULL), 36);
	agenda_free(a);
}

/* All are due at once: first those whose own time it is. */
static void
its_own_time_comes_before_the_crowd(void **state)
{
	struct agenda *a = agenda_new();
	uint64_t taken[5000];
	unsigned i;

	(void)state;
	put_off(a, 1, 100, 7, true);
	put_off(a, 101, 103, 7, false);
	put_off(a, 104, 203, 7, true);
	assert_int_equal(turn(a, LATE, taken), 203);
	for (i = 0; i < 3; i++)
		assert_in_range(ident_msgid(taken[i]), 101, 103);
	agenda_free(a);
}

/* What nobody takes from the ready ones is not added to. */
static void
no_more_are_made_ready_than_can_go(void **state)
{
	struct agenda *a = agenda_new();
	struct agenda_stats s;
	int64_t now = T0;
	unsigned i;

	(void)state;
	put_off(a, 1, 30000, 7, true);
	success(a, 7, now);
	agenda_pause(a, PLAN_RELAY, true);
	for (i = 0; i < 20; i++, now++) {
		while (agenda_ripen(a, now, 256))
			;
		/* Others that were in flight come home. */
		add(a, 2000000, 7, now);
		settle(a, 2000000, PLAN_GONE, 0, true);
	}
	agenda_stats(a, &s);
	assert_true(s.ready[PLAN_RELAY] <= HASTE_MOST);
	assert_true(s.ready[PLAN_RELAY] >= HASTE_MOST / 2);
	agenda_free(a);
}

static void
a_turn_has_bounds(void **state)
{
	struct agenda *a = agenda_new();
	struct agenda_stats s;
	unsigned i;

	(void)state;
	for (i = 0; i < 20; i++)
		put_off(a, i * 100 + 1, i * 100 + 100, i, true);
	agenda_pause(a, PLAN_RELAY, true);
	for (i = 0; i < 20; i++) {
		add(a, 5000, i, T0);
		settle(a, 5000, PLAN_GONE, 0, true);
	}
	assert_true(agenda_ripen(a, T0, 100));
	agenda_stats(a, &s);
	assert_int_equal(s.ready[PLAN_RELAY], 100);
	while (agenda_ripen(a, T0, 100))
		;
	agenda_stats(a, &s);
	assert_int_equal(s.ready[PLAN_RELAY], 20 * 64);
	agenda_free(a);
}

static void
verbs_are_obeyed(void **state)
{
	struct agenda *a = agenda_new();
	uint64_t taken[100];

	(void)state;
	put_off(a, 1, 4, 7, true);
	agenda_hold(a, id(1));
	agenda_remove(a, id(2));
	agenda_hold(a, id(3));
	agenda_release(a, id(3));
	success(a, 7, T0);
	assert_int_equal(turn(a, T0, taken), 2);
	assert_true(taken[0] == id(4) && taken[1] == id(3));
	/* What was held waits on when it is let go. */
	agenda_fence(a);
	agenda_release_all(a);
	assert_int_equal(agenda_find(a, id(1)), AGENDA_WAITING);
	success(a, 7, T0 + 1);
	assert_int_equal(turn(a, T0 + 1, taken), 1);
	assert_true(taken[0] == id(1));
	/* A hold that came while it was in flight. */
	settle(a, 1, PLAN_HELD, LATE, true);
	success(a, 7, T0 + 2);
	assert_int_equal(turn(a, T0 + 2, taken), 0);
	assert_int_equal(agenda_find(a, id(1)), AGENDA_HELD);
	agenda_free(a);
}

static void
a_clock_that_was_set_back_stops_nothing(void **state)
{
	struct agenda *a = agenda_new();
	uint64_t taken[5000];
	unsigned n;

	(void)state;
	put_off(a, 1, 1000, 7, true);
	success(a, 7, T0);
	n = turn(a, T0, taken);
	end(a, taken, n);
	assert_int_equal(turn(a, T0 - 3600, taken), 128);
	agenda_free(a);
}

static void
an_operator_hastens_all(void **state)
{
	struct agenda *a = agenda_new();

	(void)state;
	put_off(a, 1, 100, 7, true);
	put_off(a, 101, 110, 8, true);
	put_off(a, 111, 120, 8, false);
	assert_int_equal(turn(a, T0, NULL), 0);
	agenda_hasten(a);
	assert_int_equal(turn(a, T0, NULL), 64 + 10);
	assert_int_equal(turn(a, T0 + 1, NULL), 0);
	agenda_hasten(a);
	assert_int_equal(turn(a, T0 + 1, NULL), 36);
	agenda_hasten(a);
	assert_int_equal(turn(a, T0 + 2, NULL), 0);
	agenda_free(a);
}

/*
 * By chance: envelopes of few keys come, are taken, and end as their
 * destination, up or down, decides.
 */
#define KEYS 5
#define MSGS 400

struct world {
	struct agenda *a;
	struct {
		enum agenda_state state;
		int64_t due;
		bool waits; /* for its destination */
	} msgs[MSGS];
	bool up[KEYS], news[KEYS]; /* news: a success, no failure since */
	unsigned hasty[KEYS]; /* let go early since the news began */
	int64_t now, since[KEYS];
	uint32_t seed;
};

static uint32_t
dice(struct world *w, uint32_t sides)
{
	w->seed = w->seed * 1664525 + 1013904223;
	return (w->seed >> 8) % sides;
}

static void
come_home(struct world *w, unsigned m)
{
	unsigned key = m % KEYS, odd = dice(w, 10);
	bool own = odd == 0; /* a fault of its own */

	if (w->up[key] && !own) {
		settle(w->a, m + 1, PLAN_GONE, 0, true);
		w->msgs[m].state = AGENDA_NONE;
		if (!w->news[key]) {
			w->since[key] = w->now;
			w->hasty[key] = 0;
		}
		w->news[key] = true;
		return;
	}
	w->msgs[m].due = w->now + 500 + dice(w, 500);
	w->msgs[m].waits = !own;
	w->msgs[m].state = odd == 1 ? AGENDA_HELD : AGENDA_WAITING;
	settle(w->a, m + 1, odd == 1 ? PLAN_HELD : PLAN_AGAIN, w->msgs[m].due,
	    !own);
	if (!own)
		w->news[key] = false;
}

static void
take_some(struct world *w)
{
	struct plan_due b;
	unsigned i, m, key;

	agenda_ripen(w->a, w->now, 1 + dice(w, 50));
	for (m = 0; m < MSGS; m++) {
		key = m % KEYS;
		if (w->msgs[m].state != AGENDA_WAITING ||
		    agenda_find(w->a, id(m + 1)) == AGENDA_WAITING)
			continue;
		w->msgs[m].state = AGENDA_READY;
		if (w->msgs[m].due <= w->now)
			continue;
		/* Early: it waited for its destination, which took mail. */
		assert_true(w->msgs[m].waits);
		assert_true(w->news[key]);
		w->hasty[key]++;
		assert_true(w->hasty[key] <= 64u *
			((2u << (w->now - w->since[key] > 20
				  ? 20
				  : w->now - w->since[key])) -
			    1));
	}
	while (agenda_take(w->a, &b)) {
		for (i = 0; i < b.n; i++) {
			m = (unsigned)ident_msgid(b.evpids[i]) - 1;
			assert_int_equal(w->msgs[m].state, AGENDA_READY);
			w->msgs[m].state = AGENDA_FLYING;
		}
	}
}

static void
world_step(struct world *w)
{
	unsigned m = dice(w, MSGS), what = dice(w, 100);

	if (what < 30 && w->msgs[m].state == AGENDA_NONE) {
		w->msgs[m].state = AGENDA_WAITING;
		w->msgs[m].due = w->now + dice(w, 100);
		w->msgs[m].waits = false;
		add(w->a, m + 1, m % KEYS, w->msgs[m].due);
	} else if (what < 60 && w->msgs[m].state == AGENDA_FLYING) {
		come_home(w, m);
	} else if (what < 65 && w->msgs[m].state == AGENDA_HELD) {
		agenda_release(w->a, id(m + 1));
		w->msgs[m].state = AGENDA_WAITING;
	} else if (what < 70 && w->msgs[m].state == AGENDA_WAITING) {
		agenda_hold(w->a, id(m + 1));
		w->msgs[m].state = AGENDA_HELD;
	} else if (what < 72) {
		w->up[m % KEYS] = !w->up[m % KEYS];
	} else if (what < 80) {
		w->now += dice(w, 3);
	} else {
		take_some(w);
	}
}

/* All destinations are up at last: in seconds nothing waits for one. */
static void
world_ends(struct world *w)
{
	unsigned m, rounds;

	for (m = 0; m < KEYS; m++)
		w->up[m] = true;
	for (rounds = 0; rounds < 12; rounds++, w->now++) {
		for (m = 0; m < KEYS; m++)
			if (w->msgs[m].state == AGENDA_NONE) {
				w->msgs[m].state = AGENDA_WAITING;
				w->msgs[m].due = w->now;
				add(w->a, m + 1, m % KEYS, w->now);
			}
		while (agenda_ripen(w->a, w->now, 1000))
			;
		take_some(w);
		for (m = 0; m < MSGS; m++) {
			if (w->msgs[m].state != AGENDA_FLYING)
				continue;
			settle(w->a, m + 1, PLAN_GONE, 0, true);
			w->msgs[m].state = AGENDA_NONE;
			w->news[m % KEYS] = true;
			w->hasty[m % KEYS] = 0;
			w->since[m % KEYS] = w->now;
		}
	}
	for (m = 0; m < MSGS; m++)
		assert_false(w->msgs[m].state == AGENDA_WAITING &&
		    w->msgs[m].waits && m % KEYS != m);
}

static void
by_chance(void **state)
{
	struct world *w;
	unsigned seed, i;

	(void)state;
	for (seed = 1; seed <= 20; seed++) {
		w = mem_zalloc(sizeof(*w));
		w->a = agenda_new();
		w->now = T0;
		w->seed = seed;
		for (i = 0; i < 20000; i++)
			world_step(w);
		world_ends(w);
		agenda_free(w->a);
		free(w);
	}
}

/* A million that wait for their destinations, one each: the worst case. */
static void
costs_no_more_than_96_octets(void **state)
{
	struct agenda *a = agenda_new();
	struct agenda_stats s;
	unsigned i, n = 200000;

	(void)state;
	put_off(a, 1, n, 0, true);
	agenda_stats(a, &s);
	assert_true(s.bytes / n <= 96);
	for (i = 1; i <= n; i++) {
		add(a, i, i, LATE);
		settle(a, i, PLAN_AGAIN, LATE, true);
	}
	agenda_stats(a, &s);
	assert_true(s.bytes / n <= 96);
	for (i = 1; i <= n; i++)
		agenda_remove(a, id(i));
	agenda_stats(a, &s);
	assert_true(s.bytes < 2u << 20); /* of the tables of heads */
	agenda_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_success_lets_them_go_faster_and_faster),
		cmocka_unit_test(without_news_no_more_go),
		cmocka_unit_test(a_failure_ends_it),
		cmocka_unit_test(a_fault_of_its_own_ends_nothing),
		cmocka_unit_test(its_own_time_comes_before_the_crowd),
		cmocka_unit_test(no_more_are_made_ready_than_can_go),
		cmocka_unit_test(a_turn_has_bounds),
		cmocka_unit_test(verbs_are_obeyed),
		cmocka_unit_test(a_clock_that_was_set_back_stops_nothing),
		cmocka_unit_test(an_operator_hastens_all),
		cmocka_unit_test(by_chance),
		cmocka_unit_test(costs_no_more_than_96_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

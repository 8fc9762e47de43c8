/* Hosts that reject recipients: rows, greylists at scale. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "regress/sim/sim.h"

#define MANY 20000
#define DAY_MS (24u * 3600 * 1000)

static void
mails(struct sim *s, const char *domain, unsigned n)
{
	while (n-- > 0)
		sim_mail(s, domain, 1);
}

static void
a5_twenty_five_rejected_in_a_row_are_enough(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	struct route *r;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->rcpt = SIM_DEFERS;
	sim_retry(s, false);
	mails(s, "a.example", 500);
	sim_run(s, 20000);
	r = sim_route(s, "192.0.2.1");
	/* Five sessions, so four may be under way when the row is full. */
	assert_in_range(h->rcpts, 25, 29);
	assert_int_equal(sim_count(s, CARRY_LATER), h->rcpts);
	assert_int_equal(sim_count(s, CARRY_UNTRIED), 500 - h->rcpts);
	assert_int_equal(r->end, ROUTE_ASIDE);
	assert_int_equal(sim_events(s, ENGINE_ROUTE_ASIDE), 1);
	sim_free(s);

	s = sim_new("limit mta max-connections-per-route 1\n");
	h = sim_host(s, "192.0.2.1");
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->rcpt = SIM_DEFERS;
	sim_retry(s, false);
	mails(s, "a.example", 100);
	sim_run(s, 20000);
	assert_int_equal(h->rcpts, 25);
	sim_free(s);
}

static void
a5_one_that_is_taken_breaks_the_row(void **ctx)
{
	struct sim *s = sim_new("limit mta max-connections-per-route 1\n");
	struct sim_host *h = sim_host(s, "192.0.2.1");
	size_t i;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->rcpt = SIM_DEFERS;
	h->takes_after = 24; /* every twenty-fifth */
	sim_retry(s, false);
	mails(s, "a.example", 500);
	sim_run(s, 60000);
	assert_int_equal(h->rcpts, 500);
	assert_int_equal(sim_count(s, CARRY_DONE), 20);
	assert_int_equal(sim_count(s, CARRY_LATER), 480);
	for (i = 0; i < sim_envelopes(s); i++)
		assert_false(sim_envelope(s, i)->last.step);
	sim_free(s);
}

static void
a5_in_the_middle_of_a_transaction(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->rcpt = SIM_DEFERS;
	sim_retry(s, false);
	sim_mail(s, "a.example", 80);
	sim_run(s, 20000);
	assert_int_equal(h->rcpts, 25);
	assert_int_equal(sim_count(s, CARRY_LATER), 25);
	assert_int_equal(sim_count(s, CARRY_UNTRIED), 55);
	sim_free(s);
}

static void
a5_permanent_rejections_are_answers(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->rcpt = SIM_REJECTS;
	sim_mail(s, "a.example", 100);
	sim_run(s, 20000);
	assert_int_equal(sim_count(s, CARRY_NEVER), 100);
	assert_false(route_disabled(sim_route(s, "192.0.2.1")));
	sim_free(s);
}

static void
a6_the_untried_wait_400_s_and_the_rejected_a_step_more(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	struct sim_envelope *v;
	int64_t start;
	size_t i;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->rcpt = SIM_DEFERS;
	sim_retry(s, false);
	mails(s, "a.example", 200);
	start = sim_envelope(s, 0)->created;
	sim_run(s, 20000);
	for (i = 0; i < sim_envelopes(s); i++) {
		v = sim_envelope(s, i);
		if (v->last.result == CARRY_UNTRIED) {
			assert_in_range(v->next - start, 399, 401);
			assert_int_equal(v->rcpts, 0);
			assert_true(v->last.destination);
			assert_non_null(
			    strstr(v->status, "is put aside until"));
		} else {
			assert_true(v->last.step);
			assert_int_equal(v->next - start, 1600);
		}
	}
	/* Then it is as new. */
	sim_run(s, 401000);
	assert_false(route_disabled(sim_route(s, "192.0.2.1")));
	assert_false(sim_route(s, "192.0.2.1")->validated);
	assert_int_equal(sim_route(s, "192.0.2.1")->penalty, 0);
	sim_free(s);
}

static void
what_is_held_back_is_let_go_when_nothing_follows(void **ctx)
{
	struct sim *s = sim_new(NULL);

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	sim_host(s, "192.0.2.1")->rcpt = SIM_DEFERS;
	sim_retry(s, false);
	mails(s, "a.example", 3);
	sim_run(s, 1000);
	assert_int_equal(sim_count(s, CARRY_LATER), 3);
	assert_false(sim_envelope(s, 0)->last.step);
	sim_free(s);
}

static void
print_run(const char *what, struct sim *s, double bound)
{
	size_t i, rcpts = 0, untried = 0;
	int64_t last = 0, v;

	for (i = 0; i < sim_envelopes(s); i++) {
		rcpts += sim_envelope(s, i)->rcpts;
		untried += sim_envelope(s, i)->untried;
		v = sim_envelope(s, i)->done_at - sim_envelope(s, i)->created;
		if (v > last)
			last = v;
	}
	printf("# %s: %zu envelopes, %.4f RCPT each (bound %.2f), %.2f given "
	       "back untried each, the last after %lld s, %llu steps\n",
	    what, sim_envelopes(s), (double)rcpts / (double)sim_envelopes(s),
	    bound, (double)untried / (double)sim_envelopes(s), (long long)last,
	    (unsigned long long)sim_steps(s));
}

static size_t
rcpts_of(struct sim *s)
{
	size_t i, n = 0;

	for (i = 0; i < sim_envelopes(s); i++)
		n += sim_envelope(s, i)->rcpts;
	return n;
}

static void
a8_a_host_that_whitelists_the_client(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->rcpt = SIM_GREYLISTS_CLIENT;
	h->grey_s = 300;
	mails(s, "a.example", MANY);
	assert_true(sim_drain(s, DAY_MS));
	print_run("whitelists the client", s, 1.2);
	assert_in_range(rcpts_of(s), MANY, MANY * 12 / 10);
	/* The first that were rejected come back at 1600 s and pass; all
	 * others follow at once, or by their next step but one. */
	assert_in_range(sim_now(s), 0, 6400 * 1000);
	sim_free(s);
}

static void
a8_a_host_that_greylists_every_tuple(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->rcpt = SIM_GREYLISTS;
	h->grey_s = 300;
	mails(s, "a.example", MANY);
	assert_true(sim_drain(s, 4 * DAY_MS));
	print_run("greylists every tuple", s, 2.0);
	/* What has waited it out breaks the rows of those that have not. */
	assert_in_range(sim_now(s), 0, 6 * 3600 * 1000);
	assert_in_range(rcpts_of(s), 2 * MANY, 2 * MANY * 12 / 10);
	sim_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a5_twenty_five_rejected_in_a_row_are_enough),
		cmocka_unit_test(a5_one_that_is_taken_breaks_the_row),
		cmocka_unit_test(a5_in_the_middle_of_a_transaction),
		cmocka_unit_test(a5_permanent_rejections_are_answers),
		cmocka_unit_test(
		    a6_the_untried_wait_400_s_and_the_rejected_a_step_more),
		cmocka_unit_test(
		    what_is_held_back_is_let_go_when_nothing_follows),
		cmocka_unit_test(a8_a_host_that_whitelists_the_client),
		cmocka_unit_test(a8_a_host_that_greylists_every_tuple),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which host is chosen, and which connection, in simulated time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "regress/sim/sim.h"

static void
mails(struct sim *s, const char *domain, unsigned n)
{
	while (n-- > 0)
		sim_mail(s, domain, 1);
}

static struct relay *
relay_of(struct sim *s, const char *name)
{
	char text[TARGET_KEY_MAX];
	struct relay *r;

	TAILQ_FOREACH(r, &sim_engine(s)->relays, all)
		if (strcmp(relay_name(r, text), name) == 0)
			return r;
	return NULL;
}

static void
a10_domains_of_one_mx_set_share_a_relay(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	struct relay *r;

	(void)ctx;
	sim_mx(s, "a.example", "10 m 192.0.2.1, 20 n 192.0.2.2");
	sim_mx(s, "b.example", "20 n 192.0.2.2, 10 m 192.0.2.1");
	sim_mx(s, "c.example", "20 m 192.0.2.1, 10 n 192.0.2.2");
	sim_mail(s, "a.example", 1);
	sim_run(s, 2000);
	sim_mail(s, "b.example", 1);
	sim_run(s, 4000);
	assert_int_equal(h->connects, 1);
	assert_int_equal(h->taken, 2);
	r = relay_of(s, "a.example");
	assert_int_equal(r->ndestinations, 2);
	assert_string_equal(r->text, "10 m, 20 n");
	sim_mail(s, "c.example", 1);
	sim_run(s, 6000);
	assert_int_equal(sim_host(s, "192.0.2.2")->taken, 1);
	assert_int_equal(r->ndestinations, 2);
	/* The same hosts in the same order, but of one preference. */
	sim_mx(s, "d.example", "10 m 192.0.2.1, 10 n 192.0.2.2");
	sim_mail(s, "d.example", 1);
	sim_run(s, 8000);
	assert_int_equal(r->ndestinations, 2);
	assert_ptr_not_equal(relay_of(s, "d.example"), r);
	sim_free(s);
}

static void
a11_load_is_spread_over_the_best_preference(void **ctx)
{
	struct sim *s = sim_new(NULL);
	static const char *const hosts[] = { "192.0.2.1", "192.0.2.2",
		"192.0.2.3" };
	struct sim_host *worse = sim_host(s, "192.0.2.4");
	size_t i;

	(void)ctx;
	sim_mx(s, "a.example",
	    "10 m 192.0.2.1, 10 n 192.0.2.2, 10 o 192.0.2.3, 20 p 192.0.2.4");
	mails(s, "a.example", 300);
	assert_true(sim_drain(s, 60000));
	for (i = 0; i < 3; i++)
		assert_in_range(sim_host(s, hosts[i])->taken, 80, 120);
	assert_int_equal(worse->taken, 0);
	sim_free(s);

	/* One connection to each, though the first would take five. */
	s = sim_new("limit mta max-connections-per-relay 3\n");
	sim_mx(
	    s, "a.example", "10 m 192.0.2.1, 10 n 192.0.2.2, 10 o 192.0.2.3");
	for (i = 0; i < 3; i++)
		sim_host(s, hosts[i])->carry_ms = 1000;
	mails(s, "a.example", 300);
	assert_true(sim_drain(s, 600000));
	for (i = 0; i < 3; i++) {
		assert_int_equal(sim_host(s, hosts[i])->peak, 1);
		assert_in_range(sim_host(s, hosts[i])->taken, 80, 120);
	}
	sim_free(s);

	/* A limit is waited for, with three busy hosts. */
	s = sim_new("limit mta max-connections-per-route 1\n");
	worse = sim_host(s, "192.0.2.4");
	sim_mx(s, "a.example", "10 m 192.0.2.1, 20 p 192.0.2.4");
	sim_host(s, "192.0.2.1")->carry_ms = 5000;
	mails(s, "a.example", 30);
	assert_true(sim_drain(s, 600000));
	assert_int_equal(worse->taken, 0);
	sim_free(s);

	/* All of them fail: the next preference. */
	s = sim_new(NULL);
	worse = sim_host(s, "192.0.2.4");
	sim_mx(s, "a.example",
	    "10 m 192.0.2.1, 10 n 192.0.2.2, 10 o 192.0.2.3, 20 p 192.0.2.4");
	for (i = 0; i < 3; i++)
		sim_host(s, hosts[i])->connect = SIM_REFUSES;
	mails(s, "a.example", 30);
	assert_true(sim_drain(s, 60000));
	assert_int_equal(worse->taken, 30);
	for (i = 0; i < sim_envelopes(s); i++)
		assert_int_equal(sim_envelope(s, i)->tries, 0);
	sim_free(s);
}

static void
a15_a_connection_is_kept_for_a_while(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	char flags[5];
	int i;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	sim_mail(s, "a.example", 1);
	sim_run(s, 5000);
	route_flags(sim_route(s, "192.0.2.1"), flags);
	assert_string_equal(flags, "---K");
	sim_mail(s, "a.example", 1);
	sim_run(s, 5500);
	assert_int_equal(h->connects, 1);
	sim_run(s, 20500);
	route_flags(sim_route(s, "192.0.2.1"), flags);
	assert_string_equal(flags, "----");
	sim_mail(s, "a.example", 1);
	sim_run(s, 21000);
	assert_int_equal(h->connects, 2);
	assert_int_equal(sim_done(s), 3);
	/* Rather than one to a host that has none. */
	sim_mx(s, "b.example", "10 my 192.0.2.2, 10 mz 192.0.2.3");
	for (i = 0; i < 4; i++) {
		sim_mail(s, "b.example", 1);
		sim_run(s, sim_now(s) + 5000);
	}
	assert_int_equal(sim_done(s), 7);
	assert_int_equal(sim_host(s, "192.0.2.2")->connects +
		sim_host(s, "192.0.2.3")->connects,
	    1);
	sim_free(s);
}

static void
a16_hosts_of_relay_via_are_tried_without_a_gap(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct choice *c = choice_new(1);

	(void)ctx;
	c->manners[0] = sim_manner(false, "smart.example", 25);
	sim_use(s, c);
	sim_mx(s, "smart.example", "0 smart.example 192.0.2.1 192.0.2.2");
	sim_host(s, "192.0.2.1")->banner_ms = 9000;
	sim_host(s, "192.0.2.2")->banner_ms = 9000;
	mails(s, "a.example", 10);
	sim_run(s, 100);
	assert_int_equal(sim_host(s, "192.0.2.1")->connects, 1);
	assert_int_equal(sim_host(s, "192.0.2.2")->connects, 1);
	sim_free(s);
}

static void
a17_a_host_is_skipped_for_the_source_it_refused(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	struct choice *c = choice_new(1);
	struct manner *m = sim_manner(true, NULL, 0);

	(void)ctx;
	m->sources = mem_zarray(2, sizeof(char *));
	m->sources[m->nsources++] = mem_strdup("198.51.100.1");
	m->sources[m->nsources++] = mem_strdup("198.51.100.2");
	c->manners[0] = m;
	sim_use(s, c);
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->banner = "554 5.7.1 not from there";
	h->banner_end = CONN_END_REFUSED;
	sim_retry(s, false);
	mails(s, "a.example", 10);
	sim_run(s, 20000);
	assert_int_equal(h->connects, 2);
	assert_string_not_equal(h->sources[0], h->sources[1]);
	assert_int_equal(sim_count(s, CARRY_LATER), 10);
	sim_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a10_domains_of_one_mx_set_share_a_relay),
		cmocka_unit_test(a11_load_is_spread_over_the_best_preference),
		cmocka_unit_test(a15_a_connection_is_kept_for_a_while),
		cmocka_unit_test(
		    a16_hosts_of_relay_via_are_tried_without_a_gap),
		cmocka_unit_test(
		    a17_a_host_is_skipped_for_the_source_it_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

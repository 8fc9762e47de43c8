/* Routes that ramp up, back off, and are left for others, in simulated time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mta/domain.h"
#include "daemon/mta/pick.h"
#include "regress/sim/sim.h"

static void
mails(struct sim *s, const char *domain, unsigned n)
{
	while (n-- > 0)
		sim_mail(s, domain, 1);
}

static void
a2_a_new_route_has_one_connection_until_a_session_works(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	char flags[5];

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->banner_ms = 3000;
	h->carry_ms = 1000;
	mails(s, "a.example", 100);
	sim_run(s, 2900);
	assert_int_equal(h->connects, 1);
	route_flags(sim_route(s, "192.0.2.1"), flags);
	assert_string_equal(flags, "N---");
	assert_int_equal(
	    TAILQ_FIRST(&sim_engine(s)->relays)->pace.kind, PACE_ROUTE_NEW);
	/* Each session that works allows one more. */
	sim_run(s, 3500);
	assert_int_equal(h->connects, 2);
	sim_run(s, 6500);
	assert_int_equal(h->connects, 3);
	sim_run(s, 9500);
	assert_int_equal(h->connects, 4);
	route_flags(sim_route(s, "192.0.2.1"), flags);
	assert_string_equal(flags, "----");
	assert_true(sim_drain(s, 600000));
	assert_int_equal(h->peak, 5);
	sim_free(s);
}

static void
a3_failures_disable_a_route_for_the_square_of_its_penalty(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	static const unsigned factor[] = { 1, 4, 9, 16 };
	uint64_t rest, at;
	struct route *r;
	char flags[5];
	size_t i;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->connect = SIM_REFUSES;
	sim_retry(s, false);
	for (i = 0; i < 4; i++) {
		at = sim_now(s);
		sim_mail(s, "a.example", 1);
		sim_run(s, at + 1000);
		assert_int_equal(h->connects, i + 1);
		r = sim_route(s, "192.0.2.1");
		assert_int_equal(r->penalty, i + 1);
		route_flags(r, flags);
		assert_string_equal(flags, "NDQ-");
		rest = r->disabled_until - sim_engine(s)->now + 1000 - 7;
		assert_in_range(
		    rest, 30000 * factor[i] - 20, 33000 * factor[i]);
		/* Its time is over: as new, and one less. */
		sim_run(s, at + 33000 * factor[i] + 1000);
		assert_false(route_disabled(r));
		assert_int_equal(r->penalty, i);
	}
	/* What is delivered makes up for all. */
	h->connect = SIM_OPEN;
	sim_mail(s, "a.example", 1);
	sim_run(s, sim_now(s) + 1000);
	assert_int_equal(sim_count(s, CARRY_DONE), 1);
	assert_int_equal(r->penalty, 0);
	route_flags(r, flags);
	assert_string_equal(flags, "---K");
	assert_int_equal(route_rest(10, 30, 3600), 3000000);
	assert_int_equal(route_rest(11, 30, 3600), 3600000);
	sim_free(s);
}

static void
a3_a_failure_that_follows_counts_for_more(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct route *r;
	uint64_t rest;
	unsigned i;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	sim_host(s, "192.0.2.1")->connect = SIM_REFUSES;
	sim_retry(s, false);
	/* One is taken off when it is tried anew, and put back if in vain:
	 * else no penalty would ever be more than one. */
	for (i = 1; i <= 12; i++) {
		sim_mail(s, "a.example", 1);
		sim_run(s, sim_now(s) + 1000);
		r = sim_route(s, "192.0.2.1");
		assert_int_equal(r->penalty, i);
		/* The cap is one, whatever chance adds. */
		rest = r->disabled_until - sim_engine(s)->now;
		assert_true(rest < 3600000);
		if (i > 10)
			assert_in_range(rest + 1000, 3600000, 3600020);
		sim_run(s, sim_now(s) + rest + 1);
		assert_false(route_disabled(r));
		assert_int_equal(r->penalty, i - 1);
	}
	sim_free(s);
}

static void
a3_routes_that_fail_together_come_back_one_by_one(void **ctx)
{
	struct sim *s = sim_new(NULL);
	static char text[40][128], domain[40][64];
	uint64_t first = UINT64_MAX, last = 0, rest;
	char address[64];
	unsigned i;

	(void)ctx;
	sim_retry(s, false);
	for (i = 0; i < 40; i++) {
		snprintf(address, sizeof(address), "10.0.0.%u", i);
		snprintf(domain[i], sizeof(domain[i]), "d%u.example", i);
		snprintf(text[i], sizeof(text[i]), "10 mx%u %s", i, address);
		sim_host(s, address)->connect = SIM_REFUSES;
		sim_mx(s, domain[i], text[i]);
		sim_mail(s, domain[i], 1);
	}
	sim_run(s, 1000);
	for (i = 0; i < 40; i++) {
		snprintf(address, sizeof(address), "10.0.0.%u", i);
		rest = sim_route(s, address)->disabled_until -
		    sim_engine(s)->now + 1000 - 7;
		first = rest < first ? rest : first;
		last = rest > last ? rest : last;
	}
	/* Ten per cent, and most of it is made use of. */
	assert_in_range(first, 29980, 30600);
	assert_in_range(last, 32400, 33000);
	sim_free(s);
}

static void
a4_mail_for_a_disabled_route_is_not_tried(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	struct sim_envelope *first, *v;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->connect = SIM_REFUSES;
	sim_retry(s, false);
	first = sim_mail(s, "a.example", 1);
	sim_run(s, 1000);
	assert_int_equal(first->last.result, CARRY_LATER);
	assert_true(first->last.destination);
	assert_string_equal(first->status, "451 4.4.1 connection refused");
	mails(s, "a.example", 50);
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 2000);
	assert_int_equal(h->connects, 1);
	assert_int_equal(sim_count(s, CARRY_UNTRIED), 51);
	assert_int_equal(v->tries, 0);
	assert_true(v->last.destination);
	assert_in_range(v->last.delay, 28, 33);
	assert_non_null(strstr(v->status,
	    "451 4.4.1 route r1 (* -> mx [192.0.2.1]) is "
	    "disabled until 2"));
	assert_non_null(
	    strstr(v->status, "after: 451 4.4.1 connection refused"));
	sim_free(s);
}

static void
a9_421_counts_against_the_route(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	struct sim_envelope *v;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->rcpt = SIM_421;
	sim_retry(s, false);
	v = sim_mail(s, "a.example", 20);
	sim_run(s, 3000);
	assert_int_equal(h->rcpts, 1);
	assert_int_equal(h->connects, 1);
	assert_int_equal(sim_route(s, "192.0.2.1")->penalty, 1);
	assert_true(route_disabled(sim_route(s, "192.0.2.1")));
	assert_int_equal(sim_count(s, CARRY_LATER), 20);
	assert_true(v->last.destination);
	/* 451 counts against the recipient. */
	h->rcpt = SIM_DEFERS;
	sim_run(s, 60000);
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 61000);
	assert_int_equal(v->last.result, CARRY_LATER);
	assert_false(v->last.destination);
	assert_false(v->last.step);
	assert_false(route_disabled(sim_route(s, "192.0.2.1")));
	/* However much the session has delivered before. */
	h->rcpt = SIM_TAKES;
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 62000);
	assert_true(v->done);
	h->rcpt = SIM_421;
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 63000);
	assert_int_equal(h->connects, 2);
	assert_int_equal(v->last.result, CARRY_LATER);
	assert_true(route_disabled(sim_route(s, "192.0.2.1")));
	sim_free(s);
}

static void
a16_gaps_between_connections_of_what_is_not_proven(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	struct route *r;

	(void)ctx;
	/* A route that failed, works again, and delivered nothing yet: five
	 * seconds from one connection to the next. */
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->connect = SIM_REFUSES;
	sim_retry(s, false);
	sim_mail(s, "a.example", 1);
	sim_run(s, 1000);
	sim_mail(s, "a.example", 1);
	sim_run(s, 40000);
	sim_mail(s, "a.example", 1);
	sim_run(s, 41000);
	r = sim_route(s, "192.0.2.1");
	assert_int_equal(r->penalty, 2);
	sim_run(s, 41000 + 133000);
	assert_int_equal(r->penalty, 1);
	h->connect = SIM_OPEN;
	h->carry_ms = 20000;
	mails(s, "a.example", 10);
	sim_run(s, 41000 + 133000 + 19000);
	assert_int_equal(h->connects, 6);
	assert_in_range(h->connect_at[3] - h->connect_at[2], 5000, 5050);
	assert_in_range(h->connect_at[4] - h->connect_at[3], 5000, 5050);
	assert_in_range(h->connect_at[5] - h->connect_at[4], 5000, 5050);
	/* None once it is proven. */
	h->carry_ms = 10;
	assert_int_equal(r->penalty, 1);
	sim_run(s, 41000 + 133000 + 30000);
	assert_int_equal(r->penalty, 0);
	sim_free(s);
}

static void
a16_after_a_disconnect_and_between_hosts_of_a_relay(void **ctx)
{
	struct sim *s = sim_new("limit mta route-delay 0s\n"
				"limit mta penalty 1s\n");
	struct sim_host *h = sim_host(s, "192.0.2.1");
	uint64_t at;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->connect = SIM_REFUSES;
	sim_mail(s, "a.example", 1);
	sim_run(s, 1000);
	at = h->connect_at[0];
	sim_mail(s, "a.example", 1);
	sim_run(s, 1300);
	mails(s, "a.example", 3);
	sim_run(s, 10000);
	assert_in_range(h->connect_at[1] - at, 3000, 4200);
	sim_free(s);

	/* Two hosts, both slow to greet: two seconds apart. */
	s = sim_new(NULL);
	sim_mx(s, "b.example", "10 m 192.0.2.2, 10 n 192.0.2.3");
	sim_host(s, "192.0.2.2")->banner_ms = 9000;
	sim_host(s, "192.0.2.3")->banner_ms = 9000;
	mails(s, "b.example", 10);
	sim_run(s, 8000);
	assert_int_equal(sim_host(s, "192.0.2.2")->connects, 1);
	assert_int_equal(sim_host(s, "192.0.2.3")->connects, 1);
	at = sim_host(s, "192.0.2.3")->connect_at[0] -
	    sim_host(s, "192.0.2.2")->connect_at[0];
	assert_in_range(at, 2000, 2010);
	sim_free(s);
}

static void
a16_what_we_closed_ourselves_leaves_no_gap(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	struct route *r;
	uint64_t at;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->connect = SIM_REFUSES;
	sim_retry(s, false);
	sim_mail(s, "a.example", 1);
	sim_run(s, 34000);
	sim_mail(s, "a.example", 1);
	sim_run(s, 34000 + 133000);
	r = sim_route(s, "192.0.2.1");
	assert_int_equal(r->penalty, 1);
	/* A session that does not clear it, and rests until we say QUIT. */
	h->connect = SIM_OPEN;
	h->rcpt = SIM_DEFERS;
	sim_mail(s, "a.example", 1);
	sim_run(s, sim_now(s) + 10500);
	assert_int_equal(h->connects, 3);
	assert_int_equal(r->connections, 0);
	assert_int_equal(r->penalty, 1);
	at = sim_now(s);
	sim_mail(s, "a.example", 1);
	sim_run(s, at + 100);
	assert_int_equal(h->connects, 4);
	sim_free(s);
}

static void
a17_a_host_that_gives_no_session_is_skipped(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	struct sim_host *other = sim_host(s, "192.0.2.2");

	(void)ctx;
	sim_mx(s, "a.example", "10 m 192.0.2.1, 20 n 192.0.2.2");
	h->banner = "554 5.7.1 no mail here";
	h->banner_end = CONN_END_REFUSED;
	mails(s, "a.example", 20);
	sim_run(s, 10000);
	assert_int_equal(sim_count(s, CARRY_DONE), 20);
	assert_int_equal(h->connects, 1);
	assert_int_equal(other->taken, 20);
	assert_int_equal(sim_events(s, ENGINE_HOST_SKIPPED), 1);
	assert_string_equal(
	    sim_route(s, "192.0.2.1")->host->error, "554 5.7.1 no mail here");
	/* Still, when its route alone might be tried again. */
	sim_run(s, 60000);
	sim_mail(s, "a.example", 1);
	sim_run(s, 61000);
	assert_int_equal(h->connects, 1);
	sim_run(s, 401000);
	sim_mail(s, "a.example", 1);
	sim_run(s, 402000);
	assert_int_equal(h->connects, 2);
	sim_free(s);
}

static void
a17_ten_transactions_and_none_taken(void **ctx)
{
	struct sim *s = sim_new("limit mta max-connections-per-route 1\n");
	struct sim_host *h = sim_host(s, "192.0.2.1");
	struct choice *other = choice_new(1);
	struct sim_envelope *v;
	size_t i;

	(void)ctx;
	other->manners[0] = sim_manner(true, NULL, 0);
	sim_mx(s, "a.example", "10 m 192.0.2.1");
	h->data = "451 4.3.0 not with me";
	sim_retry(s, false);
	mails(s, "a.example", 30);
	sim_run(s, 10000);
	/* Its recipients are taken, so it is no host without use. */
	assert_int_equal(h->transactions, 30);
	/* And they wait for their own time, not for the host. */
	for (i = 0; i < 30; i++)
		assert_false(sim_envelope(s, i)->last.destination);
	sim_free(s);

	s = sim_new("limit mta max-connections-per-route 1\n"
		    "limit mta transactions-without-recipient 10\n");
	h = sim_host(s, "192.0.2.1");
	sim_mx(s, "a.example", "10 m 192.0.2.1");
	h->refuses_mail = true;
	sim_retry(s, false);
	mails(s, "a.example", 30);
	sim_run(s, 10000);
	assert_int_equal(h->transactions, 10);
	assert_int_equal(sim_count(s, CARRY_LATER), 10);
	assert_int_equal(sim_count(s, CARRY_UNTRIED), 20);
	assert_int_equal(sim_events(s, ENGINE_HOST_SKIPPED), 1);
	/* Nor by another action. */
	sim_use(s, other);
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 20000);
	assert_int_equal(h->connects, 1);
	assert_int_equal(v->last.result, CARRY_UNTRIED);
	sim_free(s);
}

static void
a18_ipv6_that_fails_delays_nothing(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_envelope *v;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 2001:db8::1 192.0.2.1");
	sim_host(s, "2001:db8::1")->connect = SIM_REFUSES;
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 200);
	assert_true(v->done);
	assert_int_equal(v->tries, 0);
	assert_int_equal(v->untried, 0);
	/* And a host that keeps silent only for as long as it does. */
	sim_mx(s, "b.example", "10 mx 2001:db8::2 192.0.2.2");
	sim_host(s, "2001:db8::2")->connect = SIM_SILENT;
	v = sim_mail(s, "b.example", 1);
	sim_run(s, 30400);
	assert_true(v->done);
	assert_int_equal(v->tries, 0);
	sim_free(s);
}

static void
a_session_that_is_lost_over_nothing_counts_against_its_route(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->drops = true;
	sim_retry(s, false);
	mails(s, "a.example", 500);
	sim_run(s, 20000);
	/* Those that were opened before it was seen fail with it, once. */
	assert_in_range(h->connects, 1, 5);
	assert_int_equal(sim_route(s, "192.0.2.1")->penalty, 1);
	assert_int_equal(sim_count(s, CARRY_LATER), 500);
	sim_free(s);
}

static void
tls_that_fails_is_remembered_and_done_without(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	struct sim_envelope *v;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->bad_tls = true;
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 500);
	assert_true(v->done);
	assert_int_equal(h->connects, 2);
	assert_int_equal(sim_route(s, "192.0.2.1")->penalty, 0);
	sim_run(s, 20000);
	sim_mail(s, "a.example", 1);
	sim_run(s, 21000);
	assert_int_equal(h->connects, 3); /* in clear at once */
	sim_run(s, 3590000);
	sim_mail(s, "a.example", 1);
	sim_run(s, 3591000);
	assert_int_equal(h->connects, 4); /* still */
	sim_run(s, 3602000);
	sim_mail(s, "a.example", 1);
	sim_run(s, 3603000);
	assert_int_equal(h->connects, 6);
	sim_free(s);
}

static void
a20_a_must_is_never_in_clear(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	struct choice *strict = choice_new(1);
	struct sim_envelope *v;

	(void)ctx;
	strict->manners[0] = sim_manner(true, NULL, 0);
	strict->manners[0]->may_be_clear = false;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->bad_tls = true;
	sim_retry(s, false);
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 1000);
	assert_true(v->done);
	/* Though that host is known to do without. */
	assert_true(sim_route(s, "192.0.2.1")->host->clear_until > 0);
	sim_use(s, strict);
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 2000);
	assert_int_equal(v->last.result, CARRY_LATER);
	assert_int_equal(h->connects, 3);
	assert_int_equal(h->taken, 1);
	sim_free(s);
}

static void
a_policy_that_is_not_met_is_no_fault_towards_others(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	struct choice *strict = choice_new(1);
	struct sim_envelope *v;

	(void)ctx;
	strict->manners[0] = sim_manner(true, NULL, 0);
	strict->manners[0]->may_be_clear = false;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->banner = "451 4.7.5 certificate does not verify";
	h->banner_end = CONN_END_TLS;
	sim_use(s, strict);
	sim_retry(s, false);
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 1000);
	assert_int_equal(v->last.result, CARRY_LATER);
	h->banner = NULL;
	strict = choice_new(1);
	strict->manners[0] = sim_manner(true, NULL, 0);
	sim_use(s, strict);
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 2000);
	assert_true(v->done);
	sim_free(s);
}

static void
dane_trouble_sends_mail_to_another_host_or_back(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct choice *dane = choice_new(1);
	struct sim_envelope *v;

	(void)ctx;
	dane->manners[0] = sim_manner(true, NULL, 0);
	dane->manners[0]->dane = true;
	sim_use(s, dane);
	sim_retry(s, false);
	sim_mx(s, "a.example", "10 m 192.0.2.1 bogus, 20 n 192.0.2.2");
	sim_mx(s, "b.example", "10 m 192.0.2.1 bogus");
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 500);
	assert_true(v->done);
	assert_int_equal(sim_host(s, "192.0.2.2")->taken, 1);
	v = sim_mail(s, "b.example", 1);
	sim_run(s, 1000);
	assert_int_equal(v->last.result, CARRY_LATER);
	assert_non_null(strstr(v->status, "its TLSA records are bogus"));
	assert_int_equal(sim_host(s, "192.0.2.1")->connects, 0);
	sim_free(s);
}

static void
names_that_are_not_found(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_envelope *none, *null, *silent;

	(void)ctx;
	sim_mx(s, "null.example", "");
	sim_mx(s, "silent.example", NULL);
	sim_retry(s, false);
	none = sim_mail(s, "none.example", 1);
	null = sim_mail(s, "null.example", 1);
	silent = sim_mail(s, "silent.example", 1);
	sim_run(s, 1000);
	assert_int_equal(none->last.result, CARRY_NEVER);
	assert_string_equal(none->status, "550 5.1.2 it does not exist");
	assert_int_equal(null->last.result, CARRY_NEVER);
	assert_string_equal(null->status, "556 5.1.10 it takes no mail");
	assert_int_equal(silent->last.result, CARRY_LATER);
	assert_string_equal(silent->status, "451 4.4.3 no answer in time");
	sim_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a2_a_new_route_has_one_connection_until_a_session_works),
		cmocka_unit_test(
		    a3_failures_disable_a_route_for_the_square_of_its_penalty),
		cmocka_unit_test(a3_a_failure_that_follows_counts_for_more),
		cmocka_unit_test(
		    a3_routes_that_fail_together_come_back_one_by_one),
		cmocka_unit_test(a4_mail_for_a_disabled_route_is_not_tried),
		cmocka_unit_test(a9_421_counts_against_the_route),
		cmocka_unit_test(
		    a16_gaps_between_connections_of_what_is_not_proven),
		cmocka_unit_test(
		    a16_after_a_disconnect_and_between_hosts_of_a_relay),
		cmocka_unit_test(a16_what_we_closed_ourselves_leaves_no_gap),
		cmocka_unit_test(a17_a_host_that_gives_no_session_is_skipped),
		cmocka_unit_test(a17_ten_transactions_and_none_taken),
		cmocka_unit_test(a18_ipv6_that_fails_delays_nothing),
		cmocka_unit_test(
		    a_session_that_is_lost_over_nothing_counts_against_its_route),
		cmocka_unit_test(tls_that_fails_is_remembered_and_done_without),
		cmocka_unit_test(a20_a_must_is_never_in_clear),
		cmocka_unit_test(
		    a_policy_that_is_not_met_is_no_fault_towards_others),
		cmocka_unit_test(
		    dane_trouble_sends_mail_to_another_host_or_back),
		cmocka_unit_test(names_that_are_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Limits, sharing, choice of hosts and sources, and what operators pause. */
#include <arpa/inet.h>
#include <netinet/in.h>
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
#include "daemon/mta/sender.h"
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

static struct choice *
one(struct manner *m)
{
	struct choice *c = choice_new(1);

	c->manners[0] = m;
	return c;
}

static void
a1_connections_have_limits(void **ctx)
{
	static const struct {
		const char *conf;
		unsigned most;
		enum pace_kind kind;
	} cases[] = {
		{ NULL, 5, PACE_ROUTE },
		{ "limit mta max-connections-per-route 20\n", 10, PACE_HOST },
		{ "limit mta max-connections-per-route 20\n"
		  "limit mta max-connections-per-host 7\n",
		    7, PACE_HOST },
		{ "limit mta max-connections-per-source 3\n", 3, PACE_SOURCE },
		{ "limit mta max-connections-per-relay 2\n", 2, PACE_RELAY },
		{ "limit mta max-connections-per-domain 4\n", 4, PACE_DOMAIN },
		{ "limit mta for domain \"a.example\" "
		  "max-connections-per-domain 3\n",
		    3, PACE_DOMAIN },
		{ "limit mta for domain \"b.example\" "
		  "max-connections-per-domain 3\n",
		    5, PACE_ROUTE },
	};
	char text[PACE_TEXT_MAX];
	struct sim_host *h;
	struct relay *r;
	struct sim *s;
	size_t i;

	(void)ctx;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s = sim_new(cases[i].conf);
		h = sim_host(s, "192.0.2.1");
		h->carry_ms = 1000;
		sim_mx(s, "a.example", "10 mx 192.0.2.1");
		mails(s, "a.example", 500);
		sim_run(s, 30000);
		r = relay_of(s, "a.example");
		if (h->peak != cases[i].most || r->pace.kind != cases[i].kind)
			fail_msg("case %zu: peak %u, waits for %s", i, h->peak,
			    pace_word(r->pace.kind));
		pace_text(sim_engine(s), r, &r->pace, text);
		assert_non_null(strstr(text, pace_word(cases[i].kind)));
		assert_true(sim_drain(s, 3600000));
		assert_int_equal(h->peak, cases[i].most);
		sim_free(s);
	}
}

static void
a1_what_waits_for_a_source_is_served_in_turn(void **ctx)
{
	struct sim *s = sim_new("limit mta max-connections-per-source 10\n");
	static char text[200][128], domain[200][64];
	char address[64];
	unsigned i;

	(void)ctx;
	for (i = 0; i < 200; i++) {
		snprintf(address, sizeof(address), "10.0.0.%u", i);
		snprintf(domain[i], 64, "d%u.example", i);
		snprintf(text[i], 128, "10 mx%u %s", i, address);
		sim_host(s, address)->carry_ms = 100;
		sim_mx(s, domain[i], text[i]);
		mails(s, domain[i], i == 0 ? 1000 : 3);
	}
	/* The large one does not keep the others out. */
	sim_run(s, 30000);
	assert_in_range(sim_engine(s)->counts.connections, 1, 10);
	for (i = 1; i < 200; i++) {
		snprintf(address, sizeof(address), "10.0.0.%u", i);
		assert_int_equal(sim_host(s, address)->taken, 3);
	}
	assert_true(sim_drain(s, 600000));
	sim_free(s);
}

static void
a12_many_messages_by_one_connection(void **ctx)
{
	struct sim *s = sim_new("limit mta max-connections-per-route 1\n");
	struct sim_host *h = sim_host(s, "192.0.2.1");

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	mails(s, "a.example", 150);
	assert_true(sim_drain(s, 60000));
	assert_int_equal(h->connects, 2);
	assert_int_equal(h->transactions, 150);
	/* The one that replaces what we closed ourselves comes at once. */
	assert_in_range(h->connect_at[1] - h->connect_at[0], 1000, 1020);
	sim_free(s);
}

static void
a13_recipients_of_a_message_travel_together(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	sim_mail(s, "a.example", 20);
	assert_true(sim_drain(s, 60000));
	assert_int_equal(h->transactions, 1);
	sim_mail(s, "a.example", 250);
	assert_true(sim_drain(s, 60000));
	assert_int_equal(h->transactions, 4);
	sim_free(s);

	s = sim_new("limit mta recipients-per-transaction 30\n");
	h = sim_host(s, "192.0.2.1");
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	sim_mail(s, "a.example", 60);
	assert_true(sim_drain(s, 60000));
	assert_int_equal(h->transactions, 2);
	sim_free(s);
}

static void
a14_one_batch_by_a_smarthost_across_domains(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	struct sim_envelope *v;
	size_t i;
	static const char *const domains[] = { "a.example", "b.example",
		"c.example", "d.example", "e.example" };

	(void)ctx;
	sim_use(s, one(sim_manner(false, "192.0.2.1", 25)));
	v = sim_mail(s, "a.example", 5);
	(void)v;
	for (i = 0; i < 5; i++)
		sim_envelope(s, i)->domain = domains[i];
	assert_true(sim_drain(s, 60000));
	assert_int_equal(h->transactions, 1);
	assert_int_equal(h->taken, 5);
	/* By MX nothing of that is one. */
	sim_use(s, one(sim_manner(true, NULL, 0)));
	for (i = 0; i < 5; i++)
		sim_mx(s, domains[i], "10 mx 192.0.2.9");
	sim_free(s);
}

static struct manner *
with_sources(const char *a, const char *b)
{
	struct manner *m = sim_manner(true, NULL, 0);

	m->sources = mem_zarray(2, sizeof(char *));
	m->sources[m->nsources++] = mem_strdup(a);
	m->sources[m->nsources++] = mem_strdup(b);
	return m;
}

static void
a24_sources_take_turns_and_a_bad_one_is_left(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	unsigned i, last, one_of = 0;
	struct sim_envelope *b;
	struct relay *r;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	sim_use(s, one(with_sources("198.51.100.1", "198.51.100.2")));
	h->carry_ms = 300;
	mails(s, "a.example", 200);
	assert_true(sim_drain(s, 120000));
	assert_in_range(h->connects, 8, 20);
	for (i = 0; i < 8; i++)
		one_of += strcmp(h->sources[i], "198.51.100.1") == 0;
	assert_int_equal(one_of, 4);
	/* So they do when one connection at a time is enough. */
	sim_run(s, sim_now(s) + 20000);
	for (i = 0; i < 4; i++) {
		last = h->connects;
		sim_mail(s, "a.example", 1);
		sim_run(s, sim_now(s) + 20000);
		assert_int_equal(h->connects, last + 1);
		assert_string_not_equal(h->sources[last], h->sources[last - 1]);
	}
	sim_free(s);

	/* Also when no connection is left of the last one. */
	s = sim_new(NULL);
	h = sim_host(s, "192.0.2.1");
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	sim_use(s, one(with_sources("198.51.100.1", "198.51.100.2")));
	for (i = 0; i < 4; i++) {
		sim_mail(s, "a.example", 1);
		sim_run(s, (i + 1) * 20000);
	}
	assert_int_equal(h->connects, 4);
	for (i = 1; i < 4; i++)
		assert_string_not_equal(h->sources[i], h->sources[i - 1]);
	sim_free(s);

	s = sim_new(NULL);
	h = sim_host(s, "192.0.2.1");
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	sim_mx(s, "b.example", "10 my 192.0.2.2");
	sim_use(s, one(with_sources("198.51.100.1", "198.51.100.1")));
	h->connect = SIM_NO_SOURCE;
	sim_retry(s, false);
	b = sim_mail(s, "b.example", 1);
	sim_run(s, 500);
	assert_true(b->done);
	sim_mail(s, "a.example", 1);
	sim_run(s, 1000);
	assert_int_equal(sim_envelope(s, 1)->last.result, CARRY_LATER);
	assert_string_equal(
	    sim_envelope(s, 1)->status, "451 4.4.1 no such source");
	r = relay_of(s, "a.example");
	assert_true(r->connectors[0].bad_until > sim_engine(s)->now);
	assert_false(route_disabled(sim_route(s, "192.0.2.1")));
	/* For that relay only. */
	assert_int_equal(relay_of(s, "b.example")->connectors[0].bad_until, 0);
	b = sim_mail(s, "b.example", 1);
	sim_mail(s, "a.example", 1);
	sim_run(s, 2000);
	assert_true(b->done);
	assert_int_equal(sim_envelope(s, 3)->last.result, CARRY_UNTRIED);
	assert_non_null(strstr(sim_envelope(s, 3)->status,
	    "source 198.51.100.1 cannot be used until"));
	sim_free(s);
}

static void
a25_the_name_said_goes_with_the_source(void **ctx)
{
	struct manner *m = manner_new();

	(void)ctx;
	assert_null(manner_helo(m, "198.51.100.1"));
	m->names = mem_zarray(2, sizeof(*m->names));
	m->names[0].source = mem_strdup("198.51.100.1");
	m->names[0].name = mem_strdup("one.example");
	m->names[1].source = mem_strdup("198.51.100.2");
	m->names[1].name = mem_strdup("two.example");
	m->nnames = 2;
	assert_string_equal(manner_helo(m, "198.51.100.1"), "one.example");
	assert_string_equal(manner_helo(m, "198.51.100.2"), "two.example");
	assert_null(manner_helo(m, "198.51.100.3"));
	m->names[0].source[0] = '\0';
	assert_string_equal(manner_helo(m, "198.51.100.2"), "one.example");
	manner_unref(m);
}

static void
a26_as_changes_the_sender_but_never_the_null_one(void **ctx)
{
	static const struct {
		const char *from, *as, *want;
	} cases[] = {
		{ "ann@a.example", NULL, "ann@a.example" },
		{ "ann@a.example", "bob@b.example", "bob@b.example" },
		{ "ann@a.example", "bob", "bob@a.example" },
		{ "ann@a.example", "@b.example", "ann@b.example" },
		{ "", "bob@b.example", "" },
		{ "", "@b.example", "" },
	};
	char text[ADDR_TEXT_MAX];
	struct addr a;
	size_t i;

	(void)ctx;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(addr_parse(&a, cases[i].from,
				     strlen(cases[i].from), false, false),
		    ADDR_OK);
		sender_as(&a, cases[i].as);
		assert_string_equal(addr_text(text, &a), cases[i].want);
	}
}

static void
a27_a_backup_relays_only_to_better_hosts(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct manner *m = sim_manner(true, NULL, 0);
	struct sim_envelope *v;

	(void)ctx;
	m->backup = mem_strdup("us.example");
	sim_use(s, one(m));
	sim_retry(s, false);
	sim_mx(s, "a.example",
	    "10 main 192.0.2.1, 20 us.example 192.0.2.2, "
	    "20 peer 192.0.2.3, 30 worse 192.0.2.4");
	sim_host(s, "192.0.2.1")->connect = SIM_REFUSES;
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 5000);
	assert_int_equal(v->last.result, CARRY_LATER);
	assert_int_equal(sim_host(s, "192.0.2.2")->connects, 0);
	assert_int_equal(sim_host(s, "192.0.2.3")->connects, 0);
	assert_int_equal(sim_host(s, "192.0.2.4")->connects, 0);
	sim_host(s, "192.0.2.1")->connect = SIM_OPEN;
	sim_run(s, 40000);
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 41000);
	assert_true(v->done);
	/* Nobody is better. */
	sim_mx(s, "b.example", "10 us.example 192.0.2.2, 20 main 192.0.2.1");
	v = sim_mail(s, "b.example", 1);
	sim_run(s, 42000);
	assert_int_equal(v->last.result, CARRY_NEVER);
	sim_free(s);
}

static void
a27_an_address_of_ours_is_ours_by_any_name(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sockaddr_storage own = { 0 };
	struct sockaddr_in *four = (void *)&own;
	struct sim_envelope *v;

	(void)ctx;
	four->sin_family = AF_INET;
	four->sin_port = htons(25);
	inet_pton(AF_INET, "192.0.2.2", &four->sin_addr);
	engine_configure(sim_engine(s), sim_engine(s)->conf, &own, 1);
	sim_retry(s, false);
	sim_mx(
	    s, "a.example", "10 m 192.0.2.1, 20 n 192.0.2.2, 30 o 192.0.2.3");
	sim_mx(s, "b.example", "10 n 192.0.2.2, 20 o 192.0.2.3");
	sim_host(s, "192.0.2.1")->connect = SIM_REFUSES;
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 1000);
	assert_int_equal(v->last.result, CARRY_LATER);
	v = sim_mail(s, "b.example", 1);
	sim_run(s, 2000);
	assert_int_equal(v->last.result, CARRY_NEVER);
	assert_string_equal(
	    v->status, "554 5.4.6 mail for this domain comes back to us");
	assert_int_equal(sim_host(s, "192.0.2.2")->connects, 0);
	assert_int_equal(sim_host(s, "192.0.2.3")->connects, 0);
	sim_free(s);
}

static void
alternatives_of_a_table_take_turns_and_stand_in(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct choice *c = choice_new(2);
	struct sim_host *a = sim_host(s, "192.0.2.1");
	struct sim_host *b = sim_host(s, "192.0.2.2");
	size_t i;

	(void)ctx;
	c->manners[0] = sim_manner(false, "192.0.2.1", 25);
	c->manners[1] = sim_manner(false, "192.0.2.2", 25);
	sim_use(s, c);
	mails(s, "x.example", 100);
	assert_true(sim_drain(s, 60000));
	assert_int_equal(a->taken, 50);
	assert_int_equal(b->taken, 50);
	sim_run(s, sim_now(s) + 20000);
	a->connect = SIM_REFUSES;
	mails(s, "x.example", 100);
	assert_true(sim_drain(s, 120000));
	assert_int_equal(b->taken, 150);
	for (i = 0; i < sim_envelopes(s); i++)
		assert_int_equal(sim_envelope(s, i)->tries, 0);
	b->connect = SIM_REFUSES;
	sim_run(s, sim_now(s) + 20000);
	sim_retry(s, false);
	mails(s, "x.example", 2);
	sim_run(s, sim_now(s) + 1000);
	assert_int_equal(sim_count(s, CARRY_DONE), 200);
	sim_free(s);
}

static void
via_a_host_there_is_no_gap_and_a_quick_ramp(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");

	(void)ctx;
	sim_use(s, one(sim_manner(false, "192.0.2.1", 25)));
	h->banner_ms = 1000;
	h->carry_ms = 500;
	mails(s, "x.example", 100);
	sim_run(s, 900);
	assert_int_equal(h->connects, 1);
	sim_run(s, 1100);
	assert_int_equal(h->connects, 5);
	sim_free(s);
}

/* Two domains of one MX set have one relay: it rests until neither is paused,
 * and a domain that goes elsewhere takes its pause along. */
static void
a_relay_is_paused_with_any_of_its_domains(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct engine *e = sim_engine(s);
	struct sim_envelope *v;

	(void)ctx;
	sim_host(s, "192.0.2.1");
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	sim_mx(s, "b.example", "10 mx 192.0.2.1");
	sim_retry(s, false);
	sim_mail(s, "a.example", 1);
	sim_mail(s, "b.example", 1);
	sim_run(s, 1000);
	assert_int_equal(sim_done(s), 2);
	assert_true(engine_pause(e, CARRY_RELAY, "a.example", 0, 0, "x"));
	assert_true(engine_pause(e, CARRY_RELAY, "b.example", 0, 0, "y"));
	assert_true(engine_resume(e, CARRY_RELAY, "a.example"));
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 2000);
	assert_int_equal(v->last.result, CARRY_UNTRIED);
	assert_non_null(strstr(v->status, ": y"));
	/* After what was known has become old. */
	sim_mx(s, "b.example", "10 mz 192.0.2.2");
	sim_run(s, 120000);
	sim_mail(s, "b.example", 1);
	sim_run(s, 125000);
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 130000);
	assert_true(v->done);
	v = sim_mail(s, "b.example", 1);
	sim_run(s, 135000);
	assert_int_equal(v->last.result, CARRY_UNTRIED);
	assert_true(engine_resume(e, CARRY_RELAY, "b.example"));
	v = sim_mail(s, "b.example", 1);
	sim_run(s, 140000);
	assert_true(v->done);
	sim_free(s);
}

static void
what_is_paused_waits_in_the_queue(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct engine *e = sim_engine(s);
	struct sim_host *h = sim_host(s, "192.0.2.1");
	struct sim_envelope *v;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	sim_retry(s, false);
	sim_mail(s, "a.example", 1);
	sim_run(s, 1000);
	assert_int_equal(sim_done(s), 1);
	assert_true(engine_pause(
	    e, CARRY_ROUTE, "r1", e->wall + 300, 1000, "they asked for it"));
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 2000);
	assert_int_equal(v->last.result, CARRY_UNTRIED);
	assert_in_range(v->last.delay, 298, 300);
	assert_non_null(strstr(
	    v->status, "route r1 (* -> mx [192.0.2.1]) is paused until 2"));
	assert_non_null(strstr(v->status, ": they asked for it"));
	assert_true(engine_resume(e, CARRY_ROUTE, "* -> mx [192.0.2.1]"));
	assert_false(engine_resume(e, CARRY_ROUTE, "r1"));
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 3000);
	assert_true(v->done);

	assert_true(engine_pause(e, CARRY_RELAY, "a.example", 0, 0, "x"));
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 4000);
	assert_int_equal(v->last.result, CARRY_UNTRIED);
	assert_int_equal(v->last.delay, 400);
	assert_non_null(strstr(
	    v->status, "relay a.example is paused until further notice: x"));
	assert_true(engine_resume(e, CARRY_RELAY, "a.example"));

	assert_true(engine_pause(e, CARRY_SOURCE, "*", e->wall + 10, 0, "y"));
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 5000);
	assert_int_equal(v->last.result, CARRY_UNTRIED);
	assert_non_null(strstr(v->status, "source * is paused until 2"));
	/* It ends by itself. */
	sim_run(s, 16000);
	v = sim_mail(s, "a.example", 1);
	sim_run(s, 17000);
	assert_true(v->done);
	/* One for what comes up later. */
	assert_false(
	    engine_pause(e, CARRY_ROUTE, "* -> mz [192.0.2.7]", 0, 0, "z"));
	sim_mx(s, "c.example", "10 mz 192.0.2.7");
	v = sim_mail(s, "c.example", 1);
	sim_run(s, 18000);
	sim_mail(s, "c.example", 1);
	sim_run(s, 19000);
	assert_int_equal(sim_host(s, "192.0.2.7")->connects, 0);
	assert_int_equal(h->taken, 3);
	sim_free(s);
}

static void
resume_route_all_ends_every_penalty(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *h = sim_host(s, "192.0.2.1");

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	h->connect = SIM_REFUSES;
	sim_retry(s, false);
	sim_mail(s, "a.example", 1);
	sim_run(s, 1000);
	h->connect = SIM_OPEN;
	assert_int_equal(engine_enable_all(sim_engine(s)), 1);
	sim_mail(s, "a.example", 1);
	sim_run(s, 7000);
	assert_int_equal(sim_done(s), 1);
	sim_free(s);
}

static void
c16_a_stuck_destination_delays_nobody(void **ctx)
{
	struct sim *s = sim_new(NULL);
	struct sim_host *slow = sim_host(s, "192.0.2.1");
	struct sim_envelope *v;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	sim_mx(s, "b.example", "10 my 192.0.2.2");
	slow->carry_ms = 2000;
	mails(s, "a.example", 1500);
	sim_run(s, 5000);
	v = sim_mail(s, "b.example", 1);
	sim_run(s, 6000);
	assert_true(v->done);
	/* A host that cannot be reached keeps no mail here at all. */
	sim_mx(s, "c.example", "10 mz 192.0.2.3");
	sim_host(s, "192.0.2.3")->connect = SIM_REFUSES;
	sim_retry(s, false);
	mails(s, "c.example", 400);
	sim_run(s, 8000);
	assert_int_equal(relay_of(s, "c.example")->queued, 0);
	sim_free(s);
}

static void
the_rate_is_that_of_the_last_ten_seconds(void **ctx)
{
	struct sim *s = sim_new("limit mta max-connections-per-route 1\n");
	struct route *r;

	(void)ctx;
	sim_mx(s, "a.example", "10 mx 192.0.2.1");
	sim_host(s, "192.0.2.1")->carry_ms = 100;
	mails(s, "a.example", 80);
	sim_run(s, 9000);
	r = sim_route(s, "192.0.2.1");
	assert_int_equal(route_recent(r, sim_engine(s)->now), 80);
	sim_run(s, 14000);
	assert_in_range(route_recent(r, sim_engine(s)->now), 25, 45);
	sim_run(s, 40000);
	assert_int_equal(route_recent(r, sim_engine(s)->now), 0);
	sim_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a1_connections_have_limits),
		cmocka_unit_test(a1_what_waits_for_a_source_is_served_in_turn),
		cmocka_unit_test(a12_many_messages_by_one_connection),
		cmocka_unit_test(a13_recipients_of_a_message_travel_together),
		cmocka_unit_test(a14_one_batch_by_a_smarthost_across_domains),
		cmocka_unit_test(a24_sources_take_turns_and_a_bad_one_is_left),
		cmocka_unit_test(a25_the_name_said_goes_with_the_source),
		cmocka_unit_test(
		    a26_as_changes_the_sender_but_never_the_null_one),
		cmocka_unit_test(a27_a_backup_relays_only_to_better_hosts),
		cmocka_unit_test(a27_an_address_of_ours_is_ours_by_any_name),
		cmocka_unit_test(
		    alternatives_of_a_table_take_turns_and_stand_in),
		cmocka_unit_test(via_a_host_there_is_no_gap_and_a_quick_ramp),
		cmocka_unit_test(what_is_paused_waits_in_the_queue),
		cmocka_unit_test(a_relay_is_paused_with_any_of_its_domains),
		cmocka_unit_test(resume_route_all_ends_every_penalty),
		cmocka_unit_test(c16_a_stuck_destination_delays_nobody),
		cmocka_unit_test(the_rate_is_that_of_the_last_ten_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

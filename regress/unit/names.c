/* What operators call routes, sources and relays; what is unknown is answered
 * with what there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/conf/conf.h"
#include "daemon/mta/destination.h"
#include "daemon/mta/domain.h"
#include "daemon/mta/engine.h"
#include "daemon/mta/names.h"
#include "daemon/mta/source.h"
#include "lib/base/mem.h"

static bool
on_ask(void *arg, uint32_t id, enum name_kind kind, const char *name,
    uint16_t port)
{
	(void)arg;
	(void)id;
	(void)kind;
	(void)name;
	(void)port;
	return true;
}

static void
on_event(void *arg, enum engine_event what, const struct route *r,
    const struct link *l, const char *status)
{
	(void)arg;
	(void)what;
	(void)r;
	(void)l;
	(void)status;
}

static const struct engine_ops ops = { .ask = on_ask, .event = on_event };

static const char config[] = "hostname mx.test\n"
			     "action out relay source \"192.0.2.7\"\n"
			     "accept from any for any action out\n";

static void
on_report(void *arg, const char *line)
{
	(void)arg;
	fail_msg("%s", line);
}

struct world {
	struct engine *e;
	struct conf *conf;
	struct manner *m;
};

static void
route_to(struct world *w, const char *name, uint8_t last)
{
	const uint8_t octets[16] = { 192, 0, 2, last };
	struct host *h = host_get(w->e->hosts, name, 4, octets, 25);
	struct domain *d = domain_get(w->e, name);

	route_new(w->e, w->m, source_get(w->e, "*"), h, name, d);
	host_release(w->e->hosts, h);
	domain_release(w->e, d);
}

static int
setup(void **state)
{
	struct world *w = mem_zalloc(sizeof(*w));
	struct target t;

	w->conf = conf_parse("names", config, strlen(config), on_report, NULL);
	w->e = engine_new(&ops, NULL);
	engine_configure(w->e, w->conf, NULL, 0);
	engine_clock(w->e, 1000, 1000);
	w->m = manner_new();
	w->m->key = mem_strdup("out");
	w->m->action = mem_strdup("out");
	w->m->by_mx = true;
	route_to(w, "mx1.example.org", 1);
	route_to(w, "mx2.example.org", 2);
	target_set(&t, NULL, 0, "example.org", 25);
	destination_get(w->e, w->m, &t);
	target_set(&t, "127.0.0.1", 2525, NULL, 25);
	destination_get(w->e, w->m, &t);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	manner_unref(w->m);
	engine_free(w->e);
	conf_free(w->conf);
	free(w);
	return 0;
}

static const struct {
	enum carry_part part;
	const char *given;
	enum names_found found;
	const char *want; /* the name, or what is said */
} cases[] = {
	{ CARRY_ROUTE, "r1", NAMES_KNOWN, "* -> mx1.example.org [192.0.2.1]" },
	{ CARRY_ROUTE, "* -> MX2.example.org [192.0.2.2]", NAMES_KNOWN,
	    "* -> mx2.example.org [192.0.2.2]" },
	{ CARRY_ROUTE, "r9", NAMES_NONE,
	    "no route 'r9'; there are r1 (* -> mx1.example.org [192.0.2.1]), "
	    "r2 (* -> mx2.example.org [192.0.2.2]): see show routes" },
	{ CARRY_ROUTE, "mx2", NAMES_NONE,
	    "no route 'mx2'; did you mean r2 (* -> mx2.example.org "
	    "[192.0.2.2])?" },
	{ CARRY_ROUTE, "r99999999999999999999", NAMES_NONE,
	    "no route 'r99999999999999999999'; there are r1 (* -> "
	    "mx1.example.org [192.0.2.1]), r2 (* -> mx2.example.org "
	    "[192.0.2.2]): see show routes" },
	{ CARRY_ROUTE, "", NAMES_NONE, "that is no name of a route" },
	{ CARRY_SOURCE, "*", NAMES_KNOWN, "*" },
	{ CARRY_SOURCE, "192.0.2.7", NAMES_KNOWN, "192.0.2.7" },
	{ CARRY_SOURCE, "192.0.2.8", NAMES_NONE,
	    "no source '192.0.2.8'; there is *: see show routes" },
	{ CARRY_RELAY, "Example.ORG.", NAMES_KNOWN, "example.org" },
	{ CARRY_RELAY, "smtp://127.0.0.1:2525", NAMES_KNOWN,
	    "[127.0.0.1]:2525" },
	{ CARRY_RELAY, "smtp+tls+auth://label@[127.0.0.1]:2525", NAMES_KNOWN,
	    "[127.0.0.1]:2525" },
	{ CARRY_RELAY, "[127.0.0.1]:2525", NAMES_KNOWN, "[127.0.0.1]:2525" },
	{ CARRY_RELAY, "exmaple.org", NAMES_NEW,
	    "no relay 'exmaple.org'; did you mean example.org?" },
	{ CARRY_RELAY, "a b", NAMES_NONE,
	    "that is no name of a relay: a domain is wanted, or a URL as in "
	    "the configuration" },
	{ CARRY_RELAY, "smtp://host:99999", NAMES_NONE,
	    "that is no URL: smtp://host:port is wanted" },
	{ CARRY_RELAY, "a\001b", NAMES_NONE, "that is no name of a relay" },
};

static void
finds_or_says_what_there_is(void **state)
{
	struct world *w = *state;
	char name[CARRY_NAME_MAX + 1], why[1536];
	enum names_found found;
	const char *got;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		name[0] = '\0';
		found = names_find(w->e, cases[i].part, cases[i].given, name,
		    sizeof(name), why, sizeof(why));
		got = cases[i].found == NAMES_KNOWN ? name : why;
		if (found != cases[i].found || strcmp(got, cases[i].want) != 0)
			fail_msg("'%s': %d %s / %s", cases[i].given, found,
			    name, why);
	}
}

static void
what_is_paused_has_a_name(void **state)
{
	struct world *w = *state;
	char name[CARRY_NAME_MAX + 1], why[1536];

	engine_pause(w->e, CARRY_RELAY, "gone.test", 0, 0, "x");
	assert_int_equal(names_find(w->e, CARRY_RELAY, "GONE.test", name,
			     sizeof(name), why, sizeof(why)),
	    NAMES_KNOWN);
	assert_string_equal(name, "gone.test");
	assert_int_equal(names_find(w->e, CARRY_ROUTE, "gone.test", name,
			     sizeof(name), why, sizeof(why)),
	    NAMES_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_or_says_what_there_is),
		cmocka_unit_test(what_is_paused_has_a_name),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

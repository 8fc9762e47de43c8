/*
 * The limits of outgoing mail: their names, their defaults, and which of
 * several statements holds for a domain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/conf/conf.h"

static struct conf *
parse(const char *text)
{
	struct conf *c = conf_parse("t", text, strlen(text), NULL, NULL);

	assert_non_null(c);
	return c;
}

static const struct {
	enum conf_limit_key key;
	const char *name;
	uint32_t value;
	bool seconds;
} defaults[] = {
	{ CONF_LIMIT_HOST, "max-connections-per-host", 10, false },
	{ CONF_LIMIT_ROUTE, "max-connections-per-route", 5, false },
	{ CONF_LIMIT_SOURCE, "max-connections-per-source", 100, false },
	{ CONF_LIMIT_RELAY, "max-connections-per-relay", 100, false },
	{ CONF_LIMIT_DOMAIN, "max-connections-per-domain", 100, false },
	{ CONF_LIMIT_MESSAGES, "messages-per-connection", 100, false },
	{ CONF_LIMIT_RECIPIENTS, "recipients-per-transaction", 100, false },
	{ CONF_LIMIT_REJECTS, "rejects-in-a-row", 25, false },
	{ CONF_LIMIT_FRUITLESS, "transactions-without-recipient", 10, false },
	{ CONF_LIMIT_ROUTE_DELAY, "route-delay", 5, true },
	{ CONF_LIMIT_DISCONNECT_DELAY, "disconnect-delay", 3, true },
	{ CONF_LIMIT_RELAY_DELAY, "relay-delay", 2, true },
	{ CONF_LIMIT_KEEPALIVE, "keep-alive", 10, true },
	{ CONF_LIMIT_PENALTY, "penalty", 30, true },
	{ CONF_LIMIT_PENALTY_MAX, "penalty-max", 3600, true },
	{ CONF_LIMIT_ASIDE, "put-aside", 400, true },
};

static void
test_defaults(void **state)
{
	struct conf *c = parse("");
	size_t i;

	(void)state;
	assert_int_equal(sizeof(defaults) / sizeof(defaults[0]), CONF_LIMITS);
	for (i = 0; i < CONF_LIMITS; i++) {
		assert_string_equal(
		    conf_limit_name(defaults[i].key), defaults[i].name);
		assert_int_equal(
		    conf_limit_seconds(defaults[i].key), defaults[i].seconds);
		assert_int_equal(
		    conf_limit(c, NULL, defaults[i].key), defaults[i].value);
		assert_int_equal(conf_limit(c, "x.example", defaults[i].key),
		    defaults[i].value);
	}
	conf_free(c);
}

/* Each by its name, with a number or a duration. */
static void
test_names(void **state)
{
	char text[200];
	struct conf *c;
	size_t i;

	(void)state;
	for (i = 0; i < CONF_LIMITS; i++) {
		snprintf(text, sizeof(text), "limit mta %s %s\n",
		    defaults[i].name, defaults[i].seconds ? "2m" : "120");
		c = parse(text);
		assert_int_equal(c->nlimits, 1);
		assert_int_equal(conf_limit(c, NULL, defaults[i].key), 120);
		conf_free(c);
	}
}

static const struct {
	const char *domain;
	uint32_t hosts, keepalive;
} cases[] = {
	{ NULL, 4, 10 },
	{ "example.com", 4, 10 },
	{ "example.org", 2, 10 },
	{ "EXAMPLE.org", 2, 10 },
	{ "a.example.org", 4, 10 },
	{ "example.net", 4, 10 },
	{ "a.example.net", 3, 0 },
	{ "b.a.example.net", 3, 0 },
	{ "one.test", 9, 10 },
	{ "x.two.test", 9, 10 },
	{ "two.test", 4, 10 },
	/* The last that fits decides, however narrow the one before. */
	{ "last.example.net", 1, 0 },
	{ "badexample.net", 4, 10 },
};

static void
test_domains(void **state)
{
	struct conf *c =
	    parse("limit mta max-connections-per-host 7\n"
		  "mta max-per-host 4\n"
		  "limit mta for domain Example.ORG max-connections-per-host "
		  "2\n"
		  "limit mta for domain \"*.example.net\" "
		  "max-connections-per-host 3 keep-alive 0\n"
		  "limit mta max-connections-per-host 9 for domain <t>\n"
		  "limit mta for domain last.example.net "
		  "max-connections-per-host 1\n"
		  "table t { one.test, \"*.two.test\" }\n");
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (conf_limit(c, cases[i].domain, CONF_LIMIT_HOST) !=
			cases[i].hosts ||
		    conf_limit(c, cases[i].domain, CONF_LIMIT_KEEPALIVE) !=
			cases[i].keepalive)
			fail_msg("%s",
			    cases[i].domain == NULL ? "none" : cases[i].domain);
	}
	conf_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

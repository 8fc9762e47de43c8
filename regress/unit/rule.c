#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/conf/conf.h"
#include "daemon/lookup/rule.h"

/* Tables of the tests: "broken" is trouble, others hold their words. */
static const struct {
	const char *name, *words;
} tables[] = {
	{ "domains", " one.example *.wild.example " },
	{ "senders", " ann@a.example @b.example c.example " },
	{ "nets", " 10.0.0.0/8 2001:db8::/32 local " },
	{ "empty", "" },
};

static enum rule_result
has(void *arg, const char *table, const char *key)
{
	char word[256];
	size_t i;

	(void)arg;
	snprintf(word, sizeof(word), " %s ", key);
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (strcmp(tables[i].name, table) == 0)
			return strstr(tables[i].words, word) != NULL ? RULE_YES
								     : RULE_NO;
	return RULE_TROUBLE;
}

static enum rule_result
has_address(void *arg, const char *table, const struct network *address)
{
	struct network ten, db8;

	(void)arg;
	if (strcmp(table, "broken") == 0)
		return RULE_TROUBLE;
	assert_true(network_parse(&ten, "10.0.0.0/8"));
	assert_true(network_parse(&db8, "2001:db8::/32"));
	return strcmp(table, "nets") == 0 &&
		(network_has(&ten, address) || network_has(&db8, address))
	    ? RULE_YES
	    : RULE_NO;
}

static struct conf *
parse(const char *rules)
{
	char text[2048];
	struct conf *c;

	snprintf(text, sizeof(text),
	    "hostname MX.example.org\n"
	    "listen on 127.0.0.1 hostname second.example\n"
	    "table domains { }\ntable senders { }\ntable nets { }\n"
	    "table empty { }\ntable broken { }\n%s",
	    rules);
	c = conf_parse("t", text, strlen(text), NULL, NULL);
	if (c == NULL)
		fail_msg("%s", rules);
	return c;
}

/* Which rule (from 0) decides; -1 none, -2 trouble. */
static int
decide(const char *rules, const char *client, const char *sender,
    const char *domain)
{
	struct network own;
	struct conf *c = parse(rules);
	struct rule_world w = { c, &own, 1, has, has_address, NULL };
	struct rule_question q = { client, sender, domain };
	const struct conf_rule *r;
	enum rule_result result;
	int n = -2;

	assert_true(network_parse(&own, "192.0.2.7"));
	result = rule_find(&w, &q, &r);
	if (result == RULE_NO)
		n = -1;
	else if (result == RULE_YES)
		n = (int)(r - c->rules);
	conf_free(c);
	return n;
}

/* One rule of one criterion, and what fits it. */
static const struct {
	const char *rule;
	const char *client, *sender, *domain;
	int want;
} cases[] = {
	/* from */
	{ "from any for any", "198.51.100.1", "", "x.example", 0 },
	{ "from any for any", "local", "", "x.example", 0 },
	{ "for any", "local", "", "x.example", 0 },
	{ "for any", "127.0.0.1", "", "x.example", 0 },
	{ "for any", "127.200.0.1", "", "x.example", 0 },
	{ "for any", "::1", "", "x.example", 0 },
	{ "for any", "::ffff:127.0.0.1", "", "x.example", 0 },
	{ "for any", "192.0.2.7", "", "x.example", 0 },
	{ "for any", "192.0.2.8", "", "x.example", -1 },
	{ "for any", "nonsense", "", "x.example", -1 },
	{ "from ! local for any", "192.0.2.8", "", "x.example", 0 },
	{ "from ! local for any", "local", "", "x.example", -1 },
	{ "from 10.0.0.0/8 for any", "10.255.0.1", "", "x.example", 0 },
	{ "from 10.0.0.0/8 for any", "11.0.0.1", "", "x.example", -1 },
	{ "from 10.0.0.0/8 for any", "::ffff:10.0.0.1", "", "x.example", 0 },
	{ "from 10.0.0.0/8 for any", "local", "", "x.example", -1 },
	{ "from 10.0.0.1 for any", "10.0.0.1", "", "x.example", 0 },
	{ "from 10.0.0.1 for any", "10.0.0.2", "", "x.example", -1 },
	{ "from 0.0.0.0/0 for any", "8.8.8.8", "", "x.example", 0 },
	{ "from 0.0.0.0/0 for any", "2001:db8::1", "", "x.example", -1 },
	{ "from 192.0.2.128/25 for any", "192.0.2.127", "", "x", -1 },
	{ "from 192.0.2.128/25 for any", "192.0.2.129", "", "x", 0 },
	{ "from 2001:db8::/33 for any", "2001:db8:7fff::1", "", "x", 0 },
	{ "from 2001:db8::/33 for any", "2001:db8:8000::1", "", "x", -1 },
	{ "from ! 10.0.0.0/8 for any", "11.0.0.1", "", "x.example", 0 },
	{ "from <nets> for any", "10.1.2.3", "", "x.example", 0 },
	{ "from <nets> for any", "2001:db8::5", "", "x.example", 0 },
	{ "from <nets> for any", "local", "", "x.example", 0 },
	{ "from <nets> for any", "11.1.2.3", "", "x.example", -1 },
	{ "from ! <nets> for any", "11.1.2.3", "", "x.example", 0 },
	{ "from <broken> for any", "11.1.2.3", "", "x.example", -2 },
	{ "from ! <broken> for any", "11.1.2.3", "", "x.example", -2 },
	/* sender */
	{ "sender ann@a.example for any", "local", "ann@a.example", "x", 0 },
	{ "sender Ann@A.example for any", "local", "ann@a.example", "x", 0 },
	{ "sender ann@a.example for any", "local", "bob@a.example", "x", -1 },
	{ "sender ann@a.example for any", "local", "", "x", -1 },
	{ "sender @a.example for any", "local", "bob@a.example", "x", 0 },
	{ "sender @a.example for any", "local", "bob@x.a.example", "x", -1 },
	{ "sender ! @a.example for any", "local", "bob@a.example", "x", -1 },
	{ "sender ! @a.example for any", "local", "", "x", 0 },
	{ "sender <> for any", "local", "", "x", 0 },
	{ "sender <> for any", "local", "a@b", "x", -1 },
	{ "sender ! <> for any", "local", "a@b", "x", 0 },
	{ "sender <senders> for any", "local", "ann@a.example", "x", 0 },
	{ "sender <senders> for any", "local", "bob@a.example", "x", -1 },
	{ "sender <senders> for any", "local", "any@b.example", "x", 0 },
	{ "sender <senders> for any", "local", "any@c.example", "x", 0 },
	{ "sender <senders> for any", "local", "", "x", -1 },
	{ "sender <broken> for any", "local", "a@b", "x", -2 },
	/* for */
	{ "for local", "local", "", "localhost", 0 },
	{ "for local", "local", "", "mx.example.org", 0 },
	{ "for local", "local", "", "second.example", 0 },
	{ "for local", "local", "", "example.org", -1 },
	{ "for local", "local", "", "[192.0.2.7]", 0 },
	{ "for local", "local", "", "[192.0.2.8]", -1 },
	{ "for local", "local", "", "[127.0.0.1]", 0 },
	{ "for local", "local", "", "[ipv6:::1]", 0 },
	{ "for local", "local", "", "[", -1 },
	{ "for ! local", "local", "", "example.org", 0 },
	{ "for ! local", "local", "", "localhost", -1 },
	{ "for domain One.Example", "local", "", "one.example", 0 },
	{ "for domain one.example", "local", "", "sub.one.example", -1 },
	{ "for domain *.one.example", "local", "", "sub.one.example", 0 },
	{ "for domain *.one.example", "local", "", "a.b.one.example", 0 },
	{ "for domain *.one.example", "local", "", "one.example", -1 },
	{ "for domain *.one.example", "local", "", "xone.example", -1 },
	{ "for ! domain one.example", "local", "", "two.example", 0 },
	{ "for domain ! one.example", "local", "", "one.example", -1 },
	{ "for <domains>", "local", "", "one.example", 0 },
	{ "for domain <domains>", "local", "", "one.example", 0 },
	{ "for <domains>", "local", "", "a.b.wild.example", 0 },
	{ "for <domains>", "local", "", "wild.example", -1 },
	{ "for ! <domains>", "local", "", "wild.example", 0 },
	{ "for <empty>", "local", "", "wild.example", -1 },
	{ "for <broken>", "local", "", "wild.example", -2 },
	/* What another part excludes, trouble does not bring back. */
	{ "from <broken> for domain y", "local", "", "x", -1 },
	{ "from <broken> sender @no.example for any", "local", "a@b", "x", -1 },
};

static void
test_criteria(void **state)
{
	char rule[256];
	size_t i;
	int have;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(
		    rule, sizeof(rule), "accept %s relay\n", cases[i].rule);
		have = decide(
		    rule, cases[i].client, cases[i].sender, cases[i].domain);
		if (have != cases[i].want)
			fail_msg("%s client=%s sender=%s domain=%s: %d, not %d",
			    cases[i].rule, cases[i].client, cases[i].sender,
			    cases[i].domain, have, cases[i].want);
		/* Rejecting rules are chosen by the same parts. */
		snprintf(rule, sizeof(rule), "reject %s\n", cases[i].rule);
		have = decide(
		    rule, cases[i].client, cases[i].sender, cases[i].domain);
		assert_int_equal(have, cases[i].want);
	}
}

static void
test_order(void **state)
{
	static const char rules[] =
	    "reject from 10.0.0.66 for any\n"
	    "accept from any for domain one.example relay\n"
	    "accept from <nets> for any relay\n"
	    "reject sender @spam.example for any\n"
	    "accept for any relay\n"
	    "accept from <broken> for any relay\n";

	(void)state;
	assert_int_equal(decide(rules, "10.0.0.66", "", "one.example"), 0);
	assert_int_equal(decide(rules, "8.8.8.8", "", "one.example"), 1);
	assert_int_equal(decide(rules, "10.0.0.67", "", "two.example"), 2);
	assert_int_equal(decide(rules, "127.0.0.1", "a@b", "two.example"), 4);
	assert_int_equal(
	    decide(rules, "127.0.0.1", "x@spam.example", "two.example"), 3);
	assert_int_equal(decide(rules, "8.8.8.8", "", "two.example"), -2);
	assert_int_equal(decide("", "local", "", "x"), -1);
}

static void
test_networks(void **state)
{
	static const char *const bad[] = { "", "x", "1.2.3", "1.2.3.4/33",
		"::/129", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/x", "::1/ 1",
		"1.2.3.4.5",
		"00000000000000000000000000000000000000000000000" };
	struct network n, a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (network_parse(&n, bad[i]))
			fail_msg("accepted: %s", bad[i]);
	assert_true(network_parse(&n, "fe80::1%eth0"));
	assert_int_equal(n.len, 16);
	assert_true(network_parse(&n, "::ffff:10.0.0.0/104"));
	assert_int_equal(n.len, 4);
	assert_int_equal(n.bits, 8);
	assert_true(network_parse(&a, "10.9.9.9"));
	assert_true(network_has(&n, &a));
	assert_true(network_parse(&n, "::/0"));
	assert_false(network_has(&n, &a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_criteria),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

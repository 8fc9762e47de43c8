#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/conf/conf.h"
#include "daemon/edge/ask.h"
#include "daemon/lookup/expand.h"
#include "daemon/lookup/table.h"
#include "lib/base/buf.h"

/* The users there are. */
static enum rule_result
user(void *arg, const char *name)
{
	(void)arg;
	if (strcmp(name, "trouble") == 0)
		return RULE_TROUBLE;
	return strcmp(name, "ann") == 0 || strcmp(name, "bob") == 0 ||
		strcmp(name, "root") == 0 || strcmp(name, "a+b") == 0
	    ? RULE_YES
	    : RULE_NO;
}

static enum rule_result
alias(void *arg, const char *table, const char *key, const char **value)
{
	enum table_result r = table_find(arg, table, key, value);

	return r == TABLE_FOUND ? RULE_YES
	    : r == TABLE_NONE   ? RULE_NO
				: RULE_TROUBLE;
}

static enum rule_result
has(void *arg, const char *table, const char *key)
{
	return alias(arg, table, key, NULL);
}

static enum rule_result
has_address(void *arg, const char *table, const struct network *address)
{
	(void)arg;
	(void)table;
	(void)address;
	return RULE_NO;
}

static const char config[] =
    "hostname mx.example\n"
    "table aliases {\n"
    "	team = \"ann, bob , carol@far.example,ann\",\n"
    "	postmaster = root, abuse = postmaster,\n"
    "	loop1 = loop2, loop2 = loop1, part = \"part2, bob\", part2 = part,\n"
    "	ann.self = \"ann.self, ann\", bob = \"\\\\bob, carol@far.example\",\n"
    "	program = \"|/bin/sh -c id\", file = /etc/passwd,\n"
    "	included = \":include:/etc/passwd\", mixed = \"ann, |x\",\n"
    "	nobody = \"\", blank = \" , ,\", ghost = nosuch, half = \"x1, ann\",\n"
    "	bad = \"a b\", quoted = \"\\\"a b\\\"@far.example\",\n"
    "	tagged+tag = bob, \"exact@mx.example\" = ann,\n"
    "	outside = \"x@unknown.example\", deep = trouble, up = UP2, up2 = ann,\n"
    "	c0 = c1, c1 = c2, c2 = c3, c3 = c4, c4 = c5, c5 = c6, c6 = c7,\n"
    "	c7 = c8, c8 = c9, c9 = c10, c10 = ann,\n"
    "	again = \"team, team, bob\"\n"
    "}\n"
    "table catch { \"@v.example\" = ann, bob = \"bob@mx.example\" }\n"
    "table virtual { v1, \"v2@w.example\" }\n"
    "table broken file:/nonexistent\n"
    "action out relay ttl 1h\n"
    "accept from any for local alias <aliases> deliver to mbox\n"
    "accept from any for domain v.example alias <catch> deliver to "
    "maildir \"/m/%{user}\"\n"
    "accept from any for domain w.example users <virtual> deliver to "
    "maildir \"/m/%{user}\"\n"
    "accept from any for domain any.example users any deliver to "
    "maildir \"/m/%{user}\"\n"
    "accept from any for domain b.example alias <broken> deliver to mbox\n"
    "accept from any for domain bu.example users <broken> deliver to mbox\n"
    "reject from any for domain unknown.example\n"
    "accept from 10.0.0.1 for domain only.example users any deliver to "
    "mbox \"/x\" action o\n"
    "table loc { x = \"y@only.example\", z = \"y@far.example\" }\n"
    "accept from any for domain loc.example alias <loc> deliver to mbox\n"
    "accept for any action out\n";

static const struct {
	const char *client, *rcpt;
	const char *want; /* targets "action destination", or the reply */
} cases[] = {
	{ "8.8.8.8", "ann@mx.example", "mbox-1 ann@mx.example" },
	{ "8.8.8.8", "ANN@MX.Example", "mbox-1 ann@mx.example" },
	{ "8.8.8.8", "ann+x@mx.example", "mbox-1 ann+x@mx.example" },
	{ "8.8.8.8", "a+b@mx.example", "mbox-1 a+b@mx.example" },
	{ "8.8.8.8", "+x@mx.example", "550 5.1.1 no such user" },
	{ "8.8.8.8", "zoe@mx.example", "550 5.1.1 no such user" },
	{ "8.8.8.8", "zoe+ann@mx.example", "550 5.1.1 no such user" },
	{ "8.8.8.8", "x@far.example", "550 5.7.1 relaying denied" },
	{ "local", "X@Far.Example", "out X@far.example" },
	{ "127.0.0.1", "\"a b\"@far.example", "out \"a b\"@far.example" },
	{ "8.8.8.8", "x@unknown.example", "550 5.7.1 relaying denied" },
	{ "8.8.8.8", "", "550 5.1.3 no valid address" },
	{ "8.8.8.8", "ann", "550 5.1.3 no valid address" },
	{ "8.8.8.8", "a@b@c", "550 5.1.3 no valid address" },
	{ "8.8.8.8", "postmaster", "mbox-1 root@mx.example" },
	{ "8.8.8.8", "Postmaster@mx.example", "mbox-1 root@mx.example" },
	{ "8.8.8.8", "postmaster@v.example", "maildir-1 ann@v.example" },
	{ "8.8.8.8", "abuse@mx.example", "mbox-1 root@mx.example" },
	{ "8.8.8.8", "team@mx.example",
	    "mbox-1 ann@mx.example, mbox-1 bob@mx.example, "
	    "out carol@far.example" },
	{ "8.8.8.8", "again@mx.example",
	    "mbox-1 ann@mx.example, mbox-1 bob@mx.example, "
	    "out carol@far.example" },
	{ "8.8.8.8", "team+tag@mx.example",
	    "mbox-1 ann@mx.example, mbox-1 bob@mx.example, "
	    "out carol@far.example" },
	{ "8.8.8.8", "loop1@mx.example", "550 5.4.6 alias loop" },
	{ "8.8.8.8", "part@mx.example",
	    "mbox-1 bob@mx.example, out carol@far.example" },
	{ "8.8.8.8", "bob@mx.example",
	    "mbox-1 bob@mx.example, out carol@far.example" },
	{ "8.8.8.8", "ann.self@mx.example", "mbox-1 ann@mx.example" },
	{ "8.8.8.8", "program@mx.example",
	    "451 4.3.0 lookup trouble, try again later" },
	{ "8.8.8.8", "file@mx.example",
	    "451 4.3.0 lookup trouble, try again later" },
	{ "8.8.8.8", "included@mx.example",
	    "451 4.3.0 lookup trouble, try again later" },
	{ "8.8.8.8", "mixed@mx.example",
	    "451 4.3.0 lookup trouble, try again later" },
	{ "8.8.8.8", "bad@mx.example",
	    "451 4.3.0 lookup trouble, try again later" },
	{ "8.8.8.8", "nobody@mx.example", "550 5.1.1 no such user" },
	{ "8.8.8.8", "blank@mx.example", "550 5.1.1 no such user" },
	{ "8.8.8.8", "ghost@mx.example", "550 5.1.1 no such user" },
	{ "8.8.8.8", "half@mx.example", "mbox-1 ann@mx.example" },
	{ "8.8.8.8", "quoted@mx.example", "out \"a b\"@far.example" },
	{ "8.8.8.8", "tagged+tag@mx.example",
	    "mbox-1 bob@mx.example, out carol@far.example" },
	{ "8.8.8.8", "tagged+other@mx.example", "550 5.1.1 no such user" },
	{ "8.8.8.8", "exact@mx.example", "mbox-1 ann@mx.example" },
	{ "8.8.8.8", "exact@localhost", "550 5.1.1 no such user" },
	{ "8.8.8.8", "outside@mx.example", "550 5.7.1 relaying denied" },
	{ "8.8.8.8", "deep@mx.example",
	    "451 4.3.0 lookup trouble, try again later" },
	{ "8.8.8.8", "up@mx.example", "mbox-1 ann@mx.example" },
	{ "8.8.8.8", "c1@mx.example", "mbox-1 ann@mx.example" },
	{ "8.8.8.8", "c0@mx.example", "550 5.4.6 alias loop" },
	/* Who has no mailbox there goes to the one who takes the rest. */
	{ "8.8.8.8", "zoe@v.example", "maildir-1 ann@v.example" },
	{ "8.8.8.8", "root@v.example", "maildir-1 root@v.example" },
	{ "8.8.8.8", "bob@v.example",
	    "mbox-1 bob@mx.example, out carol@far.example" },
	{ "8.8.8.8", "V1@w.example", "maildir-2 v1@w.example" },
	{ "8.8.8.8", "v1+t@w.example", "maildir-2 v1+t@w.example" },
	{ "8.8.8.8", "v2@w.example", "maildir-2 v2@w.example" },
	{ "8.8.8.8", "v3@w.example", "550 5.1.1 no such user" },
	{ "8.8.8.8", "who@any.example", "maildir-3 who@any.example" },
	{ "8.8.8.8", "\"../x\"@any.example", "550 5.1.1 no such user" },
	{ "8.8.8.8", "a/b@any.example", "550 5.1.1 no such user" },
	{ "8.8.8.8", "\"..\"@any.example", "550 5.1.1 no such user" },
	{ "8.8.8.8", "x@b.example",
	    "451 4.3.0 lookup trouble, try again later" },
	{ "8.8.8.8", "x@bu.example",
	    "451 4.3.0 lookup trouble, try again later" },
	{ "8.8.8.8", "trouble@mx.example",
	    "451 4.3.0 lookup trouble, try again later" },
	/* A target is held against the rules as ours, then as the client's. */
	{ "10.0.0.1", "x@loc.example", "o y@only.example" },
	{ "8.8.8.8", "x@loc.example", "out y@only.example" },
	{ "8.8.8.8", "z@loc.example", "out y@far.example" },
};

static void
describe(const struct expand *e, char *dst, size_t size)
{
	const struct expand_target *t;
	size_t i;

	snprintf(dst, size, "%s", expand_reply(expand_result(e)));
	for (i = 0; i < expand_count(e); i++) {
		t = expand_target(e, i);
		snprintf(dst + strlen(dst), size - strlen(dst), "%s%s %s",
		    i > 0 ? ", " : "", t->action->name, t->destination);
	}
}

static void
say(void *arg, const char *line)
{
	(void)arg;
	print_error("%s\n", line);
}

static struct conf *
parse(const char *text)
{
	struct conf *c = conf_parse("t", text, strlen(text), say, NULL);

	assert_non_null(c);
	return c;
}

static struct expand_world
world_of(const struct conf *c, struct tables **tables)
{
	*tables = tables_new(c, NULL);
	return (struct expand_world){ { c, NULL, 0, has, has_address, *tables },
		alias, user };
}

static void
test_cases(void **state)
{
	struct conf *c = parse(config);
	struct tables *tables;
	struct expand_world w = world_of(c, &tables);
	struct expand *e;
	char have[1024];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		e = expand_run(
		    &w, cases[i].client, "s@s.example", cases[i].rcpt);
		describe(e, have, sizeof(have));
		if (strcmp(have, cases[i].want) != 0)
			fail_msg("%s from %s: %s\nwant: %s", cases[i].rcpt,
			    cases[i].client, have, cases[i].want);
		expand_free(e);
	}
	tables_free(tables);
	conf_free(c);
}

/* An alias of n relayed addresses in a domain. */
static enum expand_verdict
wide(size_t n, const char *domain, size_t *count)
{
	struct buf *b = buf_new(CONF_TEXT_MAX);
	struct tables *tables;
	struct expand_world w;
	enum expand_verdict v;
	struct expand *e;
	struct conf *c;
	size_t i;

	buf_puts(b, "hostname mx.example\ntable a {\n");
	for (i = 0; i < n; i += 50) {
		size_t k;

		buf_putf(b, "part%zu = \"", i);
		for (k = i; k < n && k < i + 50; k++)
			buf_putf(b, "%s%zu@%s", k > i ? "," : "", k, domain);
		buf_puts(b, "\"\n,");
	}
	buf_puts(b, "all = \"");
	for (i = 0; i < n; i += 50)
		buf_putf(b, "%spart%zu", i > 0 ? "," : "", i);
	buf_puts(b,
	    "\" }\naccept from any for local alias <a> deliver to "
	    "mbox\naccept for any relay\n");
	c = parse(buf_text(b));
	w = world_of(c, &tables);
	e = expand_run(&w, "8.8.8.8", "", "all@mx.example");
	*count = expand_count(e);
	v = expand_result(e);
	expand_free(e);
	tables_free(tables);
	conf_free(c);
	buf_free(b);
	return v;
}

static void
test_bounds(void **state)
{
#define LABEL "1234567890123456789012345678901234567890123456789."
	static const char longest[] = LABEL LABEL LABEL LABEL "example";
	size_t n;

	(void)state;
	assert_int_equal(wide(ASK_TARGETS, "far.example", &n), EXPAND_OK);
	assert_int_equal(n, ASK_TARGETS);
	assert_int_equal(wide(ASK_TARGETS + 1, "far.example", &n), EXPAND_WIDE);
	assert_int_equal(n, 0);
	/* Within the count, but the answer would be too long a message. */
	assert_int_equal(wide(ASK_TARGETS, longest, &n), EXPAND_WIDE);
	assert_int_equal(wide(ASK_TARGETS / 2, longest, &n), EXPAND_OK);
	assert_int_equal(n, ASK_TARGETS / 2);
	assert_string_equal(expand_reply(EXPAND_WIDE),
	    "550 5.4.6 alias expands to too many recipients");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

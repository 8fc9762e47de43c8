#include "lib/mail/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define L63 "a23456789012345678901234567890123456789012345678901234567890123"
#define L64 "a234567890123456789012345678901234567890123456789012345678901234"
#define D252 L63 "." L63 "." L63 "." L63
#define PLAIN false, false
#define POSTMASTER true, false
#define WIDE false, true

static const struct {
	const char *in;
	bool postmaster, utf8;
	enum addr_result want;
	const char *text; /* NULL: the same as in */
} cases[] = {
	/* The null address and plain ones. */
	{ "", PLAIN, ADDR_OK, "" },
	{ "", POSTMASTER, ADDR_OK, "" },
	{ "a@b", PLAIN, ADDR_OK, NULL },
	{ "Ann@Example.ORG", PLAIN, ADDR_OK, NULL },
	{ "a.b.c@d.e.f", PLAIN, ADDR_OK, NULL },
	{ "a+tag@example.org", PLAIN, ADDR_OK, NULL },
	{ "!#$%&'*+-/=?^_`{|}~@example.org", PLAIN, ADDR_OK, NULL },
	{ "0@1.2", PLAIN, ADDR_OK, NULL },
	{ "-a-@example.org", PLAIN, ADDR_OK, NULL },
	{ "a@xn--bcher-kva.example", PLAIN, ADDR_OK, NULL },
	{ "a@my_host.example", PLAIN, ADDR_OK, NULL },
	{ "a@b-c.example", PLAIN, ADDR_OK, NULL },

	/* Local parts that are none. */
	{ "@example.org", PLAIN, ADDR_SYNTAX, NULL },
	{ "a", PLAIN, ADDR_SYNTAX, NULL },
	{ ".a@b", PLAIN, ADDR_SYNTAX, NULL },
	{ "a.@b", PLAIN, ADDR_SYNTAX, NULL },
	{ "a..b@c", PLAIN, ADDR_SYNTAX, NULL },
	{ ".@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a b@c", PLAIN, ADDR_SYNTAX, NULL },
	{ " a@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@c ", PLAIN, ADDR_SYNTAX, NULL },
	{ "a(b)@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a<b@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a>b@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a,b@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a;b@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a:b@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a[b@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a\\b@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a\tb@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a\rb@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a\nb@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a\x7f@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@b@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a\"b\"@c", PLAIN, ADDR_SYNTAX, NULL },

	/* Quoted strings. */
	{ "\"a b\"@c", PLAIN, ADDR_OK, NULL },
	{ "\"a\"@c", PLAIN, ADDR_OK, "a@c" },
	{ "\"a.b\"@c", PLAIN, ADDR_OK, "a.b@c" },
	{ "\"a..b\"@c", PLAIN, ADDR_OK, NULL },
	{ "\".a\"@c", PLAIN, ADDR_OK, NULL },
	{ "\"a.\"@c", PLAIN, ADDR_OK, NULL },
	{ "\"\"@c", PLAIN, ADDR_OK, NULL },
	{ "\"a@b\"@c", PLAIN, ADDR_OK, NULL },
	{ "\"\\a\"@c", PLAIN, ADDR_OK, "a@c" },
	{ "\"\\\"\"@c", PLAIN, ADDR_OK, NULL },
	{ "\"\\\\\"@c", PLAIN, ADDR_OK, NULL },
	{ "\"a\\ b\"@c", PLAIN, ADDR_OK, "\"a b\"@c" },
	{ "\"<>\"@c", PLAIN, ADDR_OK, NULL },
	{ "\"a\"", PLAIN, ADDR_SYNTAX, NULL },
	{ "\"a@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "\"", PLAIN, ADDR_SYNTAX, NULL },
	{ "\"\\", PLAIN, ADDR_SYNTAX, NULL },
	{ "\"a\\\"@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "\"a\"b@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "\"a\".b@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "\"a\nb\"@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "\"a\\\nb\"@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "\"a\tb\"@c", PLAIN, ADDR_SYNTAX, NULL },

	/* Domains. */
	{ "a@", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@.b", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@b.", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@b..c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@.", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@-b", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@b-", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@b.-c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@b-.c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@b c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@b/c", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@\"b\"", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@b\r\n", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@b,c@d", PLAIN, ADDR_SYNTAX, NULL },

	/* Address literals. */
	{ "a@[192.0.2.1]", PLAIN, ADDR_OK, NULL },
	{ "a@[IPv6:2001:db8::1]", PLAIN, ADDR_OK, NULL },
	{ "a@[ipv6:::1]", PLAIN, ADDR_OK, NULL },
	{ "a@[IPv6:::ffff:192.0.2.1]", PLAIN, ADDR_OK, NULL },
	{ "a@[]", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@[", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@[192.0.2.1", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@[192.0.2]", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@[192.0.2.256]", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@[192.0.2.1]x", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@[192.0.2.1].x", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@[2001:db8::1]", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@[IPv6:]", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@[IPv6:1::2::3]", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@[tag:content]", PLAIN, ADDR_SYNTAX, NULL },
	{ "a@[ 192.0.2.1]", PLAIN, ADDR_SYNTAX, NULL },

	/* Source routes. */
	{ "@a:b@c", PLAIN, ADDR_OK, "b@c" },
	{ "@a,@b.d:e@f", PLAIN, ADDR_OK, "e@f" },
	{ "@[192.0.2.1]:b@c", PLAIN, ADDR_OK, "b@c" },
	{ "@a:", PLAIN, ADDR_SYNTAX, NULL },
	{ "@a,:b@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "@a,b:c@d", PLAIN, ADDR_SYNTAX, NULL },
	{ "@:b@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "@a b@c", PLAIN, ADDR_SYNTAX, NULL },
	{ "@a:@b:c@d", PLAIN, ADDR_SYNTAX, NULL },
	{ "@-a:b@c", PLAIN, ADDR_SYNTAX, NULL },

	/* Postmaster alone. */
	{ "postmaster", POSTMASTER, ADDR_OK, NULL },
	{ "PostMaster", POSTMASTER, ADDR_OK, NULL },
	{ "\"postmaster\"", POSTMASTER, ADDR_OK, "postmaster" },
	{ "postmaster", PLAIN, ADDR_SYNTAX, NULL },
	{ "postmaster@", POSTMASTER, ADDR_SYNTAX, NULL },
	{ "postmaster2", POSTMASTER, ADDR_SYNTAX, NULL },
	{ "root", POSTMASTER, ADDR_SYNTAX, NULL },

	/* Lengths. */
	{ L64 "@c", PLAIN, ADDR_OK, NULL },
	{ L64 "5@c", PLAIN, ADDR_LOCAL_LONG, NULL },
	{ "\"" L63 " \"@c", PLAIN, ADDR_OK, NULL },
	{ "\"" L63 "  \"@c", PLAIN, ADDR_LOCAL_LONG, NULL },
	{ "a@" L63, PLAIN, ADDR_OK, NULL },
	{ "a@" L64, PLAIN, ADDR_SYNTAX, NULL },
	{ "a@" D252, PLAIN, ADDR_OK, NULL },
	{ "a@" D252 ".aa", PLAIN, ADDR_DOMAIN_LONG, NULL },

	/* Eight bits. */
	{ "\xc3\xa4@c", PLAIN, ADDR_UTF8, NULL },
	{ "a@\xc3\xa4.c", PLAIN, ADDR_UTF8, NULL },
	{ "\"\xc3\xa4\"@c", PLAIN, ADDR_UTF8, NULL },
	{ "\xff@c", PLAIN, ADDR_UTF8, NULL },
	{ "\xc3\xa4@c", WIDE, ADDR_OK, NULL },
	{ "a@\xc3\xa4.c", WIDE, ADDR_OK, NULL },
	{ "\"\xc3\xa4\"@c", WIDE, ADDR_OK, "\xc3\xa4@c" },
	{ "\"\xc3\xa4 b\"@c", WIDE, ADDR_OK, NULL },
	{ "\xff@c", WIDE, ADDR_SYNTAX, NULL },
	{ "\xc3@c", WIDE, ADDR_SYNTAX, NULL },
	{ "a@\xc3", WIDE, ADDR_SYNTAX, NULL },
	{ "\"\\\xc3\xa4\"@c", WIDE, ADDR_OK, "\xc3\xa4@c" },
	{ "\xc2\x85@c", WIDE, ADDR_SYNTAX, NULL },
};

/* An allocation of exactly the text, so that a read past it is seen. */
static enum addr_result
parse(struct addr *a, const char *text, size_t len, bool postmaster, bool utf8)
{
	char *copy = malloc(len + (len == 0));
	enum addr_result rc;

	assert_non_null(copy);
	memcpy(copy, text, len);
	rc = addr_parse(a, copy, len, postmaster, utf8);
	free(copy);
	return rc;
}

static void
parses(void **state)
{
	char text[ADDR_TEXT_MAX];
	enum addr_result rc;
	struct addr a;
	const char *want;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rc = parse(&a, cases[i].in, strlen(cases[i].in),
		    cases[i].postmaster, cases[i].utf8);
		if (rc != cases[i].want)
			fail_msg("<%s>: result %d", cases[i].in, (int)rc);
		want = cases[i].text == NULL ? cases[i].in : cases[i].text;
		if (rc != ADDR_OK)
			assert_true(addr_is_null(&a));
		else if (strcmp(addr_text(text, &a), want) != 0)
			fail_msg("<%s>: became %s", cases[i].in, text);
	}
}

/* What was put together is read again and stays the same. */
static void
its_own_text_is_read_again(void **state)
{
	char text[ADDR_TEXT_MAX], again[ADDR_TEXT_MAX];
	struct addr a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].want != ADDR_OK)
			continue;
		parse(&a, cases[i].in, strlen(cases[i].in), true, true);
		addr_text(text, &a);
		assert_int_equal(
		    parse(&a, text, strlen(text), true, true), ADDR_OK);
		assert_string_equal(addr_text(again, &a), text);
	}
}

static void
every_truncation_ends_well(void **state)
{
	struct addr a;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (n = 0; n < strlen(cases[i].in); n++)
			parse(&a, cases[i].in, n, false, cases[i].utf8);
}

static void
a_nul_is_no_character(void **state)
{
	struct addr a;

	(void)state;
	assert_int_equal(parse(&a, "a\0b@c", 5, false, false), ADDR_SYNTAX);
	assert_int_equal(parse(&a, "a@c\0", 4, false, false), ADDR_SYNTAX);
	assert_int_equal(parse(&a, "\"\0\"@c", 5, false, false), ADDR_SYNTAX);
	assert_int_equal(
	    parse(&a, "a@[192.0.2.1\0]", 14, false, false), ADDR_SYNTAX);
}

static void
the_longest_of_all_fits(void **state)
{
	char in[1 + 2 * ADDR_LOCAL_MAX + 2 + ADDR_DOMAIN_MAX], *at = in;
	char text[ADDR_TEXT_MAX];
	struct addr a;
	int i;

	(void)state;
	*at++ = '"';
	for (i = 0; i < ADDR_LOCAL_MAX; i++) {
		*at++ = '\\';
		*at++ = '"';
	}
	*at++ = '"';
	*at++ = '@';
	memcpy(at, D252, ADDR_DOMAIN_MAX);
	assert_int_equal(parse(&a, in, sizeof(in), false, false), ADDR_OK);
	addr_text(text, &a);
	assert_int_equal(strlen(text), sizeof(in));
	assert_memory_equal(text, in, sizeof(in));
}

static void
keys_are_folded(void **state)
{
	char key[ADDR_TEXT_MAX];
	struct addr a;

	(void)state;
	parse(&a, "Ann+Tag@Example.ORG", 19, false, false);
	assert_string_equal(addr_key(key, &a), "ann+tag@example.org");
	parse(&a, "", 0, false, false);
	assert_string_equal(addr_key(key, &a), "");
	assert_true(addr_is_null(&a));
	parse(&a, "\"\"@c", 4, false, false);
	assert_false(addr_is_null(&a));
}

static const struct {
	const char *in;
	bool ok;
} domains[] = {
	{ "mail.example.org", true },
	{ "localhost", true },
	{ "WIN_PC", true },
	{ "192.0.2.1", true },
	{ "[192.0.2.1]", true },
	{ "[IPv6:::1]", true },
	{ "", false },
	{ ".", false },
	{ "a.", false },
	{ "a b", false },
	{ "a@b", false },
	{ "[127.0.0.1]x", false },
	{ "\xc3\xa4", false },
	{ L64, false },
};

static void
domains_by_themselves(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
		if (addr_domain_ok(domains[i].in, strlen(domains[i].in),
			false) != domains[i].ok)
			fail_msg("%s", domains[i].in);
	assert_true(addr_domain_ok("\xc3\xa4", 2, true));
	assert_false(addr_domain_ok("a\0", 2, true));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(its_own_text_is_read_again),
		cmocka_unit_test(every_truncation_ends_well),
		cmocka_unit_test(a_nul_is_no_character),
		cmocka_unit_test(the_longest_of_all_fits),
		cmocka_unit_test(keys_are_folded),
		cmocka_unit_test(domains_by_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Files of trust anchors: what tools write, and what nobody can use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/conf/anchor.h"

#define D256 "06c3f3a0a2b0c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f4051627384950"
#define KEY                                                                    \
	"mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxIL"     \
	"fDLUT0rAK9iUzy1L53eKGQ=="

static int
on_record(void *arg, const char *record)
{
	char *all = arg;

	strcat(all, record);
	strcat(all, "\n");
	return 0;
}

static const struct {
	const char *name, *text, *want; /* NULL: an error that holds why */
	int n;
	const char *why;
} cases[] = {
	{ "ds", "example.org. IN DS 1 13 2 " D256 "\n",
	    "example.org. IN DS 1 13 2 " D256 "\n", 1, NULL },
	{ "no newline, ttl, lower case, words",
	    ". 172800 in ds 20326 8 2 06c3f3a0a2b0c1d2e3f405162738495a "
	    "6b7c8d9eafb0c1d2e3f4051627384950",
	    ". IN ds 20326 8 2 " D256 "\n", 1, NULL },
	{ "dnskey with comments",
	    ";; autotrust\n\n. 3600 IN DNSKEY 257 3 13 " KEY
	    " ;{id = 1 (ksk)}\n",
	    ". IN DNSKEY 257 3 13 " KEY "\n", 1, NULL },
	{ "parentheses, two, carriage returns",
	    "a.b IN DS ( 1 13\r\n 2 ; the digest\r\n " D256 " )\r\n"
	    "c IN DS 2 13 2 " D256 "\r\n",
	    "a.b IN DS 1 13 2 " D256 "\nc IN DS 2 13 2 " D256 "\n", 2, NULL },
	{ "empty", "", NULL, -1, "line 1: there is no DS" },
	{ "comments only", "; a\n\n; b\n", NULL, -1, "there is no DS" },
	{ "another type", "\na. IN A 127.0.0.1\n", NULL, -1, "line 2: not a" },
	{ "name alone", "a.\n", NULL, -1, "line 1: not a" },
	{ "directive", "$ORIGIN a.\n", NULL, -1, "line 1: directives" },
	{ "open", "a. IN DS ( 1 2\n", NULL, -1, "line 1: a parenthesis is" },
	{ "close", "a. IN DS ) 1 2\n", NULL, -1, "line 1: a parenthesis too" },
	{ "short digest", "a. IN DS 1 13 2 abcd\n", NULL, -1, "64 hexa" },
	{ "no digest", "a. IN DS 1 13 2\n", NULL, -1, "a DS record has" },
	{ "tag", "a. IN DS 65536 13 2 " D256 "\n", NULL, -1, "a DS record" },
	{ "no hex",
	    "a. IN DS 1 13 1 g123456789012345678901234567890123456789\n", NULL,
	    -1, "40 hexa" },
	{ "digest type", "a. IN DS 1 13 3 " D256 "\n", NULL, -1,
	    "digest type 3 is not" },
	{ "algorithm", "a. IN DS 1 1 2 " D256 "\n", NULL, -1,
	    "algorithm 1 is not" },
	{ "key algorithm", "a. IN DNSKEY 257 3 99 " KEY "\n", NULL, -1,
	    "algorithm 99 is not" },
	{ "not a zone's key", "a. IN DNSKEY 0 3 13 " KEY "\n", NULL, -1,
	    "no key of a zone" },
	{ "base64", "a. IN DNSKEY 257 3 13 ab!d\n", NULL, -1, "base64" },
	{ "empty label", "a..b. IN DS 1 13 2 " D256 "\n", NULL, -1,
	    "no name of a zone" },
	{ "octets of a name", "a\\032b. IN DS 1 13 2 " D256 "\n", NULL, -1,
	    "no name of a zone" },
	{ "the second is bad", "a. IN DS 1 13 2 " D256 "\na. IN DS 1 13 2 zz\n",
	    NULL, -1, "line 2: " },
};

static void
test_cases(void **ctx)
{
	char got[4096], why[ANCHOR_WHY];
	size_t i;
	int n;

	(void)ctx;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		got[0] = '\0';
		n = anchor_each(cases[i].text, on_record, got, why);
		if (n != cases[i].n ||
		    (cases[i].want != NULL && strcmp(got, cases[i].want)) ||
		    (cases[i].why != NULL && strstr(why, cases[i].why) == NULL))
			fail_msg(
			    "%s: %d \"%s\" (%s)", cases[i].name, n, got, why);
		assert_int_equal(
		    anchor_each(cases[i].text, NULL, NULL, why), n);
	}
}

/* Nothing is read past the end, whatever is cut or too long. */
static void
test_bounds(void **ctx)
{
	const char *whole = cases[3].text;
	size_t i, len = strlen(whole);
	char why[ANCHOR_WHY], *copy;

	(void)ctx;
	for (i = 0; i <= len; i++) {
		copy = strndup(whole, i);
		(void)anchor_each(copy, NULL, NULL, why);
		free(copy);
	}
	copy = malloc(20001);
	memset(copy, 'a', 20000);
	copy[20000] = '\0';
	assert_int_equal(anchor_each(copy, NULL, NULL, why), -1);
	assert_non_null(strstr(why, "too long"));
	for (i = 0; i < 20000; i += 2)
		copy[i] = ' ';
	assert_int_equal(anchor_each(copy, NULL, NULL, why), -1);
	assert_non_null(strstr(why, "too long"));
	free(copy);
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

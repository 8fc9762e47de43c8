/* Targets and the choice of the next address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mta/target.h"

static void
test_targets(void **ctx)
{
	static const struct {
		const char *via;
		uint16_t port;
		const char *domain;
		const char *key; /* NULL: no target */
		enum target_kind kind;
	} cases[] = {
		{ NULL, 0, "Example.ORG", "example.org", TARGET_MX },
		{ NULL, 0, "example.org.", "example.org", TARGET_MX },
		{ NULL, 0, "[192.0.2.1]", "[192.0.2.1]:25", TARGET_LITERAL },
		{ NULL, 0, "[IPv6:2001:DB8::1]", "[2001:db8::1]:25",
		    TARGET_LITERAL },
		{ NULL, 0, "[2001:db8::1", NULL, TARGET_MX },
		{ NULL, 0, "[]", NULL, TARGET_MX },
		{ NULL, 0, "[x]", NULL, TARGET_MX },
		{ NULL, 0, "", NULL, TARGET_MX },
		{ NULL, 0, "a b", NULL, TARGET_MX },
		{ "Smart.example.net", 2525, "x.org", "smart.example.net:2525",
		    TARGET_HOST },
		{ "127.0.0.1", 24000, "x.org", "[127.0.0.1]:24000",
		    TARGET_LITERAL },
		{ "[127.0.0.1]", 24000, "x.org", "[127.0.0.1]:24000",
		    TARGET_LITERAL },
		{ "::1", 25, "x.org", "[::1]:25", TARGET_LITERAL },
		{ "[::1]", 25, "x.org", "[::1]:25", TARGET_LITERAL },
	};
	char longest[TARGET_NAME_MAX + 1];
	struct target t;
	size_t i;

	(void)ctx;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(target_set(&t, cases[i].via, cases[i].port,
				     cases[i].domain, 25),
		    cases[i].key != NULL);
		if (cases[i].key == NULL)
			continue;
		assert_string_equal(t.key, cases[i].key);
		assert_int_equal(t.kind, cases[i].kind);
	}
	memset(longest, 'a', sizeof(longest));
	longest[TARGET_NAME_MAX] = '\0';
	assert_false(target_set(&t, NULL, 0, longest, 25));
	assert_true(target_set(&t, NULL, 0, longest + 1, 25));
}

/* preference, host, connections, live, failures, idle, usable_at, failed_at;
 * now is 1000, the cap 10. */
static const struct {
	const char *name;
	size_t n;
	struct route_address a[4];
	enum route_verdict verdict;
	size_t which;
} picks[] = {
	{ "nothing", 0, { { 0 } }, ROUTE_DEAD, 0 },
	{ "one", 1, { { .preference = 5 } }, ROUTE_OPEN, 0 },
	{ "first of equals", 2, { { .host = 0 }, { .host = 1 } }, ROUTE_OPEN,
	    0 },
	{ "fewest connections", 2,
	    { { .host = 0, .connections = 2 }, { .host = 1 } }, ROUTE_OPEN, 1 },
	{ "idle before fewer", 2,
	    { { .host = 0, .connections = 2, .idle = true }, { .host = 1 } },
	    ROUTE_OPEN, 0 },
	{ "idle at the cap", 1, { { .connections = 10, .idle = true } },
	    ROUTE_OPEN, 0 },
	{ "cap", 1, { { .connections = 10 } }, ROUTE_BUSY, 0 },
	{ "cap over both families", 2,
	    { { .connections = 4, .live = 4 },
		{ .connections = 6, .live = 6 } },
	    ROUTE_BUSY, 0 },
	{ "cap does not spill to a worse preference", 2,
	    { { .preference = 1, .connections = 10, .live = 10 },
		{ .preference = 2, .host = 1 } },
	    ROUTE_BUSY, 0 },
	{ "failed: worse preference", 2,
	    { { .preference = 1,
		  .failures = 1,
		  .usable_at = 2000,
		  .failed_at = 900 },
		{ .preference = 2, .host = 1 } },
	    ROUTE_OPEN, 1 },
	{ "failed: other family", 2,
	    { { .failures = 1, .usable_at = 2000, .failed_at = 900 }, { 0 } },
	    ROUTE_OPEN, 1 },
	{ "failed before: after the sound one", 2,
	    { { .failures = 1, .usable_at = 500, .failed_at = 400 },
		{ .connections = 3, .live = 3 } },
	    ROUTE_OPEN, 1 },
	{ "rested: probed again", 1,
	    { { .failures = 4, .usable_at = 1000, .failed_at = 900 } },
	    ROUTE_OPEN, 0 },
	{ "one probe at a time", 1,
	    { { .failures = 4,
		.connections = 1,
		.usable_at = 900,
		.failed_at = 800 } },
	    ROUTE_BUSY, 0 },
	{ "while probing the next one is used", 2,
	    { { .preference = 1,
		  .failures = 4,
		  .connections = 1,
		  .failed_at = 800 },
		{ .preference = 2, .host = 1 } },
	    ROUTE_OPEN, 1 },
	{ "refuses more, but some are live", 2,
	    { { .preference = 1,
		  .failures = 1,
		  .connections = 2,
		  .live = 2,
		  .usable_at = 2000,
		  .failed_at = 990 },
		{ .preference = 2, .host = 1 } },
	    ROUTE_BUSY, 0 },
	{ "refuses one while others are being opened", 1,
	    { { .failures = 1,
		.connections = 2,
		.usable_at = 2000,
		.failed_at = 990 } },
	    ROUTE_BUSY, 0 },
	{ "all dead: the last one that failed", 3,
	    { { .failures = 1, .usable_at = 2000, .failed_at = 900 },
		{ .failures = 1, .usable_at = 2000, .failed_at = 950 },
		{ .preference = 7,
		    .host = 1,
		    .failures = 1,
		    .usable_at = 2000,
		    .failed_at = 800 } },
	    ROUTE_DEAD, 1 },
};

static void
test_pick(void **ctx)
{
	size_t i, which;

	(void)ctx;
	for (i = 0; i < sizeof(picks) / sizeof(picks[0]); i++) {
		which = 0;
		if (route_pick(picks[i].a, picks[i].n, 10, 1000, &which) !=
			picks[i].verdict ||
		    which != picks[i].which)
			fail_msg("%s: %zu", picks[i].name, which);
	}
}

static void
test_rest(void **ctx)
{
	(void)ctx;
	assert_int_equal(route_rest(1), 1000);
	assert_int_equal(route_rest(2), 2000);
	assert_int_equal(route_rest(5), 16000);
	assert_int_equal(route_rest(6), 30000);
	assert_int_equal(route_rest(60000), 30000);
}

static void
test_own(void **ctx)
{
	static const uint16_t pref[] = { 5, 10, 10, 20 };
	static const struct {
		bool own[4];
		size_t left;
	} cases[] = {
		{ { false, false, false, false }, 4 },
		{ { true, false, false, false }, 0 },
		{ { false, true, false, false }, 1 },
		{ { false, false, true, false }, 1 },
		{ { false, false, false, true }, 3 },
	};
	size_t i;

	(void)ctx;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
		    target_cut_own(pref, cases[i].own, 4), cases[i].left);
	assert_int_equal(target_cut_own(pref, cases[0].own, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_pick),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

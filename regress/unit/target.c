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
		cmocka_unit_test(test_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

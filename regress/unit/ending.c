/* What an agent's end means. A status of waitpid() is code << 8 | signal on
 * every system there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "daemon/mda/ending.h"

static const struct {
	int64_t status;
	const char *said;
	enum carry_result result;
	const char *want;
} cases[] = {
	{ 0, "", CARRY_DONE, "250 2.0.0 delivered to mbox" },
	{ 0, "5.1.1 no\n", CARRY_DONE, "250 2.0.0 delivered to mbox" },
	{ 75 << 8, "4.2.2 over quota\n", CARRY_LATER, "451 4.2.2 over quota" },
	{ 75 << 8, "5.2.2 over quota\n", CARRY_LATER, "451 4.3.0 over quota" },
	{ 75 << 8, "", CARRY_LATER, "451 4.3.0 mbox ended with code 75" },
	{ 65 << 8, "5.4.6 mail loop: x\nmore\n", CARRY_NEVER,
	    "550 5.4.6 mail loop: x" },
	{ 65 << 8, "4.4.6 mail loop", CARRY_NEVER, "550 5.3.0 mail loop" },
	{ 67 << 8, "nobody here\r\n", CARRY_NEVER, "550 5.3.0 nobody here" },
	{ 64 << 8, "", CARRY_NEVER, "550 5.3.0 mbox ended with code 64" },
	{ 68 << 8, "x", CARRY_NEVER, "550 5.3.0 x" },
	{ 73 << 8, "x", CARRY_NEVER, "550 5.3.0 x" },
	{ 77 << 8, "x", CARRY_NEVER, "550 5.3.0 x" },
	{ 1 << 8, "x", CARRY_LATER, "451 4.3.0 x" },
	{ 69 << 8, "x", CARRY_LATER, "451 4.3.0 x" },
	{ 70 << 8, "5.9.9 x", CARRY_LATER, "451 4.3.0 x" },
	{ 127 << 8, "x", CARRY_LATER, "451 4.3.0 x" },
	{ 9, "5.1.1 x", CARRY_LATER, "451 4.3.0 mbox was ended by signal 9" },
	{ 11 | 0x80, "", CARRY_LATER, "451 4.3.0 mbox was ended by signal 11" },
	{ 75 << 8,
	    "4.3.0 a\x01"
	    "b\xff\x1b[m",
	    CARRY_LATER, "451 4.3.0 a\\x01b\\xff\\x1b[m" },
};

static void
test_exits(void **state)
{
	struct ending e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ending_of_exit(&e, cases[i].status, cases[i].said, "mbox");
		if (e.result != cases[i].result ||
		    strcmp(e.status, cases[i].want) != 0)
			fail_msg("%d '%s': %d %s", (int)cases[i].status,
			    cases[i].said, (int)e.result, e.status);
	}
}

static void
test_start(void **state)
{
	struct ending e;

	(void)state;
	ending_of_start(&e, "5.1.1 no such user ann");
	assert_int_equal(e.result, CARRY_NEVER);
	assert_string_equal(e.status, "550 5.1.1 no such user ann");
	ending_of_start(&e, "4.3.0 fork: no memory");
	assert_int_equal(e.result, CARRY_LATER);
	assert_string_equal(e.status, "451 4.3.0 fork: no memory");
	ending_of_start(&e, "something");
	assert_int_equal(e.result, CARRY_LATER);
	assert_string_equal(e.status, "451 4.3.0 something");
}

static void
test_endless(void **state)
{
	static char said[5000];
	struct ending e;

	(void)state;
	memset(said, '\x01', sizeof(said) - 1);
	ending_of_exit(&e, 75 << 8, said, "mbox");
	assert_true(strlen(e.status) < sizeof(e.status));
	assert_memory_equal(e.status, "451 4.3.0 \\x01\\x01", 18);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exits),
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_endless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

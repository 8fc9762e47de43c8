/* The line of a progress bar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cli/progress.h"

static void
lines(void **state)
{
	static const struct {
		unsigned width;
		uint64_t items, total, octets, ms;
		const char *want;
	} cases[] = {
		{ 60, 50, 100, 0, 1000, "x  50% 50/100  50/s  1s left" },
		{ 80, 50, 100, 0, 1000,
		    "x  50% [##########          ] 50/100  50/s  1s left" },
		{ 60, 50, 0, 0, 500, "x 50  100/s" },
		{ 60, 10, 10, 20480, 1000,
		    "x 100% 10/10  10/s  20K/s  0s left" },
		{ 60, 0, 10, 0, 0, "x   0% 0/10  0/s" },
		{ 60, 12, 10, 0, 1000, "x 100% 12/12  12/s  0s left" },
		{ 8, 50, 100, 0, 1000, "x  50% 5" },
	};
	char line[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		progress_print(line, sizeof(line), cases[i].width, "x",
		    cases[i].items, cases[i].total, cases[i].octets,
		    cases[i].ms);
		assert_string_equal(line, cases[i].want);
	}
}

static void
silent_where_there_is_no_terminal(void **state)
{
	FILE *to = tmpfile();
	struct progress *p = progress_new(to, "x", 10, true);

	(void)state;
	progress_add(p, 4, 100);
	progress_add(p, 5, 11);
	assert_int_equal(progress_items(p), 9);
	assert_int_equal(progress_octets(p), 111);
	progress_free(p);
	assert_int_equal(ftell(to), 0);
	fclose(to);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(silent_where_there_is_no_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "queue/spread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
nothing_yet(void **state)
{
	struct spread s = { 0 };

	(void)state;
	assert_int_equal(spread_percentile(&s, 50), 0);
	assert_int_equal(spread_percentile(&s, 99), 0);
}

/* Alone, a value is all percentiles, whatever its size. */
static void
one_value(void **state)
{
	static const uint64_t values[] = { 0, 1, 15, 16, 17, 31, 32, 33, 63, 64,
		1000, 65535, 65536, UINT32_MAX, UINT64_C(1) << 34, UINT64_MAX };
	struct spread s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		memset(&s, 0, sizeof(s));
		spread_add(&s, values[i]);
		assert_int_equal(s.n, 1);
		assert_true(spread_percentile(&s, 0) == values[i]);
		assert_true(spread_percentile(&s, 50) == values[i]);
		assert_true(spread_percentile(&s, 100) == values[i]);
		assert_true(s.max == values[i]);
	}
}

static void
against_a_sorted_list(void **state)
{
	static uint64_t v[5000];
	struct spread s = { 0 };
	uint64_t seed = 42, want, got;
	size_t i, n = sizeof(v) / sizeof(v[0]);
	unsigned percent;

	(void)state;
	for (i = 0; i < n; i++) {
		seed =
		    seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		v[i] = (seed >> 32) >> (seed >> 59);
		spread_add(&s, v[i]);
	}
	qsort(v, n, sizeof(v[0]), compare);
	for (percent = 1; percent <= 100; percent++) {
		want = v[(n * percent + 99) / 100 - 1];
		got = spread_percentile(&s, percent);
		if (got < want || got > want + want / 16)
			fail_msg("p%u is %llu, not %llu", percent,
			    (unsigned long long)got, (unsigned long long)want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_yet),
		cmocka_unit_test(one_value),
		cmocka_unit_test(against_a_sorted_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

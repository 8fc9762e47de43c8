#include "lib/mail/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define T0 INT64_C(1795353669)

static void
steps_are_squares(void **state)
{
	static const int64_t want[] = { 400, 1600, 3600, 6400, 10000 };
	unsigned i;

	(void)state;
	for (i = 0; i < 5; i++) {
		assert_int_equal(
		    backoff_next(T0, T0 + (i == 0 ? 0 : want[i - 1]), i + 1,
			BACKOFF_RELAY) -
			T0,
		    want[i]);
	}
}

static void
a_four_day_life_has_29_relay_attempts(void **state)
{
	int64_t now = T0;
	unsigned tries = 0;

	(void)state;
	for (; now < T0 + 4 * 86400; tries++)
		now = backoff_next(T0, now, tries + 1, BACKOFF_RELAY);
	assert_int_equal(tries - 1, 29);
}

/* By counting up, as the contract says it. */
static int64_t
slowly(int64_t arrived, int64_t now, unsigned tries, unsigned base)
{
	int64_t n = tries;

	if (arrived > now)
		arrived = now;
	while (arrived + base * n * n <= now)
		n++;
	return arrived + base * n * n;
}

static void
agrees_with_counting_up(void **state)
{
	static const unsigned bases[] = { 1, 7, BACKOFF_LOCAL, BACKOFF_RELAY };
	int64_t age;
	unsigned i, tries;

	(void)state;
	for (i = 0; i < 4; i++)
		for (tries = 1; tries < 40; tries += 3)
			for (age = -5; age < 20000; age += 37)
				assert_int_equal(
				    backoff_next(T0, T0 + age, tries, bases[i]),
				    slowly(T0, T0 + age, tries, bases[i]));
}

static void
always_in_the_future(void **state)
{
	static const int64_t ages[] = { -1000000, -1, 0, 1, 399, 400, 401, 1599,
		1600, 86400, 345600, 1795353669, INT64_C(1) << 40 };
	unsigned i, tries;

	(void)state;
	for (i = 0; i < sizeof(ages) / sizeof(ages[0]); i++)
		for (tries = 0; tries < 70; tries++)
			assert_true(backoff_next(T0, T0 + ages[i], tries,
					BACKOFF_RELAY) > T0 + ages[i]);
	assert_true(backoff_next(T0, T0, UINT32_MAX, UINT32_MAX) > T0);
	assert_true(backoff_next(0, T0, 1, 0) > T0);
	assert_int_equal(backoff_next(T0 + 500, T0, 1, 400), T0 + 400);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_are_squares),
		cmocka_unit_test(a_four_day_life_has_29_relay_attempts),
		cmocka_unit_test(agrees_with_counting_up),
		cmocka_unit_test(always_in_the_future),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The heap of timers against a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/mta/timer.h"

#define TIMERS 200
#define ROUNDS 20000

static uint64_t
least(const struct timer *t)
{
	uint64_t at = UINT64_MAX;
	size_t i;

	for (i = 0; i < TIMERS; i++)
		if (t[i].place != 0 && t[i].at < at)
			at = t[i].at;
	return at;
}

static void
test_order(void **ctx)
{
	struct timer t[TIMERS] = { 0 }, *due;
	struct timers all = { 0 };
	uint64_t now = 0;
	unsigned seed = 7, i;
	int k;

	(void)ctx;
	for (i = 0; i < ROUNDS; i++) {
		k = rand_r(&seed) % TIMERS;
		switch (rand_r(&seed) % 4) {
		case 0:
			timer_clear(&all, &t[k]);
			assert_int_equal(t[k].place, 0);
			break;
		case 1:
			now += (uint64_t)(rand_r(&seed) % 50);
			while ((due = timer_due(&all, now)) != NULL) {
				assert_true(due->at <= now);
				assert_true(due->at <= least(t));
				assert_int_equal(due->place, 0);
			}
			assert_true(least(t) > now);
			break;
		default:
			timer_set(&all, &t[k],
			    now + (uint64_t)(rand_r(&seed) % 1000));
		}
		assert_int_equal(timer_next(&all), least(t));
	}
	timers_clear(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

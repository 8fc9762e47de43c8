/* cache: bounded, right after a change, and what is used stays. */
#include "queue/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
keep(struct cache *c, uint64_t evpid, uint64_t now, const char *text)
{
	cache_put(c, evpid, cache_expect(c, evpid, now), text, strlen(text));
}

static void
holds(struct cache *c, uint64_t evpid, uint64_t now, const char *text)
{
	size_t len = 0;
	const char *got = cache_get(c, evpid, now, &len);

	if (text == NULL) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	assert_int_equal(len, strlen(text));
	assert_string_equal(got, text);
}

static void
keeps_and_drops(void **state)
{
	struct cache *c = cache_new(4096);

	(void)state;
	holds(c, 1, 0, NULL);
	keep(c, 1, 0, "one");
	keep(c, 2, 0, "");
	holds(c, 1, 0, "one");
	holds(c, 2, 0, "");
	cache_drop(c, 1);
	cache_drop(c, 3);
	holds(c, 1, 0, NULL);
	holds(c, 2, 0, "");
	cache_drop(c, 2);
	assert_int_equal(cache_octets(c), 0);
	cache_free(c);
	cache_free(NULL);
}

/* What was read before a change must not come back after it. */
static void
a_change_meanwhile(void **state)
{
	struct cache *c = cache_new(4096);
	uint64_t old, fresh;

	(void)state;
	old = cache_expect(c, 7, 0);
	holds(c, 7, 0, NULL);
	cache_drop(c, 7);
	cache_put(c, 7, old, "old", 3);
	holds(c, 7, 0, NULL);

	old = cache_expect(c, 7, 0);
	cache_drop(c, 7);
	fresh = cache_expect(c, 7, 0);
	cache_put(c, 7, old, "old", 3);
	holds(c, 7, 0, NULL);
	cache_put(c, 7, fresh, "new", 3);
	holds(c, 7, 0, "new");

	/* Two readers of one file: the first to come is kept. */
	old = cache_expect(c, 8, 0);
	assert_int_equal(old, cache_expect(c, 8, 0));
	cache_put(c, 8, old, "a", 1);
	cache_put(c, 8, old, "b", 1);
	holds(c, 8, 0, "a");
	cache_free(c);
}

static void
stays_within_its_bound(void **state)
{
	static char text[1000];
	struct cache *c = cache_new(20000);
	uint64_t i;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	for (i = 1; i <= 1000; i++) {
		keep(c, i, 0, text);
		assert_true(cache_octets(c) <= 20000);
		if (i > 1)
			holds(c, 1, 0, text); /* in use all the time */
	}
	holds(c, 1000, 0, text);
	holds(c, 500, 0, NULL);
	for (i = 2000; i < 4000; i++) {
		(void)cache_expect(c, i, 0); /* never read */
		assert_true(cache_octets(c) <= 20000);
	}
	cache_free(c);

	/* What is larger than all of it is not kept. */
	c = cache_new(500);
	keep(c, 1, 0, text);
	holds(c, 1, 0, NULL);
	assert_int_equal(cache_octets(c), 0);
	cache_free(c);
}

static void
nothing_stays_for_ever(void **state)
{
	struct cache *c = cache_new(4096);

	(void)state;
	keep(c, 1, 1000, "one");
	holds(c, 1, 1000 + CACHE_LIFE_MS - 1, "one");
	holds(c, 1, 1000 + CACHE_LIFE_MS, NULL);
	assert_int_equal(cache_octets(c), 0);
	cache_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_and_drops),
		cmocka_unit_test(a_change_meanwhile),
		cmocka_unit_test(stays_within_its_bound),
		cmocka_unit_test(nothing_stays_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

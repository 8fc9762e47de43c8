/* What is known of remote addresses: shared entries, rest after failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mta/host.h"

static const uint8_t four[16] = { 192, 0, 2, 1 };
static const uint8_t six[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

static void
test_entries(void **ctx)
{
	struct hosts *hs = hosts_new();
	struct host *a = host_get(hs, "mx.example.org", 4, four, 25);
	struct host *b = host_get(hs, "mx2.example.org", 4, four, 25);
	struct host *c = host_get(hs, "mx.example.org", 4, four, 26);
	struct host *d = host_get(hs, "2001:db8::1", 6, six, 25);
	size_t at = 0, n = 0;

	(void)ctx;
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_string_equal(a->label, "mx2.example.org [192.0.2.1]");
	assert_string_equal(c->label, "mx.example.org [192.0.2.1]:26");
	assert_string_equal(d->label, "[2001:db8::1]");
	assert_true(host_same(a, &b->addr));
	assert_false(host_same(a, &c->addr));
	assert_false(host_same(a, &d->addr));
	while (hosts_next(hs, &at) != NULL)
		n++;
	assert_int_equal(n, 3);
	host_release(hs, a);
	host_release(hs, b);
	host_release(hs, c);
	host_release(hs, d);
	/* It is remembered. */
	assert_ptr_equal(host_get(hs, "mx.example.org", 4, four, 25), a);
	host_release(hs, a);
	hosts_free(hs);
}

static void
test_bound(void **ctx)
{
	struct hosts *hs = hosts_new();
	uint8_t octets[16] = { 10 };
	size_t at = 0, n = 0, i;

	(void)ctx;
	for (i = 0; i < HOST_MAX + 100; i++) {
		octets[1] = (uint8_t)(i >> 8);
		octets[2] = (uint8_t)i;
		host_release(hs, host_get(hs, "x", 4, octets, 25));
	}
	while (hosts_next(hs, &at) != NULL)
		n++;
	assert_int_equal(n, HOST_MAX);
	hosts_free(hs);
}

static void
test_rest(void **ctx)
{
	struct hosts *hs = hosts_new();
	struct host *h = host_get(hs, "mx", 4, four, 25);

	(void)ctx;
	host_failed(h, "451 one", 10000, 500);
	assert_int_equal(h->failures, 1);
	assert_int_equal(host_usable_at(h, 500), 11000);
	/* Another one that was opened together with it. */
	host_failed(h, "451 two", 10001, 500);
	assert_int_equal(h->failures, 1);
	assert_int_equal(host_usable_at(h, 500), 11000);
	assert_string_equal(h->error, "451 two");
	/* Probed, and failed again. */
	host_failed(h, "451 three", 11000, 501);
	assert_int_equal(h->failures, 2);
	assert_int_equal(host_usable_at(h, 501), 13000);
	/* The wall clock jumps: what is due is tried. */
	assert_int_equal(host_usable_at(h, 1000), 0);
	/* One that refuses more while some are live has not failed. */
	host_works(h);
	h->live = 1;
	host_failed(h, "421 four", 20000, 2000);
	assert_int_equal(h->failures, 0);
	assert_int_equal(host_usable_at(h, 2000), 21000);
	host_release(hs, h);
	hosts_free(hs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

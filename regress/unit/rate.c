#include "daemon/net/rate.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct sockaddr_storage
from(const char *text)
{
	struct sockaddr_storage ss;
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;

	memset(&ss, 0, sizeof(ss));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
		ss.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
		ss.ss_family = AF_INET6;
	else
		fail_msg("%s", text);
	return ss;
}

static bool
take(struct rate *r, const char *text, unsigned max)
{
	struct sockaddr_storage ss = from(text);

	return rate_take(r, (struct sockaddr *)&ss, max);
}

static void
give(struct rate *r, const char *text)
{
	struct sockaddr_storage ss = from(text);

	rate_give(r, (struct sockaddr *)&ss);
}

static void
counts_by_network(void **state)
{
	struct rate *r = rate_new();

	(void)state;
	assert_true(take(r, "192.0.2.1", 2));
	assert_true(take(r, "192.0.2.1", 2));
	assert_false(take(r, "192.0.2.1", 2));
	assert_true(take(r, "192.0.2.2", 2));
	give(r, "192.0.2.1");
	assert_true(take(r, "192.0.2.1", 2));
	assert_false(take(r, "192.0.2.1", 2));

	assert_true(take(r, "2001:db8:0:1::1", 2));
	assert_true(take(r, "2001:db8:0:1:ffff::2", 2));
	assert_false(take(r, "2001:db8:0:1::3", 2));
	assert_true(take(r, "2001:db8:0:2::3", 2));
	assert_true(take(r, "::1", 1));
	assert_true(take(r, "0.0.0.0", 1));
	rate_free(r);
}

static void
forgets_who_left(void **state)
{
	struct rate *r = rate_new();
	int round;

	(void)state;
	for (round = 0; round < 1000; round++) {
		assert_true(take(r, "198.51.100.9", 1));
		assert_false(take(r, "198.51.100.9", 1));
		give(r, "198.51.100.9");
	}
	assert_false(take(r, "198.51.100.9", 0));
	rate_free(r);
}

static void
deadlines(void **state)
{
	(void)state;
	assert_int_equal(rate_deadline(5, 0), 60005);
	assert_int_equal(rate_deadline(0, 99), 60990);
	assert_int_equal(rate_deadline(0, 100), 61000);
	assert_int_equal(rate_deadline(0, 100000), 1060000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_by_network),
		cmocka_unit_test(forgets_who_left),
		cmocka_unit_test(deadlines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The reply parser: what hosts say, in pieces of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mta/reply.h"

static const struct {
	const char *in;
	enum reply_state state;
	const char *status;
	const char *rest;
} cases[] = {
	{ "250 ok\r\n", REPLY_WHOLE, "250 2.0.0 ok", "" },
	{ "250 2.1.5 ok\r\n", REPLY_WHOLE, "250 2.1.5 ok", "" },
	{ "250\r\n", REPLY_WHOLE, "250 2.0.0", "" },
	{ "250 \r\n", REPLY_WHOLE, "250 2.0.0", "" },
	{ "250\n", REPLY_WHOLE, "250 2.0.0", "" },
	{ "550 no\n", REPLY_WHOLE, "550 5.0.0 no", "" },
	{ "550 4.1.1 odd\r\n", REPLY_WHOLE, "550 5.0.0 4.1.1 odd", "" },
	{ "250 a\r\n354 b\r\n", REPLY_WHOLE, "250 2.0.0 a", "354 b\r\n" },
	{ "550-5.1.1 no such\r\n550-5.1.1 user\r\n550 5.1.1 here\r\n",
	    REPLY_WHOLE, "550 5.1.1 no such user here", "" },
	{ "550-a\r\n550-\r\n550 b\r\n", REPLY_WHOLE, "550 5.0.0 a b", "" },
	{ "250-a\r\n450 b\r\n", REPLY_WHOLE, "450 4.0.0 a b", "" },
	{ "421 a\rb\r\n", REPLY_WHOLE, "421 4.0.0 a\\x0db", "" },
	{ "421 \x1b[2J\x01\r\n", REPLY_WHOLE, "421 4.0.0 \\x1b[2J\\x01", "" },
	{ "421 \xff\r\n", REPLY_WHOLE, "421 4.0.0 \\xff", "" },
	{ "354 go on\r\n", REPLY_WHOLE, "354 go on", "" },
	{ "250", REPLY_MORE, NULL, "" },
	{ "250-a\r\n", REPLY_MORE, NULL, "" },
	{ "250 a\r", REPLY_MORE, NULL, "" },
	{ "", REPLY_MORE, NULL, "" },
	{ "25\r\n", REPLY_BAD, NULL, NULL },
	{ "\r\n", REPLY_BAD, NULL, NULL },
	{ "250_a\r\n", REPLY_BAD, NULL, NULL },
	{ "199 a\r\n", REPLY_BAD, NULL, NULL },
	{ "600 a\r\n", REPLY_BAD, NULL, NULL },
	{ "hello\r\n", REPLY_BAD, NULL, NULL },
	{ "250-a\r\nb\r\n", REPLY_BAD, NULL, NULL },
	{ "HTTP/1.1 400 Bad Request\r\n", REPLY_BAD, NULL, NULL },
};

static enum reply_state
feed_by(struct reply *r, const char *in, size_t piece, size_t *used)
{
	enum reply_state state = REPLY_MORE;
	size_t len = strlen(in), at = 0, n, took;

	reply_init(r);
	while (at < len && state == REPLY_MORE) {
		n = len - at < piece ? len - at : piece;
		state = reply_feed(r, in + at, n, &took);
		at += took;
	}
	*used = at;
	return state;
}

static void
test_cases(void **ctx)
{
	char status[REPLY_STATUS_MAX];
	static struct reply r;
	size_t i, piece, used;

	(void)ctx;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (piece = 1; piece < 40; piece++) {
			assert_int_equal(feed_by(&r, cases[i].in, piece, &used),
			    cases[i].state);
			if (cases[i].rest != NULL)
				assert_string_equal(
				    cases[i].in + used, cases[i].rest);
			if (cases[i].status != NULL)
				assert_string_equal(
				    reply_status(status, &r), cases[i].status);
		}
}

/* A host that never ends its reply is cut off; one that talks at length is
 * understood, with what was kept. */
static void
test_long(void **ctx)
{
	static struct reply r;
	char status[REPLY_STATUS_MAX], nul[] = "250 a\0b\r\n";
	enum reply_state state = REPLY_MORE;
	size_t used, i;

	(void)ctx;
	reply_init(&r);
	assert_int_equal(reply_feed(&r, "250-", 4, &used), REPLY_MORE);
	for (i = 0; i < 100000; i++)
		assert_int_equal(
		    reply_feed(&r, "0123456789", 10, &used), REPLY_MORE);
	assert_int_equal(reply_feed(&r, "\r\n", 2, &used), REPLY_MORE);
	assert_true(r.len <= REPLY_TEXT_MAX);
	assert_int_equal(reply_feed(&r, "250 end\r\n", 9, &used), REPLY_WHOLE);
	assert_true(strlen(reply_status(status, &r)) < REPLY_STATUS_MAX);
	assert_memory_equal(status, "250 2.0.0 0123", 14);

	reply_init(&r);
	for (i = 0; i < REPLY_LINES_MAX + 2 && state == REPLY_MORE; i++)
		state = reply_feed(&r, "250-x\r\n", 7, &used);
	assert_int_equal(state, REPLY_BAD);
	assert_true(i > REPLY_LINES_MAX / 2);

	reply_init(&r);
	assert_int_equal(
	    reply_feed(&r, nul, sizeof(nul) - 1, &used), REPLY_WHOLE);
	assert_string_equal(reply_status(status, &r), "250 2.0.0 a?b");
}

static void
test_ehlo(void **ctx)
{
	static const struct {
		const char *in;
		bool pipelining, eight, size;
		uint64_t limit;
	} hosts[] = {
		{ "250 mx\r\n", false, false, false, 0 },
		{ "250 PIPELINING\r\n", false, false, false, 0 },
		{ "250-mx\r\n250-PIPELINING\r\n250-8bitmime\r\n250 SIZE 1000"
		  "\r\n",
		    true, true, true, 1000 },
		{ "250-mx\r\n250 SIZE\r\n", false, false, true, 0 },
		{ "250-mx\r\n250 SIZE 0\r\n", false, false, true, 0 },
		{ "250-mx\r\n250 SIZE x\r\n", false, false, true, 0 },
		{ "250-mx\r\n250 SIZE 99999999999999999999999999\r\n", false,
		    false, true, 0 },
		{ "250-mx\r\n250 PIPELININGS\r\n", false, false, false, 0 },
	};
	static struct reply r;
	struct reply_ehlo e;
	size_t i, used;

	(void)ctx;
	for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		assert_int_equal(
		    feed_by(&r, hosts[i].in, 7, &used), REPLY_WHOLE);
		reply_ehlo(&e, &r);
		assert_int_equal(e.pipelining, hosts[i].pipelining);
		assert_int_equal(e.eightbitmime, hosts[i].eight);
		assert_int_equal(e.size, hosts[i].size);
		assert_int_equal(e.size_limit, hosts[i].limit);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_ehlo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

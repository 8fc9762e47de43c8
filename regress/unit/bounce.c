/* What the buffer allows. The contents are read by regress/spool/bounce.t. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "daemon/spooler/bounce.h"

static const struct bounce_failure failures[] = {
	{ "ann@example.net", NULL, "550 5.1.1 no such user", "mx.example.net",
	    1, false },
	{ "bob@example.net", "carl@example.org", "", "", 0, true },
};
static const char header[] = "Subject: x\r\n\r\n";
static const struct bounce facts = {
	.hostname = "mx.example.org",
	.msgid = 1,
	.original = 2,
	.sender = "s@example.com",
	.failures = failures,
	.n = 2,
	.header = header,
	.header_len = sizeof(header) - 1,
};

static void
test_every_limit(void **state)
{
	struct buf *whole = buf_new(64 * 1024), *b;
	size_t max;

	(void)state;
	assert_int_equal(bounce_write(&facts, whole), 0);
	for (max = 0; max < buf_len(whole); max++) {
		b = buf_new(max + 3);
		assert_int_equal(buf_puts(b, "abc"), 0);
		if (bounce_write(&facts, b) != -1)
			fail_msg("fits %zu octets", max);
		assert_int_equal(buf_len(b), 3);
		buf_free(b);
	}
	b = buf_new(buf_len(whole) + 3);
	assert_int_equal(buf_puts(b, "abc"), 0);
	assert_int_equal(bounce_write(&facts, b), 0);
	assert_memory_equal(buf_text(b), "abc", 3);
	assert_memory_equal(buf_data(b) + 3, buf_data(whole), buf_len(whole));
	buf_free(b);
	buf_free(whole);
}

static void
test_no_header(void **state)
{
	struct buf *b = buf_new(64 * 1024);
	struct bounce in = facts;

	(void)state;
	in.header = NULL;
	in.header_len = 0;
	assert_int_equal(bounce_write(&in, b), 0);
	assert_non_null(strstr(buf_text(b), "text/rfc822-headers"));
	buf_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_limit),
		cmocka_unit_test(test_no_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The messages of the control socket: round trips, truncations, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/log.h"
#include "lib/proto/ctl.h"

static struct buf *
sample(enum ctl_type type)
{
	static const struct ctl_hello hello = { CTL_VERSION, "smtpctl", "mx1" };
	static const struct ctl_request request = { "show queue", "why",
		CTL_STICKY, 2 };
	static const struct ctl_row row = { (const uint8_t *)"abc", 3 };
	static const struct ctl_line line = { TRACE_MTA, 1795262282123, "x" };
	static const struct ctl_lost lost = { 7 };
	static const struct ctl_end end = { 2, 10, 3, "three in flight" };
	struct buf *b = buf_new(4096);

	switch (type) {
	case CTL_HELLO:
		ctl_hello_put(b, &hello);
		break;
	case CTL_REQUEST:
		ctl_request_put(b, &request);
		pack_str(b, "one");
		pack_str(b, "two");
		break;
	case CTL_ROW:
		ctl_row_put(b, &row);
		break;
	case CTL_LINE:
		ctl_line_put(b, &line);
		break;
	case CTL_LOST:
		ctl_lost_put(b, &lost);
		break;
	case CTL_END:
		ctl_end_put(b, &end);
		break;
	}
	return b;
}

static int
decode(enum ctl_type type, const void *data, size_t len)
{
	struct ctl_hello hello;
	struct ctl_request request;
	struct ctl_row row;
	struct ctl_line line;
	struct ctl_lost lost;
	struct ctl_end end;
	struct unpack u;

	unpack_init(&u, data, len);
	switch (type) {
	case CTL_HELLO:
		return ctl_hello_get(&u, &hello);
	case CTL_REQUEST:
		if (ctl_request_get(&u, &request) == -1)
			return -1;
		while (request.n-- > 0)
			unpack_str(&u);
		return unpack_done(&u);
	case CTL_ROW:
		return ctl_row_get(&u, &row);
	case CTL_LINE:
		return ctl_line_get(&u, &line);
	case CTL_LOST:
		return ctl_lost_get(&u, &lost);
	case CTL_END:
		return ctl_end_get(&u, &end);
	}
	return -1;
}

static void
every_truncation_and_one_more(void **state)
{
	static const enum ctl_type types[] = { CTL_HELLO, CTL_REQUEST, CTL_ROW,
		CTL_LINE, CTL_LOST, CTL_END };
	struct buf *b;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		b = sample(types[i]);
		assert_int_equal(decode(types[i], buf_data(b), buf_len(b)), 0);
		for (len = 0; len < buf_len(b); len++)
			if (decode(types[i], buf_data(b), len) != -1)
				fail_msg("type %x passed with %zu octets",
				    types[i], len);
		buf_put(b, "b", 1);
		assert_int_equal(decode(types[i], buf_data(b), buf_len(b)), -1);
		buf_free(b);
	}
}

static void
fields_come_back(void **state)
{
	struct buf *b = sample(CTL_REQUEST);
	struct ctl_request r;
	struct ctl_line line;
	struct ctl_end end;
	struct unpack u;

	(void)state;
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_int_equal(ctl_request_get(&u, &r), 0);
	assert_string_equal(r.command, "show queue");
	assert_string_equal(r.reason, "why");
	assert_int_equal(r.flags, CTL_STICKY);
	assert_int_equal(r.n, 2);
	assert_string_equal(unpack_str(&u), "one");
	assert_string_equal(unpack_str(&u), "two");
	assert_int_equal(unpack_done(&u), 0);
	buf_free(b);

	b = sample(CTL_LINE);
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_int_equal(ctl_line_get(&u, &line), 0);
	assert_int_equal(line.sub, TRACE_MTA);
	assert_int_equal(line.when, 1795262282123);
	buf_free(b);

	b = sample(CTL_END);
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_int_equal(ctl_end_get(&u, &end), 0);
	assert_int_equal(end.status, 2);
	assert_int_equal(end.done, 10);
	assert_int_equal(end.skipped, 3);
	assert_string_equal(end.text, "three in flight");
	buf_free(b);
}

static void
out_of_bounds(void **state)
{
	struct ctl_request many = { "x", "", 0, CTL_ARGS_MAX };
	struct ctl_request flagged = { "x", "", CTL_FLAGS + 1, 0 };
	struct ctl_line sub = { TRACE_SUBS, 0, "" };
	struct ctl_request r;
	struct ctl_line line;
	struct buf *b = buf_new(256);
	struct unpack u;

	(void)state;
	ctl_request_put(b, &many);
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_int_equal(ctl_request_get(&u, &r), 0);
	many.n++;
	buf_reset(b);
	ctl_request_put(b, &many);
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_int_equal(ctl_request_get(&u, &r), -1);
	buf_reset(b);
	ctl_request_put(b, &flagged);
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_int_equal(ctl_request_get(&u, &r), -1);
	buf_reset(b);
	ctl_line_put(b, &sub);
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_int_equal(ctl_line_get(&u, &line), -1);
	buf_free(b);
}

static void
another_version_is_understood_so_far(void **state)
{
	struct ctl_hello hello;
	struct buf *b = buf_new(256);
	struct unpack u;

	(void)state;
	pack_u32(b, CTL_VERSION + 1);
	pack_bool(b, true); /* whatever comes after it */
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_int_equal(ctl_hello_get(&u, &hello), 0);
	assert_int_equal(hello.version, CTL_VERSION + 1);
	buf_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_truncation_and_one_more),
		cmocka_unit_test(fields_come_back),
		cmocka_unit_test(out_of_bounds),
		cmocka_unit_test(another_version_is_understood_so_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

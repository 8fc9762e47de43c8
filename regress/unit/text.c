#include "lib/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *in, *quoted, *printable;
} shown[] = {
	{ "plain", "plain", "plain" },
	{ "", "\"\"", "" },
	{ "two words", "\"two words\"", "two words" },
	{ "a\"b", "a\\x22b", "a\"b" },
	{ "a\\b", "a\\x5cb", "a\\b" },
	{ "a\nb", "a\\x0ab", "a\\x0ab" },
	{ "\x1b[2J", "\\x1b[2J", "\\x1b[2J" },
	{ "\x7f", "\\x7f", "\\x7f" },
	{ "\xc3\xa4", "\xc3\xa4", "\xc3\xa4" },
	{ "\xe4", "\\xe4", "\\xe4" },
	{ "\xc3", "\\xc3", "\\xc3" },
	{ "\xc0\xaf", "\\xc0\\xaf", "\\xc0\\xaf" },
	{ "\xc2\x9b", "\\xc2\\x9b", "\\xc2\\x9b" },
	{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf", "\\xe0\\x80\\xaf" },
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80" },
	{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
	{ "\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80", "\\xf5\\x80\\x80\\x80" },
};

static void
remote_text_is_harmless(void **state)
{
	char dst[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		if (strcmp(text_quote(dst, sizeof(dst), shown[i].in),
			shown[i].quoted) != 0)
			fail_msg("quote case %zu: %s", i, dst);
		if (strcmp(text_printable(dst, sizeof(dst), shown[i].in),
			shown[i].printable) != 0)
			fail_msg("printable case %zu: %s", i, dst);
	}
}

/* A guard octet behind each size; what is cut is never half a character. */
static void
it_is_cut_to_fit(void **state)
{
	static const char in[] = "a \xc3\xa4\x01 b\xe4";
	char dst[64];
	size_t size, len;

	(void)state;
	for (size = 0; size < 40; size++) {
		memset(dst, '#', sizeof(dst));
		text_quote(dst, size, in);
		assert_int_equal(dst[size], '#');
		if (size >= 3) {
			len = strlen(dst);
			assert_true(len >= 2 && dst[len - 1] == '"');
		}
		memset(dst, '#', sizeof(dst));
		text_printable(dst, size, in);
		assert_int_equal(dst[size], '#');
	}
}

static const struct {
	int64_t epoch;
	const char *text;
} times[] = {
	{ 0, "1970-01-01T00:00:00Z" },
	{ -1, "1969-12-31T23:59:59Z" },
	{ 1795353669, "2026-11-22T13:21:09Z" },
	{ 951782400, "2000-02-29T00:00:00Z" },
	{ 951868799, "2000-02-29T23:59:59Z" },
	{ 951868800, "2000-03-01T00:00:00Z" },
	{ 4107542399, "2100-02-28T23:59:59Z" },
	{ 4107542400, "2100-03-01T00:00:00Z" },
	{ INT64_C(253402300799), "9999-12-31T23:59:59Z" },
	{ INT64_C(-62167219200), "0000-01-01T00:00:00Z" },
};

static void
times_and_back(void **state)
{
	char dst[TEXT_TIME_MAX];
	int64_t t, back;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		assert_string_equal(
		    text_time(dst, times[i].epoch), times[i].text);
		assert_true(text_time_parse(times[i].text, &back));
		assert_true(back == times[i].epoch);
	}
	for (t = -4000000000; t < 8000000000; t += 86400 * 13 + 7919) {
		text_time(dst, t);
		assert_true(text_time_parse(dst, &back) && back == t);
	}
	assert_string_equal(text_time(dst, INT64_MAX), "9999-12-31T23:59:59Z");
	assert_string_equal(text_time(dst, INT64_MIN), "0000-01-01T00:00:00Z");
}

static void
other_times_are_refused(void **state)
{
	static const char *const bad[] = { "", "2026-11-22T13:21:09",
		"2026-11-22T13:21:09Z ", " 2026-11-22T13:21:09Z",
		"2026-11-22 13:21:09Z", "2026-13-22T13:21:09Z",
		"2026-00-22T13:21:09Z", "2026-11-31T13:21:09Z",
		"2026-11-00T13:21:09Z", "2025-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z", "2026-11-22T24:00:00Z",
		"2026-11-22T13:60:09Z", "2026-11-22T13:21:60Z",
		"+026-11-22T13:21:09Z", "2026-11-22T13:21:0xZ" };
	int64_t t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (text_time_parse(bad[i], &t))
			fail_msg("%s", bad[i]);
}

static void
spans(void **state)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: refused */
	} in[] = { { "90", 90 }, { "30s", 30 }, { "5m", 300 }, { "2h", 7200 },
		{ "4d", 345600 }, { "1w", 604800 }, { "1d12h", 129600 },
		{ "0", 0 }, { "", -1 }, { "s", -1 }, { "-1", -1 }, { "1x", -1 },
		{ "1 h", -1 }, { "1h ", -1 }, { "99999999999999999999", -1 },
		{ "100000w", -1 } };
	char dst[TEXT_SPAN_MAX];
	int64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		if (text_span_parse(in[i].text, &v) ? v != in[i].want
						    : in[i].want != -1)
			fail_msg("%s", in[i].text);
	assert_string_equal(text_span(dst, -5), "0s");
	assert_string_equal(text_span(dst, 12), "12s");
	assert_string_equal(text_span(dst, 2460), "41m");
	assert_string_equal(text_span(dst, 3720), "1h02m");
	assert_string_equal(text_span(dst, 93600), "1d02h");
	assert_true(strlen(text_span(dst, INT64_MAX)) < TEXT_SPAN_MAX);
}

static void
sizes(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t want;
	} in[] = { { "4096", true, 4096 }, { "10K", true, 10240 },
		{ "10k", true, 10240 }, { "5M", true, 5 << 20 },
		{ "1G", true, 1 << 30 }, { "1T", true, UINT64_C(1) << 40 },
		{ "0", true, 0 }, { "", false, 0 }, { "K", false, 0 },
		{ "1KB", false, 0 }, { "-1", false, 0 }, { "1 K", false, 0 },
		{ "99999999999999999999", false, 0 },
		{ "9000000000G", false, 0 }, { "1E", false, 0 } };
	char dst[TEXT_SPAN_MAX];
	uint64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		if (text_size_parse(in[i].text, &v) != in[i].ok ||
		    (in[i].ok && v != in[i].want))
			fail_msg("%s", in[i].text);
	assert_string_equal(text_size(dst, 512), "512");
	assert_string_equal(text_size(dst, 1023), "1023");
	assert_string_equal(text_size(dst, 38 * 1024 + 100), "38K");
	assert_string_equal(text_size(dst, 1258291), "1.2M");
	assert_true(strlen(text_size(dst, UINT64_MAX)) < TEXT_SPAN_MAX);
}

static void
numbers(void **state)
{
	uint64_t v;

	(void)state;
	assert_true(text_number("0", 0, &v) && v == 0);
	assert_true(text_number("65535", 65535, &v) && v == 65535);
	assert_false(text_number("65536", 65535, &v));
	assert_false(text_number("", 9, &v));
	assert_false(text_number("-1", 9, &v));
	assert_false(text_number("+1", 9, &v));
	assert_false(text_number(" 1", 9, &v));
	assert_false(text_number("1 ", 9, &v));
	assert_false(text_number("5", 4, &v));
	assert_false(text_number("9", 3, &v));
	assert_true(text_number("18446744073709551615", UINT64_MAX, &v));
	assert_true(v == UINT64_MAX);
	assert_false(text_number("18446744073709551616", UINT64_MAX, &v));
}

static void
words_and_letters(void **state)
{
	char word[] = "MiXed-\xc3\x84";

	(void)state;
	text_lower(word);
	assert_string_equal(word, "mixed-\xc3\x84");
	assert_int_equal(text_distance("", ""), 0);
	assert_int_equal(text_distance("queue", "queue"), 0);
	assert_int_equal(text_distance("queu", "queue"), 1);
	assert_int_equal(text_distance("quere", "queue"), 1);
	assert_int_equal(text_distance("", "abc"), 3);
	assert_int_equal(text_distance("kitten", "sitting"), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remote_text_is_harmless),
		cmocka_unit_test(it_is_cut_to_fit),
		cmocka_unit_test(times_and_back),
		cmocka_unit_test(other_times_are_refused),
		cmocka_unit_test(spans),
		cmocka_unit_test(sizes),
		cmocka_unit_test(numbers),
		cmocka_unit_test(words_and_letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Dot-stuffing, held against a plain reading of RFC 5321 section 4.5.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mta/stuff.h"
#include "lib/base/buf.h"

static void
put(void *arg, const void *octets, size_t n)
{
	assert_int_equal(buf_put(arg, octets, n), 0);
}

static void
stuff_by(struct buf *out, const char *in, size_t len, size_t piece)
{
	struct stuff s;
	size_t at, n;

	buf_reset(out);
	stuff_init(&s, false);
	for (at = 0; at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		stuff_feed(&s, in + at, n, put, out);
	}
	stuff_end(&s, put, out);
}

static void
test_cases(void **ctx)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", ".\r\n" },
		{ "a", "a\r\n.\r\n" },
		{ "a\r\n", "a\r\n.\r\n" },
		{ ".", "..\r\n.\r\n" },
		{ ".\r\n", "..\r\n.\r\n" },
		{ "..\r\n", "...\r\n.\r\n" },
		{ "a.\r\n", "a.\r\n.\r\n" },
		{ "a\r\n.\r\n", "a\r\n..\r\n.\r\n" },
		{ "a\r\n.b\r\n..\r\n", "a\r\n..b\r\n...\r\n.\r\n" },
		{ "\r\n", "\r\n.\r\n" },
		{ "\r\n\r\n.\r\n", "\r\n\r\n..\r\n.\r\n" },
		{ "\n.\n", "\r\n..\r\n.\r\n" },
		{ "a\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n" },
		{ "a\r.\rb", "a\r\n..\r\nb\r\n.\r\n" },
		{ "a\r", "a\r\n.\r\n" },
		{ "a\r\r\nb\r\n", "a\r\n\r\nb\r\n.\r\n" },
		{ "a\n\rb\r\n", "a\r\n\r\nb\r\n.\r\n" },
		{ "\xff\x80.\r\n", "\xff\x80.\r\n.\r\n" },
	};
	struct buf *out = buf_new(1 << 20);
	size_t i, piece;

	(void)ctx;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (piece = 1; piece < 12; piece++) {
			stuff_by(out, cases[i].in, strlen(cases[i].in), piece);
			assert_string_equal(buf_text(out), cases[i].out);
		}
	buf_free(out);
}

/* What a receiver makes of it: lines up to the lone dot, one dot less. */
static size_t
unstuff(char *dst, const char *src, size_t len)
{
	size_t i = 0, n = 0;
	bool start = true;

	while (i < len) {
		if (start && src[i] == '.') {
			if (len - i == 3 && memcmp(src + i, ".\r\n", 3) == 0)
				return n;
			i++;
		}
		start = i > 0 && src[i] == '\n';
		dst[n++] = src[i++];
	}
	fail_msg("the end is missing");
	return n;
}

/* Random bodies of CRLF lines rich in dots come back octet for octet, and no
 * bare CR or LF leaves whatever goes in. */
static void
test_random(void **ctx)
{
	static const char odds[] = "..\r\nab\xc3\r\n";
	struct buf *out = buf_new(1 << 20);
	char in[300], back[700];
	const char *s;
	size_t n, i, len, round;

	(void)ctx;
	srandom(5321);
	for (round = 0; round < 20000; round++) {
		for (n = 0, len = (size_t)random() % 120; n < len;) {
			in[n] = odds[random() % 10];
			if (in[n] == '\r' || in[n] == '\n') {
				in[n++] = '\r';
				in[n] = '\n';
			}
			n++;
		}
		in[n++] = '\r';
		in[n++] = '\n';
		stuff_by(out, in, n, 1 + (size_t)random() % 40);
		len = unstuff(back, buf_text(out), buf_len(out));
		assert_int_equal(len, n);
		assert_memory_equal(back, in, n);

		for (i = 0; i < n; i++)
			in[i] = odds[random() % 10];
		stuff_by(out, in, n, 1 + (size_t)random() % 40);
		s = buf_text(out);
		for (i = 0; i < buf_len(out); i++) {
			if (s[i] == '\n')
				assert_true(i > 0 && s[i - 1] == '\r');
			if (s[i] == '\r')
				assert_true(s[i + 1] == '\n');
		}
		unstuff(back, s, buf_len(out));
	}
	buf_free(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

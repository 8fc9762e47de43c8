#include "daemon/smtp/stamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct stamp_facts facts = {
	.helo = "mail.shop.example",
	.client = "[192.0.2.14]",
	.host = "mx.example.org",
	.esmtp = true,
	.msgid = 0x3f9a0c41d7b2,
	.recipient = "ann@example.org",
	.now = 1795353669,
};

#define DATE "Date: Sun, 22 Nov 2026 13:21:09 +0000\r\n"
#define ID "Message-Id: <3f9a0c41d7b2.6b02ec45@mx.example.org>\r\n"

static void
received(void **state)
{
	struct stamp_facts f = facts;
	struct buf *b = buf_new(1000);

	(void)state;
	assert_int_equal(stamp_received(b, &f), 0);
	assert_string_equal(buf_text(b),
	    "Received: from mail.shop.example ([192.0.2.14])\r\n"
	    "\tby mx.example.org (Spoolkit) with ESMTP id 3f9a0c41d7b2\r\n"
	    "\tfor <ann@example.org>;\r\n"
	    "\tSun, 22 Nov 2026 13:21:09 +0000\r\n");
	buf_reset(b);
	f.esmtp = false;
	f.recipient = NULL;
	assert_int_equal(stamp_received(b, &f), 0);
	assert_string_equal(buf_text(b),
	    "Received: from mail.shop.example ([192.0.2.14])\r\n"
	    "\tby mx.example.org (Spoolkit) with SMTP id 3f9a0c41d7b2;\r\n"
	    "\tSun, 22 Nov 2026 13:21:09 +0000\r\n");
	buf_free(b);
}

static void
dates(void **state)
{
	char text[STAMP_DATE_MAX];

	(void)state;
	assert_string_equal(
	    stamp_date(text, 0), "Thu, 1 Jan 1970 00:00:00 +0000");
	assert_string_equal(
	    stamp_date(text, 1709164799), "Wed, 28 Feb 2024 23:59:59 +0000");
	assert_string_equal(
	    stamp_date(text, 4102444800), "Fri, 1 Jan 2100 00:00:00 +0000");
}

/* Fed whole, octet by octet, and cut in two at every place. */
static void
check(const char *in, const char *want, bool adds)
{
	size_t len = strlen(in), cut, piece;
	struct buf *b = buf_new(4096);
	struct stamp s;

	for (cut = 0; cut <= len + 1; cut++) {
		buf_reset(b);
		stamp_init(&s, adds);
		if (cut > len)
			for (piece = 0; piece < len; piece++)
				stamp_feed(&s, &facts, in + piece, 1, b);
		else {
			stamp_feed(&s, &facts, in, cut, b);
			stamp_feed(&s, &facts, in + cut, len - cut, b);
		}
		stamp_end(&s, &facts, b);
		if (strcmp(buf_text(b), want) != 0)
			fail_msg("cut at %zu of %s\ngot %s\nwant %s", cut, in,
			    buf_text(b), want);
	}
	buf_free(b);
}

static void
adds_what_is_missing(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "Subject: x\r\n\r\ny\r\n",
		    "Subject: x\r\n" DATE ID "\r\ny\r\n" },
		{ "Date: x\r\n\r\ny\r\n", "Date: x\r\n" ID "\r\ny\r\n" },
		{ "DATE : x\r\nmessage-ID:\r\n y\r\n\r\n",
		    "DATE : x\r\nmessage-ID:\r\n y\r\n\r\n" },
		{ "Message-Id: z\r\n\r\nDate: no\r\n",
		    "Message-Id: z\r\n" DATE "\r\nDate: no\r\n" },
		{ "", DATE ID },
		{ "Subject: x\r\n", "Subject: x\r\n" DATE ID },
		{ "\r\nbody\r\n", DATE ID "\r\nbody\r\n" },
		{ "no header here\r\n", DATE ID "\r\nno header here\r\n" },
		{ "Subject: x\r\nhello you\r\n",
		    "Subject: x\r\n" DATE ID "\r\nhello you\r\n" },
		{ "Subject: x\r\nhello\r\n",
		    "Subject: x\r\n" DATE ID "\r\nhello\r\n" },
		{ ": x\r\n", DATE ID "\r\n: x\r\n" },
	};
	char longline[600] = "", want[1000];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check(cases[i].in, cases[i].want, true);
		check(cases[i].in, cases[i].in, false);
	}
	memset(longline, 'x', 400);
	strcat(longline, "\r\nDate: a\r\n");
	strcpy(want, DATE ID "\r\n");
	strcat(want, longline);
	check(longline, want, true);
	strcpy(longline, "X-Long: ");
	memset(longline + 8, 'x', 400);
	strcpy(longline + 408, "\r\n\r\nDate: a\r\n");
	memcpy(want, longline, 410);
	strcpy(want + 410, DATE ID "\r\nDate: a\r\n");
	check(longline, want, true);
}

static void
counts_received(void **state)
{
	static const char in[] = "Received: a\r\n b\r\nreceived:c\r\n\r\n"
				 "Received: d\r\n";
	struct buf *b = buf_new(1000);
	struct stamp s;
	int adds;

	(void)state;
	for (adds = 0; adds < 2; adds++) {
		stamp_init(&s, adds == 1);
		stamp_feed(&s, &facts, in, sizeof(in) - 1, b);
		assert_int_equal(s.header.received, 2);
	}
	buf_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(received),
		cmocka_unit_test(dates),
		cmocka_unit_test(adds_what_is_missing),
		cmocka_unit_test(counts_received),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

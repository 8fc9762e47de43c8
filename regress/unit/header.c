#include "lib/mail/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *text;
	unsigned received;
	bool date, message_id, from, ended;
} cases[] = {
	{ "", 0, false, false, false, false },
	{ "\r\n", 0, false, false, false, true },
	{ "Date: x\r\n", 0, true, false, false, false },
	{ "Date: x\r\n\r\n", 0, true, false, false, true },
	{ "DATE:\r\n\r\n", 0, true, false, false, true },
	{ "Date : x\r\n\r\n", 0, true, false, false, true },
	{ "Date\t \t:x\r\n\r\n", 0, true, false, false, true },
	{ "X-Date: x\r\n\r\n", 0, false, false, false, true },
	{ "Dat: x\r\n\r\n", 0, false, false, false, true },
	{ "Dates: x\r\n\r\n", 0, false, false, false, true },
	{ "Subject: Date: x\r\n\r\n", 0, false, false, false, true },
	{ "Subject: x\r\n Date: x\r\n\r\n", 0, false, false, false, true },
	{ "Subject: x\r\n\tDate: x\r\n\r\n", 0, false, false, false, true },
	{ "Subject: x\rDate: y\r\n\r\n", 0, false, false, false, true },
	{ "Subject: x\nDate: y\r\n\r\n", 0, false, false, false, true },
	{ "Subject: x\r\r\nDate: y\r\n\r\n", 0, true, false, false, true },
	{ "Received: a\r\nReceived: b\r\n c\r\nreceived: d\r\n\r\n", 3, false,
	    false, false, true },
	{ "Received: a\r\n\r\nReceived: b\r\n", 1, false, false, false, true },
	{ "From: a\r\nMessage-Id: <b@c>\r\n\r\n", 0, false, true, true, true },
	{ "Message-ID: <b@c>\r\nDate: x\r\n", 0, true, true, false, false },
	{ "hello world\r\nDate: x\r\n", 0, false, false, false, true },
	{ "hello\r\nDate: x\r\n", 0, false, false, false, true },
	{ "hello", 0, false, false, false, false },
	{ ": x\r\nDate: x\r\n", 0, false, false, false, true },
	{ "D\xc3\xa4te: x\r\nDate: x\r\n", 0, false, false, false, true },
	{ "Received-and-some-more-of-it: x\r\nDate: x\r\n\r\n", 0, true, false,
	    false, true },
	{ "receivedreceived: x\r\n\r\n", 0, false, false, false, true },
	{ "receivedreceive: x\r\n\r\n", 0, false, false, false, true },
	{ "\r\r\nDate: x\r\n", 0, false, false, false, true },
	{ " folded first\r\nDate: x\r\n\r\n", 0, true, false, false, true },
};

static void
compare(size_t i, const struct header *h, size_t piece)
{
	if (h->received != cases[i].received || h->has_date != cases[i].date ||
	    h->has_message_id != cases[i].message_id ||
	    h->has_from != cases[i].from || h->ended != cases[i].ended)
		fail_msg("\"%s\" in pieces of %zu: %u %d %d %d %d",
		    cases[i].text, piece, h->received, h->has_date,
		    h->has_message_id, h->has_from, h->ended);
}

static void
walks_in_pieces_of_any_size(void **state)
{
	size_t i, piece, at, len, n;
	struct header h;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		len = strlen(cases[i].text);
		for (piece = 1; piece <= len + 1; piece++) {
			header_init(&h);
			for (at = 0; at < len; at += n) {
				n = len - at < piece ? len - at : piece;
				header_feed(&h, cases[i].text + at, n);
			}
			compare(i, &h, piece);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_in_pieces_of_any_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

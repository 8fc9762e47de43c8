#include "lib/mail/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *line;
	unsigned code, klass, subject, detail;
	const char *text, *enhanced;
} cases[] = {
	{ "421 4.7.0 try later", 421, 4, 7, 0, "try later", "4.7.0" },
	{ "4.7.0 try later", 0, 4, 7, 0, "try later", "4.7.0" },
	{ "try later", 0, 0, 0, 0, "try later", "" },
	{ "", 0, 0, 0, 0, "", "" },
	{ "250", 250, 0, 0, 0, "", "2.0.0" },
	{ "250 ", 250, 0, 0, 0, "", "2.0.0" },
	{ "250-SIZE", 250, 0, 0, 0, "SIZE", "2.0.0" },
	{ "250 2.1.5", 250, 2, 1, 5, "", "2.1.5" },
	{ "550 5.1.1  no such user", 550, 5, 1, 1, "no such user", "5.1.1" },
	{ "550-5.1.1 no", 550, 5, 1, 1, "no", "5.1.1" },
	{ "550 4.1.1 no", 550, 0, 0, 0, "4.1.1 no", "5.0.0" },
	{ "550 5.1 no", 550, 0, 0, 0, "5.1 no", "5.0.0" },
	{ "550 5.1.1no", 550, 0, 0, 0, "5.1.1no", "5.0.0" },
	{ "550 5.1.1234 no", 550, 0, 0, 0, "5.1.1234 no", "5.0.0" },
	{ "550 5.123.456 no", 550, 5, 123, 456, "no", "5.123.456" },
	{ "550 5..1 no", 550, 0, 0, 0, "5..1 no", "5.0.0" },
	{ "354 go ahead", 354, 0, 0, 0, "go ahead", "" },
	{ "354 3.0.0 go", 354, 0, 0, 0, "3.0.0 go", "" },
	{ "3.0.0 go", 0, 0, 0, 0, "3.0.0 go", "" },
	{ "2503 x", 0, 0, 0, 0, "2503 x", "" },
	{ "150 x", 0, 0, 0, 0, "150 x", "" },
	{ "650 x", 0, 0, 0, 0, "650 x", "" },
	{ "42 x", 0, 0, 0, 0, "42 x", "" },
	{ "4", 0, 0, 0, 0, "4", "" },
	{ "451 ", 451, 0, 0, 0, "", "4.0.0" },
};

static void
takes_a_reply_apart(void **state)
{
	char dst[STATUS_ENHANCED_MAX];
	struct status s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		status_parse(&s, cases[i].line);
		if (s.code != cases[i].code || s.klass != cases[i].klass ||
		    s.subject != cases[i].subject ||
		    s.detail != cases[i].detail ||
		    strcmp(s.text, cases[i].text) != 0 ||
		    strcmp(status_enhanced(dst, &s), cases[i].enhanced) != 0)
			fail_msg("\"%s\": %u %u.%u.%u \"%s\" %s", cases[i].line,
			    s.code, s.klass, s.subject, s.detail, s.text, dst);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_reply_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

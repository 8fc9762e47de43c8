#include "lib/base/ident.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
texts_and_back(void **state)
{
	char text[IDENT_TEXT_MAX];
	uint64_t msgid, evpid, v;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		msgid = ident_random_msgid();
		assert_true(msgid != 0 && msgid >> 48 == 0);
		ident_msgid_text(text, msgid);
		assert_int_equal(strlen(text), IDENT_MSGID_DIGITS);
		assert_true(ident_msgid_parse(text, &v) && v == msgid);
		evpid = ident_evpid(msgid, (unsigned)i + 1);
		assert_true(ident_msgid(evpid) == msgid);
		assert_int_equal(ident_rcpt(evpid), i + 1);
		ident_evpid_text(text, evpid);
		assert_int_equal(strlen(text), IDENT_EVPID_DIGITS);
		assert_true(ident_evpid_parse(text, &v) && v == evpid);
	}
	assert_string_equal(
	    ident_evpid_text(text, UINT64_C(0x3f9a0c41d7b20001)),
	    "3f9a0c41d7b20001");
	assert_string_equal(ident_msgid_text(text, 1), "000000000001");
}

static const struct {
	const char *text;
	bool msgid, evpid;
} cases[] = {
	{ "", false, false },
	{ "3f9a0c41d7b", false, false },
	{ "3f9a0c41d7b2", true, false },
	{ "3f9a0c41d7b20", false, false },
	{ "3f9a0c41d7b2000", false, false },
	{ "3f9a0c41d7b20001", false, true },
	{ "3f9a0c41d7b200010", false, false },
	{ "3F9A0C41D7B2", false, false },
	{ "3f9a0c41d7b2ffff", false, true },
	{ "3f9a0c41d7b20000", false, false },
	{ "0000000000000001", false, false },
	{ "000000000000", false, false },
	{ "000000000001", true, false },
	{ "3f9a0c41d7g2", false, false },
	{ " 3f9a0c41d7b", false, false },
	{ "3f9a0c41d7b ", false, false },
	{ "0x3f9a0c41d7", false, false },
};

static void
nothing_else_is_an_id(void **state)
{
	uint64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (ident_msgid_parse(cases[i].text, &v) != cases[i].msgid)
			fail_msg("message \"%s\"", cases[i].text);
		if (ident_evpid_parse(cases[i].text, &v) != cases[i].evpid)
			fail_msg("envelope \"%s\"", cases[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_and_back),
		cmocka_unit_test(nothing_else_is_an_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

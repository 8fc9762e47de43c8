#include "lib/base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4648, section 10. */
static void
known_texts(void **state)
{
	static const struct {
		const char *clear, *text;
	} cases[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xbe", "+/++" },
	};
	char text[16], clear[16];
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		len = strlen(cases[i].clear);
		assert_int_equal(BASE64_LEN(len), strlen(cases[i].text));
		base64_encode(text, cases[i].clear, len);
		assert_memory_equal(text, cases[i].text, BASE64_LEN(len));
		assert_int_equal(
		    base64_decode(clear, text, BASE64_LEN(len)), len);
		assert_memory_equal(clear, cases[i].clear, len);
	}
}

/* Of all texts of four letters near a good one, each that decodes is what
 * encode writes of that. */
static void
one_form_only(void **state)
{
	static const char *const bad[] = { "Zg",
		"Zg=", "Zg===", "Zh==", "Zm9=", "Zg==Zg==", "=",
		"====", "A===", "Zm 9", "Zm9\n", "Zm-_", "Z=9v", "Zm=v",
		"Zm9vY" };
	char text[5] = "Zm8=", back[4];
	uint8_t clear[6];
	ssize_t n;
	size_t i;
	int c;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    base64_decode(clear, bad[i], strlen(bad[i])), -1);
	for (i = 0; i < 4; i++) {
		for (c = 0; c < 256; c++) {
			memcpy(text, "Zm8=", 4);
			text[i] = (char)c;
			n = base64_decode(clear, text, 4);
			if (n == -1)
				continue;
			base64_encode(back, clear, (size_t)n);
			assert_memory_equal(back, text, 4);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_texts),
		cmocka_unit_test(one_form_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is refused is told by its cause, once, and until it is over. */
#include "queue/trouble.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ID(n) (UINT64_C(0x3f0000000000) + (n))

static void
test_thousands_are_one(void **state)
{
	struct trouble *t = trouble_new();
	uint32_t cause[1000];
	unsigned i, news = 0;
	char text[256];
	bool fresh;

	(void)state;
	for (i = 0; i < 1000; i++) {
		cause[i] = trouble_meet(t, 0, "settle", ID(i) << 8 & ~0xffull,
		    ENOSPC, false, 1000 + i, &fresh);
		news += fresh;
		assert_int_not_equal(cause[i], 0);
	}
	assert_int_equal(news, 1);
	trouble_text(t, text, sizeof(text), 3000);
	assert_non_null(strstr(text, "1000 messages"));
	assert_non_null(strstr(text, "No space left"));
	for (i = 0; i < 1000; i++)
		trouble_over(t, cause[i], 4000);
	trouble_text(t, text, sizeof(text), 4000);
	assert_string_equal(text, "");
	/* Soon again: no news. Much later: it is. */
	cause[0] =
	    trouble_meet(t, 0, "settle", ID(1), ENOSPC, false, 5000, &fresh);
	assert_false(fresh);
	trouble_over(t, cause[0], 5001);
	cause[0] =
	    trouble_meet(t, 0, "settle", ID(1), ENOSPC, false, 80000, &fresh);
	assert_true(fresh);
	trouble_over(t, cause[0], 80001);
	trouble_free(t);
}

static void
test_buckets_and_messages(void **state)
{
	struct trouble *t = trouble_new();
	uint32_t a, b, c, d;
	char text[256];
	bool fresh;

	(void)state;
	a = trouble_meet(t, 0, "settle", ID(1), ENOENT, true, 1, &fresh);
	assert_true(fresh);
	b = trouble_meet(t, 0, "settle", ID(2), ENOENT, true, 1, &fresh);
	assert_false(fresh);
	trouble_text(t, text, sizeof(text), 2);
	assert_non_null(strstr(text, "queue/3f"));
	/* Files of their own are each worth a line. */
	c = trouble_meet(t, 0, "settle", ID(3), EACCES, false, 1, &fresh);
	assert_true(fresh);
	d = trouble_meet(t, 0, "unlink", ID(4), EACCES, false, 1, &fresh);
	assert_true(fresh);
	assert_int_equal(
	    trouble_meet(t, d, "unlink", ID(4), EACCES, false, 9, &fresh), d);
	assert_false(fresh);
	trouble_text(t, text, sizeof(text), 2);
	assert_non_null(strstr(text, "2 messages cannot"));
	/* From a cause to another it is counted once. */
	b = trouble_meet(t, b, "settle", ID(2), EROFS, true, 9, &fresh);
	assert_true(fresh);
	trouble_text(t, text, sizeof(text), 9);
	assert_non_null(strstr(text, "(1 messages wait)"));
	trouble_over(t, a, 10);
	trouble_over(t, b, 10);
	trouble_over(t, c, 10);
	trouble_over(t, d, 10);
	trouble_over(t, 0, 10);
	trouble_text(t, text, sizeof(text), 10);
	assert_string_equal(text, "");
	trouble_free(t);
}

static void
test_parts(void **state)
{
	struct trouble *t = trouble_new();
	char text[256], small[20];

	(void)state;
	assert_true(trouble_part(t, TROUBLE_JOURNAL, EIO, 1000));
	assert_false(trouble_part(t, TROUBLE_JOURNAL, EIO, 2000));
	assert_true(trouble_part(t, TROUBLE_CORRUPT, EROFS, 2000));
	trouble_text(t, text, sizeof(text), 2000);
	assert_non_null(strstr(text, "journal"));
	assert_non_null(strstr(text, "; corrupt/"));
	trouble_text(t, small, sizeof(small), 2000);
	assert_int_equal(strlen(small), sizeof(small) - 1);
	trouble_part(t, TROUBLE_JOURNAL, 0, 2100);
	trouble_part(t, TROUBLE_CORRUPT, 0, 2100);
	trouble_text(t, text, sizeof(text), 2200);
	assert_non_null(strstr(text, "journal")); /* seen by who looks now */
	trouble_text(t, text, sizeof(text), 9000);
	assert_string_equal(text, "");
	trouble_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thousands_are_one),
		cmocka_unit_test(test_buckets_and_messages),
		cmocka_unit_test(test_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

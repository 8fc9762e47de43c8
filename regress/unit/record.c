#include "lib/proto/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
make(struct buf *b)
{
	record_begin(b, "envelope");
	record_str(b, "evpid", "3f9a0c41d7b20001");
	record_str(b, "error", NULL);
	record_u64(b, "size", UINT64_MAX);
	record_i64(b, "age", -5);
	record_bool(b, "held", true);
}

static void
a_row_comes_back(void **state)
{
	struct buf *b = buf_new(1000);
	struct record_field f;
	struct unpack u;

	(void)state;
	make(b);
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_string_equal(record_type(&u), "envelope");
	assert_true(record_next(&u, &f));
	assert_string_equal(f.name, "evpid");
	assert_int_equal(f.kind, RECORD_STR);
	assert_string_equal(f.str, "3f9a0c41d7b20001");
	assert_true(record_next(&u, &f));
	assert_string_equal(f.str, "");
	assert_true(record_next(&u, &f));
	assert_true(f.kind == RECORD_U64 && f.u64 == UINT64_MAX);
	assert_true(record_next(&u, &f));
	assert_true(f.kind == RECORD_I64 && f.i64 == -5);
	assert_true(record_next(&u, &f));
	assert_true(f.kind == RECORD_BOOL && f.flag);
	assert_false(record_next(&u, &f));
	assert_int_equal(unpack_done(&u), 0);
	buf_free(b);
}

/* Cut between two fields it is a shorter row; anywhere else it is bad. */
static void
every_truncation_ends_well(void **state)
{
	struct buf *b = buf_new(1000);
	struct record_field f;
	struct unpack u;
	unsigned whole = 0;
	uint8_t *cut;
	size_t n;

	(void)state;
	make(b);
	for (n = 0; n < buf_len(b); n++) {
		cut = malloc(n + (n == 0));
		assert_non_null(cut);
		memcpy(cut, buf_data(b), n);
		unpack_init(&u, cut, n);
		record_type(&u);
		while (record_next(&u, &f))
			assert_non_null(f.name);
		whole += unpack_done(&u) == 0;
		free(cut);
	}
	assert_int_equal(whole, 5);
	buf_free(b);
}

static void
an_unknown_kind_is_refused(void **state)
{
	struct buf *b = buf_new(1000);
	struct record_field f;
	struct unpack u;

	(void)state;
	record_begin(b, "x");
	pack_str(b, "name");
	pack_u8(b, RECORD_BOOL + 1);
	pack_bool(b, true);
	unpack_init(&u, buf_data(b), buf_len(b));
	record_type(&u);
	assert_false(record_next(&u, &f));
	assert_true(u.bad);
	buf_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_comes_back),
		cmocka_unit_test(every_truncation_ends_well),
		cmocka_unit_test(an_unknown_kind_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

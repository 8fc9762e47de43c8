#include "lib/proto/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
put_all(struct buf *b)
{
	pack_bool(b, true);
	pack_u8(b, 0xff);
	pack_u16(b, 0x0102);
	pack_u32(b, 0x01020304);
	pack_u64(b, UINT64_C(0x0102030405060708));
	pack_i64(b, -2);
	pack_str(b, "text");
	pack_str(b, NULL);
	pack_bytes(b, "a\0b", 3);
	pack_bytes(b, NULL, 0);
	pack_u8(b, 2);
}

/* 0 when everything came as it was put. */
static int
get_all(struct unpack *u)
{
	const uint8_t *bytes;
	size_t len;
	int ok = 1;

	ok &= unpack_bool(u);
	ok &= unpack_u8(u) == 0xff;
	ok &= unpack_u16(u) == 0x0102;
	ok &= unpack_u32(u) == 0x01020304;
	ok &= unpack_u64(u) == UINT64_C(0x0102030405060708);
	ok &= unpack_i64(u) == -2;
	ok &= strcmp(unpack_str(u), "text") == 0;
	ok &= strcmp(unpack_str(u), "") == 0;
	bytes = unpack_bytes(u, &len);
	ok &= len == 3 && memcmp(bytes, "a\0b", 3) == 0;
	unpack_bytes(u, &len);
	ok &= len == 0;
	ok &= unpack_enum(u, 3) == 2;
	return unpack_done(u) == 0 && ok ? 0 : -1;
}

static void
every_type_comes_back(void **state)
{
	struct buf *b = buf_new(1000);
	struct unpack u;

	(void)state;
	put_all(b);
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_true(unpack_more(&u));
	assert_int_equal(get_all(&u), 0);
	assert_false(unpack_more(&u));
	pack_u8(b, 0);
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_int_equal(get_all(&u), -1); /* something is left over */
	buf_free(b);
}

static void
every_truncation_is_refused(void **state)
{
	struct buf *b = buf_new(1000);
	struct unpack u;
	uint8_t *cut;
	size_t n;

	(void)state;
	put_all(b);
	for (n = 0; n < buf_len(b); n++) {
		cut = malloc(n + (n == 0));
		assert_non_null(cut);
		memcpy(cut, buf_data(b), n);
		unpack_init(&u, cut, n);
		if (get_all(&u) == 0)
			fail_msg("cut at %zu", n);
		free(cut);
	}
	buf_free(b);
}

static void
another_type_is_refused_for_good(void **state)
{
	struct buf *b = buf_new(1000);
	struct unpack u;

	(void)state;
	pack_u32(b, 7);
	pack_u32(b, 8);
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_int_equal(unpack_u16(&u), 0);
	assert_true(u.bad);
	assert_int_equal(unpack_u32(&u), 0);
	assert_int_equal(unpack_done(&u), -1);
	assert_string_equal(unpack_str(&u), "");
	assert_false(unpack_more(&u));
	buf_free(b);
}

/* One field by hand: what get makes of it. */
static bool
refused(const char *octets, size_t n, char type)
{
	struct unpack u;
	size_t len;

	unpack_init(&u, octets, n);
	if (type == 'b')
		unpack_bool(&u);
	else if (type == 's')
		assert_non_null(unpack_str(&u));
	else if (type == 'x')
		unpack_bytes(&u, &len);
	else
		unpack_enum(&u, 3);
	return unpack_done(&u) == -1;
}

static void
values_out_of_range_are_refused(void **state)
{
	(void)state;
	assert_false(refused("b\1", 2, 'b'));
	assert_true(refused("b\2", 2, 'b'));
	assert_false(refused("c\2", 2, 'e'));
	assert_true(refused("c\3", 2, 'e'));
	assert_false(refused("s\0\0\0\2a\0", 7, 's'));
	assert_true(refused("s\0\0\0\2ab", 7, 's')); /* no NUL */
	assert_true(refused("s\0\0\0\3a\0\0", 8, 's')); /* two of them */
	assert_true(refused("s\0\0\0\0", 5, 's'));
	assert_true(refused("s\377\377\377\377a\0", 7, 's'));
	assert_true(refused("x\377\377\377\377a", 6, 'x'));
	assert_true(refused("s\0\0\0\2a\0", 7, 'x'));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_comes_back),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(another_type_is_refused_for_good),
		cmocka_unit_test(values_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

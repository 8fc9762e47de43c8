#include "lib/base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
puts_up_to_its_maximum(void **state)
{
	struct buf *b = buf_new(10);

	(void)state;
	assert_int_equal(buf_len(b), 0);
	assert_string_equal(buf_text(b), "");
	assert_int_equal(buf_puts(b, "01234"), 0);
	assert_int_equal(buf_put(b, "56789", 5), 0);
	errno = 0;
	assert_int_equal(buf_put(b, "x", 1), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_string_equal(buf_text(b), "0123456789");
	assert_int_equal(buf_put(b, "", 0), 0);
	buf_consume(b, 4);
	assert_int_equal(buf_puts(b, "abcde"), -1);
	assert_int_equal(buf_puts(b, "abcd"), 0);
	assert_string_equal(buf_text(b), "456789abcd");
	buf_free(b);
	buf_free(NULL);
}

static void
grows_and_consumes(void **state)
{
	struct buf *b = buf_new(1 << 20);
	size_t i, put = 0, got = 0;
	uint8_t byte;

	(void)state;
	for (i = 0; i < 200000; i++) {
		byte = (uint8_t)(put * 7);
		assert_int_equal(buf_put(b, &byte, 1), 0);
		put++;
		if (i % 3 != 0)
			continue;
		assert_int_equal(*buf_data(b), (uint8_t)(got * 7));
		buf_consume(b, 1);
		got++;
	}
	assert_int_equal(buf_len(b), put - got);
	for (i = 0; i < put - got; i++)
		assert_int_equal(buf_data(b)[i], (uint8_t)((got + i) * 7));
	assert_int_equal(buf_data(b)[put - got], '\0');
	buf_free(b);
}

static void
formats_of_any_length(void **state)
{
	struct buf *b = buf_new(2000);
	char big[1001];

	(void)state;
	memset(big, 'x', 1000);
	big[1000] = '\0';
	assert_int_equal(buf_putf(b, "%d-%s", 7, "a"), 0);
	assert_string_equal(buf_text(b), "7-a");
	assert_int_equal(buf_putf(b, "%s", big), 0);
	assert_int_equal(buf_len(b), 1003);
	assert_int_equal(buf_putf(b, "%s", big), -1);
	assert_int_equal(buf_len(b), 1003);
	buf_free(b);
}

static void
room_is_for_the_caller_to_fill(void **state)
{
	struct buf *b = buf_new(8);
	uint8_t *room = buf_room(b, 8);

	(void)state;
	assert_non_null(room);
	memcpy(room, "abcdefgh", 8);
	assert_string_equal(buf_text(b), "abcdefgh");
	assert_null(buf_room(b, 1));
	assert_null(buf_room(b, SIZE_MAX));
	buf_truncate(b, 3);
	assert_string_equal(buf_text(b), "abc");
	buf_reset(b);
	assert_int_equal(buf_len(b), 0);
	assert_null(buf_room(b, 9));
	buf_free(b);
}

static void
a_stolen_buffer_is_the_callers(void **state)
{
	struct buf *b = buf_new(100);
	uint8_t *data;
	size_t len;

	(void)state;
	buf_puts(b, "xxabc");
	buf_consume(b, 2);
	data = buf_steal(b, &len);
	assert_int_equal(len, 3);
	assert_string_equal((char *)data, "abc");
	free(data);
	assert_int_equal(buf_len(b), 0);
	buf_puts(b, "again");
	assert_string_equal(buf_text(b), "again");
	buf_reset(b);
	data = buf_steal(b, &len);
	assert_int_equal(len, 0);
	free(data);
	data = buf_steal(b, &len);
	assert_non_null(data);
	assert_int_equal(len, 0);
	free(data);
	buf_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(puts_up_to_its_maximum),
		cmocka_unit_test(grows_and_consumes),
		cmocka_unit_test(formats_of_any_length),
		cmocka_unit_test(room_is_for_the_caller_to_fill),
		cmocka_unit_test(a_stolen_buffer_is_the_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

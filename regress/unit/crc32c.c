#include "lib/base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 3720 appendix B.4, and the usual check value. */
static void
known_values(void **state)
{
	uint8_t data[32];
	int i;

	(void)state;
	assert_int_equal(crc32c(0, "", 0), 0);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
	memset(data, 0, sizeof(data));
	assert_int_equal(crc32c(0, data, 32), 0x8a9136aau);
	memset(data, 0xff, sizeof(data));
	assert_int_equal(crc32c(0, data, 32), 0x62a8ab43u);
	for (i = 0; i < 32; i++)
		data[i] = (uint8_t)i;
	assert_int_equal(crc32c(0, data, 32), 0x46dd794eu);
	for (i = 0; i < 32; i++)
		data[i] = (uint8_t)(31 - i);
	assert_int_equal(crc32c(0, data, 32), 0x113fdb5cu);
}

/* Bit by bit, as it is defined. */
static uint32_t
slowly(uint32_t crc, const uint8_t *p, size_t len)
{
	int k;

	crc = ~crc;
	while (len-- > 0) {
		crc ^= *p++;
		for (k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
	}
	return ~crc;
}

static void
any_length_alignment_and_cut(void **state)
{
	uint8_t data[80];
	size_t from, len, cut;
	uint32_t want;

	(void)state;
	for (from = 0; from < sizeof(data); from++)
		data[from] = (uint8_t)(from * 37 + 11);
	for (from = 0; from < 9; from++) {
		for (len = 0; len < 70; len++) {
			want = slowly(0, data + from, len);
			assert_int_equal(crc32c(0, data + from, len), want);
			cut = len / 3;
			assert_int_equal(crc32c(crc32c(0, data + from, cut),
					     data + from + cut, len - cut),
			    want);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values),
		cmocka_unit_test(any_length_alignment_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

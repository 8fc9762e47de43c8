#include "lib/proto/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
headers_and_back(void **state)
{
	static const struct frame frames[] = {
		{ 0, 0, 0 },
		{ 1, 0x0400, FRAME_FD },
		{ FRAME_MAX, 0xffff, 0 },
		{ 0x012345 % FRAME_MAX, 0x8001, FRAME_FD },
	};
	uint8_t h[FRAME_HEADER];
	struct frame f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		frame_put(h, &frames[i]);
		assert_int_equal(frame_get(h, &f), 0);
		assert_int_equal(f.len, frames[i].len);
		assert_int_equal(f.type, frames[i].type);
		assert_int_equal(f.flags, frames[i].flags);
	}
	frame_put(h, &(struct frame){ 0x00010203, 0x0405, 1 });
	assert_memory_equal(h, "\0\1\2\3\4\5\0\1", FRAME_HEADER);
}

static void
out_of_range_is_refused(void **state)
{
	uint8_t h[FRAME_HEADER];
	struct frame f;
	int bit;

	(void)state;
	frame_put(h, &(struct frame){ FRAME_MAX + 1, 1, 0 });
	assert_int_equal(frame_get(h, &f), -1);
	frame_put(h, &(struct frame){ UINT32_MAX, 1, 0 });
	assert_int_equal(frame_get(h, &f), -1);
	for (bit = 1; bit < 16; bit++) {
		frame_put(h, &(struct frame){ 0, 1, (uint16_t)(1u << bit) });
		assert_int_equal(frame_get(h, &f), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_and_back),
		cmocka_unit_test(out_of_range_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A body between the spooler and a host: asked for piece by piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>

#include "daemon/mta/body.h"

static uint8_t filler[CARRY_PIECE];

static int
take(struct body *b, size_t len, bool last, enum carry_body_status status)
{
	struct carry_body piece = {
		.status = status, .data = filler, .len = len, .last = last
	};

	return body_take(b, &piece);
}

static void
test_small(void **ctx)
{
	struct evbuffer *out = evbuffer_new();
	struct body b;
	uint64_t offset = 99;

	(void)ctx;
	body_init(&b);
	body_start(&b, out, false);
	assert_true(body_wants(&b, &offset));
	assert_int_equal(offset, 0);
	assert_false(body_wants(&b, &offset));
	assert_int_equal(take(&b, 10, true, CARRY_BODY_OK), 0);
	assert_false(body_wants(&b, &offset));
	assert_int_equal(evbuffer_get_length(out), 0); /* 354 has not come */
	assert_false(body_sent(&b));
	body_open(&b);
	assert_int_equal(evbuffer_get_length(out), 10 + 2 + 3);
	assert_false(body_sent(&b));
	evbuffer_drain(out, 15);
	assert_true(body_sent(&b));
	/* The next one begins anew. */
	body_start(&b, out, false);
	assert_true(body_wants(&b, &offset));
	assert_int_equal(offset, 0);
	body_free(&b);
	evbuffer_free(out);
}

/* One piece under way, one held before 354, and no more than the host takes. */
static void
test_pressure(void **ctx)
{
	struct evbuffer *out = evbuffer_new();
	struct body b;
	uint64_t offset;

	(void)ctx;
	body_init(&b);
	body_start(&b, out, false);
	assert_true(body_wants(&b, &offset));
	assert_int_equal(take(&b, CARRY_PIECE, false, CARRY_BODY_OK), 0);
	assert_false(body_wants(&b, &offset));
	body_open(&b);
	assert_true(body_wants(&b, &offset));
	assert_int_equal(offset, CARRY_PIECE);
	assert_false(body_wants(&b, &offset));
	assert_int_equal(take(&b, CARRY_PIECE, false, CARRY_BODY_OK), 0);
	assert_false(body_wants(&b, &offset)); /* two pieces are in out */
	evbuffer_drain(out, CARRY_PIECE);
	assert_true(body_wants(&b, &offset));
	assert_int_equal(offset, 2 * CARRY_PIECE);
	assert_int_equal(take(&b, 0, true, CARRY_BODY_OK), 0);
	assert_int_equal(evbuffer_get_length(out), CARRY_PIECE + 2 + 3);
	body_free(&b);
	evbuffer_free(out);
}

static void
test_bad(void **ctx)
{
	struct evbuffer *out = evbuffer_new();
	struct body b;

	(void)ctx;
	body_init(&b);
	body_start(&b, out, false);
	assert_int_equal(take(&b, 10, false, CARRY_BODY_OK), -1); /* short */
	assert_int_equal(take(&b, 0, true, CARRY_BODY_GONE), -1);
	assert_int_equal(take(&b, 0, true, CARRY_BODY_UNAVAILABLE), -1);
	body_open(&b);
	assert_int_equal(evbuffer_get_length(out), 0); /* and no dot */
	body_free(&b);
	evbuffer_free(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_pressure),
		cmocka_unit_test(test_bad),
	};

	memset(filler, 'x', sizeof(filler));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * streaming - files wait while mail streams in, but not for ever
 *
 * What was taken is written to files settle_ms later; while more keeps coming
 * and memory has room, five times as late.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/ident.h"
#include "lib/base/mono.h"
#include "queue/queue.h"
#include "regress/unit/folder.h"

#define SIZE 3000
#define SETTLE 400u
#define LATEST (5 * SETTLE)
#define GAP 35u /* ms between two messages that still are one stream */

struct stream {
	struct queue *q;
	uint64_t first, last, gap; /* ms; the longest pause between two */
	unsigned taken;
};

static void
on_loaded(void *ctx)
{
	*(bool *)ctx = true;
}

static void
on_taken(void *ctx, enum queue_status status)
{
	struct stream *s = ctx;
	uint64_t now = mono_ms();

	assert_int_equal(status, QUEUE_OK);
	if (s->taken++ == 0)
		s->first = now;
	else if (now - s->last > s->gap)
		s->gap = now - s->last;
	s->last = now;
}

static void
turn(struct queue *q)
{
	struct pollfd p = { queue_fd(q), POLLIN, 0 };

	(void)poll(&p, 1, 10);
	queue_turn(q);
}

static void
put(struct stream *s)
{
	static const char image[] = "spool-envelope: 1\n";
	unsigned before = s->taken;
	struct queue_text text;
	enum queue_status why;
	struct queue_txn *t;
	char body[SIZE];

	memset(body, 'x', sizeof(body));
	memcpy(body + sizeof(body) - 2, "\r\n", 2);
	t = queue_begin(s->q, &why);
	assert_non_null(t);
	text.evpid = ident_evpid(queue_txn_id(t), 1);
	text.text = image;
	text.len = sizeof(image) - 1;
	(void)queue_write(t, body, sizeof(body));
	queue_commit(t, &text, 1, NULL, 0, on_taken, s);
	while (s->taken == before)
		turn(s->q);
}

static unsigned
settled(struct stream *s)
{
	struct queue_stats now;

	queue_stats(s->q, &now);
	return (unsigned)now.settled;
}

static void
begin(struct stream *s, const char *path, size_t body_cap)
{
	bool loaded = false;
	struct queue_loader loader = { .loaded = on_loaded, .ctx = &loaded };
	struct queue_options o = { .path = path,
		.settle_ms = SETTLE,
		.body_cap = body_cap,
		.journal_size = 64 * 1024 * 1024,
		.reserve_percent = UINT32_MAX };
	char err[256];

	memset(s, 0, sizeof(*s));
	s->q = queue_open(&o, err, sizeof(err));
	if (s->q == NULL)
		fail_msg("%s", err);
	queue_load(s->q, &loader);
	while (!loaded)
		turn(s->q);
}

/* Until the first is in a file; when that was, since it was taken. */
static uint64_t
stream(struct stream *s)
{
	while (settled(s) == 0) {
		put(s);
		turn(s->q);
	}
	return mono_ms() - s->first;
}

static void
test_waits(void **state)
{
	struct stream s;
	uint64_t after;

	begin(&s, *state, 0);
	after = stream(&s);
	/* A machine that stood still made a pause of its own. */
	if (s.gap < GAP)
		assert_in_range(after, LATEST - GAP, UINT64_MAX);
	while (settled(&s) < s.taken)
		turn(s.q);
	queue_close(s.q, 1000);
}

static void
test_stream_ends(void **state)
{
	struct stream s;

	begin(&s, *state, 0);
	do
		put(&s);
	while (mono_ms() < s.first + SETTLE);
	while (settled(&s) < s.taken)
		turn(s.q);
	assert_in_range(mono_ms() - s.last, 0, LATEST - SETTLE - 1);
	queue_close(s.q, 1000);
}

/* Bodies that fill seven eighths of their memory are written when due. */
static void
test_no_room(void **state)
{
	struct stream s;

	begin(&s, *state, 24 * 1024);
	assert_in_range(stream(&s), 0, LATEST - 1);
	assert_true(s.taken >= 7);
	queue_close(s.q, 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_waits, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(
		    test_stream_ends, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(
		    test_no_room, folder_make, folder_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A delivery between a spooler that answers at once and an agent played by
 * the test at the other end of a socket pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/mda/delivery.h"
#include "lib/base/unixsock.h"

struct stage {
	struct event_base *base;
	struct delivery *d;
	int agent; /* our end */
	uint8_t *body;
	size_t size;
	uint64_t bad_from; /* the spooler cannot read on from here */
	enum carry_body_status bad;
	unsigned wants, kills, ends;
	struct ending e;

	uint8_t *got;
	size_t got_len;
	bool eof;
};

/* Answers inside the call, as no spooler would: nothing may break. */
static void
want(void *ctx, uint64_t offset)
{
	struct stage *s = ctx;
	struct carry_body b = { .status = CARRY_BODY_OK };

	s->wants++;
	if (offset >= s->bad_from) {
		b.status = s->bad;
	} else {
		b.data = s->body + offset;
		b.len = s->size - offset;
		b.last = true;
		if (b.len > CARRY_PIECE) {
			b.len = CARRY_PIECE;
			b.last = false;
		}
	}
	delivery_body(s->d, &b);
}

static void
kill_agent(void *ctx)
{
	struct stage *s = ctx;

	s->kills++;
}

static void
ended(void *ctx, const struct ending *e)
{
	struct stage *s = ctx;

	s->ends++;
	s->e = *e;
}

static const struct delivery_owner owner = { want, kill_agent, ended };

static void
begin(struct stage *s, size_t size, unsigned patience, unsigned grace)
{
	int pair[2];
	size_t i;

	memset(s, 0, sizeof(*s));
	s->base = event_base_new();
	s->size = size;
	s->bad_from = UINT64_MAX;
	s->body = malloc(size + 1);
	s->got = malloc(size + 1);
	assert_non_null(s->body);
	assert_non_null(s->got);
	for (i = 0; i < size; i++)
		s->body[i] = (uint8_t)(i * 31 + i / 251);
	assert_int_equal(unixsock_pair(pair), 0);
	s->agent = pair[0];
	s->d = delivery_new(s->base, "maildir", &owner, s, patience, grace);
	delivery_started(s->d, pair[1]);
}

static void
finish(struct stage *s)
{
	delivery_free(s->d);
	event_base_free(s->base);
	if (s->agent != -1)
		close(s->agent);
	free(s->body);
	free(s->got);
}

static void
turn(struct stage *s)
{
	event_base_loop(s->base, EVLOOP_NONBLOCK);
}

/* Reads as the agent does, until the end or len octets. */
static void
take(struct stage *s, size_t len)
{
	ssize_t n;

	while (!s->eof && s->got_len < len) {
		n = read(s->agent, s->got + s->got_len, len - s->got_len);
		if (n > 0)
			s->got_len += (size_t)n;
		else if (n == 0)
			s->eof = true;
		else
			assert_int_equal(errno, EAGAIN);
		turn(s);
	}
}

static void
take_all(struct stage *s)
{
	char c;

	take(s, s->size);
	while (!s->eof) {
		turn(s);
		switch (read(s->agent, &c, 1)) {
		case 0:
			s->eof = true;
			break;
		case 1:
			fail_msg("more than the body came");
		}
	}
	assert_int_equal(s->got_len, s->size);
	assert_memory_equal(s->got, s->body, s->size);
}

static void
leave(struct stage *s, const char *said, int64_t status)
{
	assert_int_equal(
	    write(s->agent, said, strlen(said)), (int)strlen(said));
	close(s->agent);
	s->agent = -1;
	delivery_exited(s->d, status);
	while (s->ends == 0)
		event_base_loop(s->base, EVLOOP_ONCE);
	turn(s);
	assert_int_equal(s->ends, 1);
}

static void
test_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, CARRY_PIECE / 2,
		CARRY_PIECE - 1, CARRY_PIECE, CARRY_PIECE + 1,
		2 * CARRY_PIECE - 1, 2 * CARRY_PIECE, 2 * CARRY_PIECE + 1,
		3000000 };
	struct stage s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		begin(&s, sizes[i], 60000, 60000);
		take_all(&s);
		assert_int_equal(s.ends, 0);
		leave(&s, "", 0);
		assert_int_equal(s.e.result, CARRY_DONE);
		assert_string_equal(
		    s.e.status, "250 2.0.0 delivered to maildir");
		assert_int_equal(s.kills, 0);
		finish(&s);
	}
}

static void
test_slow_agent_holds_the_spooler_back(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, 10000000, 60000, 60000);
	turn(&s);
	turn(&s);
	/* What the socket takes, and a piece and a half. */
	assert_true(s.wants < 12);
	take_all(&s);
	leave(&s, "", 0);
	finish(&s);
}

static void
test_agent_that_ends_early(void **state)
{
	static const char said[] = "5.4.6 mail loop\n";
	struct stage s;

	(void)state;
	begin(&s, 10000000, 60000, 60000);
	take(&s, 1000);
	leave(&s, said, 65 << 8);
	assert_int_equal(s.e.result, CARRY_NEVER);
	assert_string_equal(s.e.status, "550 5.4.6 mail loop");
	assert_int_equal(s.kills, 0);
	finish(&s);
}

static void
test_agent_that_talks_too_much(void **state)
{
	static char said[20000];
	struct stage s;

	(void)state;
	memset(said, 'x', sizeof(said) - 1);
	begin(&s, 10, 60000, 60000);
	take_all(&s);
	leave(&s, said, 75 << 8);
	assert_int_equal(s.e.result, CARRY_LATER);
	assert_memory_equal(s.e.status, "451 4.3.0 xxx", 13);
	finish(&s);
}

static void
test_body_that_cannot_be_read(void **state)
{
	static const enum carry_body_status bads[] = { CARRY_BODY_UNAVAILABLE,
		CARRY_BODY_GONE };
	static const char *const wants[] = {
		"451 4.3.0 the message cannot be read now",
		"451 4.3.0 the message is gone from the spool"
	};
	struct stage s;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		begin(&s, 3 * CARRY_PIECE, 60000, 60000);
		s.bad_from = CARRY_PIECE;
		s.bad = bads[i];
		take(&s, CARRY_PIECE);
		turn(&s);
		assert_int_equal(s.kills, 1);
		/* It must never take what came for the whole. */
		assert_int_equal(recv(s.agent, s.got, 1, 0), -1);
		leave(&s, "4.3.0 delivery was stopped\n", 75 << 8);
		assert_int_equal(s.e.result, CARRY_LATER);
		assert_string_equal(s.e.status, wants[i]);
		finish(&s);
	}
}

static void
test_agent_that_hangs(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, 10, 20, 20);
	while (s.ends == 0)
		event_base_loop(s.base, EVLOOP_ONCE);
	assert_int_equal(s.kills, 2);
	assert_int_equal(s.e.result, CARRY_LATER);
	assert_string_equal(
	    s.e.status, "451 4.3.0 the agent cannot be stopped");
	finish(&s);

	begin(&s, 10, 20, 60000);
	while (s.kills == 0)
		event_base_loop(s.base, EVLOOP_ONCE);
	leave(&s, "", 15);
	assert_string_equal(s.e.status, "451 4.3.0 the agent took too long");
	finish(&s);

	/* It was done just then: delivered is delivered. */
	begin(&s, 10, 20, 60000);
	while (s.kills == 0)
		event_base_loop(s.base, EVLOOP_ONCE);
	leave(&s, "", 0);
	assert_int_equal(s.e.result, CARRY_DONE);
	finish(&s);
}

static void
test_socket_held_open_after_the_exit(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, 10, 60000, 20);
	take_all(&s);
	delivery_exited(s.d, 0);
	while (s.ends == 0)
		event_base_loop(s.base, EVLOOP_ONCE);
	assert_int_equal(s.e.result, CARRY_DONE);
	finish(&s);
}

static void
test_not_started(void **state)
{
	struct stage s = { .agent = -1 };

	(void)state;
	s.base = event_base_new();
	s.d = delivery_new(s.base, "mbox", &owner, &s, 60000, 60000);
	delivery_not_started(s.d, "5.1.1 no such user x");
	assert_int_equal(s.ends, 1);
	assert_int_equal(s.e.result, CARRY_NEVER);
	delivery_exited(s.d, 0);
	assert_int_equal(s.ends, 1);
	finish(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_slow_agent_holds_the_spooler_back),
		cmocka_unit_test(test_agent_that_ends_early),
		cmocka_unit_test(test_agent_that_talks_too_much),
		cmocka_unit_test(test_body_that_cannot_be_read),
		cmocka_unit_test(test_agent_that_hangs),
		cmocka_unit_test(test_socket_held_open_after_the_exit),
		cmocka_unit_test(test_not_started),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

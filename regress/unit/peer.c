/* peer: messages of any size and descriptors cross, in order, however the
 * stream is cut; pausing and draining work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "daemon/proc/peer.h"
#include "lib/base/log.h"
#include "lib/base/unixsock.h"
#include "lib/proto/frame.h"

enum {
	NUMBER = 0x7001,
	BULK,
	WITH_FD,
	UNKNOWN
};

struct seen {
	struct event_base *base;
	uint32_t next; /* the number that is expected */
	uint32_t last;
	size_t octets;
	unsigned fds, closed, drained, breaches;
};

static int
on_number(void *arg, struct message *m)
{
	struct seen *s = arg;
	uint32_t v = unpack_u32(&m->body);

	assert_int_equal(v, s->next);
	if (s->next++ == s->last)
		event_base_loopbreak(s->base);
	return unpack_done(&m->body);
}

static int
on_bulk(void *arg, struct message *m)
{
	struct seen *s = arg;
	size_t len, i;
	const uint8_t *p = unpack_bytes(&m->body, &len);

	for (i = 0; i < len; i++)
		assert_int_equal(p[i], (uint8_t)(i * 31));
	s->octets += len;
	return unpack_done(&m->body);
}

static int
on_fd(void *arg, struct message *m)
{
	struct seen *s = arg;
	char c;

	assert_int_not_equal(m->fd, -1);
	assert_int_equal(read(m->fd, &c, 1), 1);
	assert_int_equal(c, 'a' + (int)s->fds);
	s->fds++;
	return unpack_done(&m->body);
}

static const struct handler handlers[] = {
	{ NUMBER, "number", on_number },
	{ BULK, "bulk", on_bulk },
	{ WITH_FD, "with-fd", on_fd },
};

static void
on_close(void *arg)
{
	struct seen *s = arg;

	s->closed++;
	event_base_loopbreak(s->base);
}

static void
on_drain(void *arg)
{
	((struct seen *)arg)->drained++;
}

static void
send_number(struct peer *p, uint32_t v)
{
	pack_u32(peer_begin(p), v);
	peer_send(p, NUMBER);
}

static void
crosses_in_order(void **state)
{
	static uint8_t bulk[FRAME_MAX - 16];
	struct seen s = { .base = event_base_new(), .last = 499 };
	struct peer *a, *b;
	int pair[2], pipefd[2];
	uint32_t i;
	char c;

	(void)state;
	for (i = 0; i < sizeof(bulk); i++)
		bulk[i] = (uint8_t)(i * 31);
	assert_int_equal(unixsock_pair(pair), 0);
	a = peer_new(s.base, pair[0], ROLE_SMTP, NULL, NULL);
	b = peer_new(s.base, pair[1], ROLE_SPOOLER, on_close, &s);
	peer_handlers(b, handlers, 3, &s);
	peer_on_drain(a, 1000, on_drain, &s);
	for (i = 0; i < 500; i++) {
		if (i % 100 == 50) {
			pack_bytes(peer_begin(a), bulk, sizeof(bulk));
			peer_send(a, BULK);
		}
		if (i % 20 == 10) {
			assert_int_equal(pipe(pipefd), 0);
			c = (char)('a' + i / 20);
			assert_int_equal(write(pipefd[1], &c, 1), 1);
			close(pipefd[1]);
			peer_begin(a);
			peer_send_fd(a, WITH_FD, pipefd[0]);
		}
		send_number(a, i);
	}
	event_base_dispatch(s.base);
	assert_int_equal(s.next, 500);
	assert_int_equal(s.octets, 5 * sizeof(bulk));
	assert_int_equal(s.fds, 25);
	assert_int_equal(s.drained, 1);
	assert_int_equal(peer_queued(a), 0);
	peer_free(a);
	event_base_dispatch(s.base);
	assert_int_equal(s.closed, 1);
	peer_begin(b);
	peer_send(b, NUMBER); /* goes nowhere, harms nothing */
	peer_free(b);
	event_base_free(s.base);
}

/* One octet at a time, and a pause in between. */
static void
survives_any_cut(void **state)
{
	struct seen s = { .base = event_base_new(), .last = 2 };
	uint8_t stream[3 * (FRAME_HEADER + 5)], *at = stream;
	struct buf *fields = buf_new(64);
	struct frame f = { .len = 5, .type = NUMBER };
	struct peer *b;
	int pair[2];
	uint32_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		buf_reset(fields);
		pack_u32(fields, i);
		frame_put(at, &f);
		memcpy(at + FRAME_HEADER, buf_data(fields), 5);
		at += FRAME_HEADER + 5;
	}
	assert_int_equal(unixsock_pair(pair), 0);
	b = peer_new(s.base, pair[1], ROLE_SPOOLER, on_close, &s);
	peer_handlers(b, handlers, 3, &s);
	for (i = 0; i < sizeof(stream); i++) {
		if (i == 20)
			peer_pause(b);
		if (i == 30) {
			assert_int_equal(s.next, 1);
			peer_resume(b);
		}
		assert_int_equal(write(pair[0], stream + i, 1), 1);
		event_base_loop(s.base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(s.next, 3);
	close(pair[0]);
	event_base_dispatch(s.base);
	assert_int_equal(s.closed, 1);
	peer_free(b);
	buf_free(fields);
	event_base_free(s.base);
}

static void
on_breach(void *arg)
{
	((struct seen *)arg)->breaches++;
}

/* Who must live on is told once, and hears no more of that peer. */
static void
a_breach_ends_the_peer_only(void **state)
{
	struct seen s = { .base = event_base_new(), .last = 100 };
	struct peer *a, *b;
	int pair[2];

	(void)state;
	assert_int_equal(unixsock_pair(pair), 0);
	a = peer_new(s.base, pair[0], ROLE_MDA, NULL, NULL);
	b = peer_new(s.base, pair[1], ROLE_PARENT, NULL, NULL);
	peer_handlers(b, handlers, 3, &s);
	peer_on_breach(b, on_breach, &s);
	send_number(a, 0);
	peer_begin(a);
	peer_send(a, UNKNOWN);
	send_number(a, 1);
	peer_flush(a, 1000);
	event_base_loop(s.base, EVLOOP_NONBLOCK);
	assert_int_equal(s.next, 1);
	assert_int_equal(s.breaches, 1);
	send_number(a, 1);
	peer_flush(a, 1000);
	event_base_loop(s.base, EVLOOP_NONBLOCK);
	assert_int_equal(s.next, 1);
	assert_int_equal(s.breaches, 1);
	peer_free(a);
	peer_free(b);
	event_base_free(s.base);
}

/* More than one turn's worth, without a turn. */
static void
finishes_what_has_come(void **state)
{
	struct seen s = { .base = event_base_new(), .last = UINT32_MAX };
	struct peer *a, *b;
	int pair[2];
	uint32_t i;

	(void)state;
	assert_int_equal(unixsock_pair(pair), 0);
	a = peer_new(s.base, pair[0], ROLE_MTA, NULL, NULL);
	b = peer_new(s.base, pair[1], ROLE_SPOOLER, on_close, &s);
	peer_handlers(b, handlers, 3, &s);
	for (i = 0; i < 500; i++)
		send_number(a, i);
	peer_flush(a, 1000);
	peer_free(a);
	peer_finish(b);
	assert_int_equal(s.next, 500);
	assert_int_equal(s.closed, 1);
	peer_free(b);
	event_base_free(s.base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crosses_in_order),
		cmocka_unit_test(survives_any_cut),
		cmocka_unit_test(a_breach_ends_the_peer_only),
		cmocka_unit_test(finishes_what_has_come),
	};

	return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}

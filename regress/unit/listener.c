#include "daemon/net/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/log.h"

struct seen {
	struct event_base *base;
	struct listener *listener;
	int accepted;
	int pause_at; /* pauses once that many came */
	int fds[256];
};

static void
on_accept(void *arg, int fd, const struct sockaddr *from, socklen_t len)
{
	struct seen *s = arg;

	assert_int_equal(from->sa_family, AF_INET);
	assert_int_equal(len, sizeof(struct sockaddr_in));
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	s->fds[s->accepted++] = fd;
	if (s->accepted == s->pause_at)
		listener_pause(s->listener);
}

static int
open_any(struct sockaddr_in *in)
{
	socklen_t len = sizeof(*in);
	int fd;

	memset(in, 0, sizeof(*in));
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = listener_open((struct sockaddr *)in, sizeof(*in));
	assert_true(fd != -1);
	assert_int_equal(getsockname(fd, (struct sockaddr *)in, &len), 0);
	return fd;
}

static int
dial(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd != -1);
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)to, sizeof(*to)), 0);
	return fd;
}

static void
pauses_and_resumes(void **state)
{
	struct seen s = { .base = event_base_new(), .pause_at = 2 };
	struct sockaddr_in at;
	int i, fds[5];

	(void)state;
	s.listener = listener_new(s.base, open_any(&at), on_accept, &s);
	for (i = 0; i < 5; i++)
		fds[i] = dial(&at);
	event_base_loop(s.base, EVLOOP_NONBLOCK);
	event_base_loop(s.base, EVLOOP_NONBLOCK);
	assert_int_equal(s.accepted, 2);
	listener_resume(s.listener);
	while (s.accepted < 5)
		event_base_loop(s.base, EVLOOP_ONCE);
	for (i = 0; i < 5; i++) {
		close(fds[i]);
		close(s.fds[i]);
	}
	listener_free(s.listener);
	event_base_free(s.base);
}

/* Out of descriptors it must neither spin nor lose who waits. */
static void
rests_without_descriptors(void **state)
{
	struct seen s = { .base = event_base_new() };
	struct rlimit was, low;
	struct sockaddr_in at;
	int fd, spare, turns = 0;

	(void)state;
	s.listener = listener_new(s.base, open_any(&at), on_accept, &s);
	fd = dial(&at);
	spare = dup(fd);
	close(spare);
	getrlimit(RLIMIT_NOFILE, &was);
	low = was;
	low.rlim_cur = (rlim_t)spare;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	event_base_loop(s.base, EVLOOP_ONCE);
	assert_int_equal(s.accepted, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	while (s.accepted == 0) {
		event_base_loop(s.base, EVLOOP_ONCE);
		turns++;
	}
	assert_true(turns <= 3);
	close(s.fds[0]);
	close(fd);
	listener_free(s.listener);
	event_base_free(s.base);
}

static void
refuses_a_taken_port(void **state)
{
	struct sockaddr_in at;
	int fd = open_any(&at);

	(void)state;
	assert_int_equal(listener_open((struct sockaddr *)&at, sizeof(at)), -1);
	assert_int_equal(errno, EADDRINUSE);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_and_resumes),
		cmocka_unit_test(rests_without_descriptors),
		cmocka_unit_test(refuses_a_taken_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "daemon/net/listener.h"

#include <netinet/in.h>

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

#define TURN 64 /* connections */
#define REST_US 250000 /* when descriptors have run out */

struct listener {
	int fd;
	struct event *readable, *rested;
	bool paused;
	bool resting;
	bool told; /* of the rest; once until it is over */
	void (*on_accept)(
	    void *arg, int fd, const struct sockaddr *from, socklen_t len);
	void *arg;
};

int
listener_open(const struct sockaddr *addr, socklen_t len)
{
	int fd, saved, on = 1;

	fd = socket(
	    addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
		goto fail;
	if (addr->sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1)
		goto fail;
	if (bind(fd, addr, len) == -1 || listen(fd, LISTENER_BACKLOG) == -1)
		goto fail;
	return fd;
fail:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void
rest(struct listener *l, int why)
{
	static const struct timeval span = { 0, REST_US };

	if (!l->told)
		log_warn("event=accept-rests reason=\"%s\"", strerror(why));
	l->told = true;
	l->resting = true;
	event_del(l->readable);
	event_add(l->rested, &span);
}

static void
on_rested(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	l->resting = false;
	if (!l->paused)
		event_add(l->readable, NULL);
}

/* on_accept may pause, but not free, the listener. */
static void
on_readable(evutil_socket_t lfd, short what, void *arg)
{
	struct listener *l = arg;
	struct sockaddr_storage from;
	socklen_t len;
	int fd, i;

	(void)what;
	for (i = 0; i < TURN && !l->paused; i++) {
		len = sizeof(from);
		fd = accept4(lfd, (struct sockaddr *)&from, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd != -1) {
			l->told = false;
			l->on_accept(l->arg, fd, (struct sockaddr *)&from, len);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			rest(l, errno);
		else if (errno == ECONNABORTED || errno == EINTR)
			continue; /* that one has gone; there may be more */
		return;
	}
}

struct listener *
listener_new(struct event_base *base, int fd,
    void (*on_accept)(
	void *arg, int fd, const struct sockaddr *from, socklen_t len),
    void *arg)
{
	struct listener *l = mem_zalloc(sizeof(*l));

	l->fd = fd;
	l->on_accept = on_accept;
	l->arg = arg;
	l->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, l);
	l->rested = evtimer_new(base, on_rested, l);
	if (l->readable == NULL || l->rested == NULL ||
	    event_add(l->readable, NULL) == -1)
		fatal("event=listen-failed reason=\"no event\"");
	return l;
}

void
listener_pause(struct listener *l)
{
	l->paused = true;
	event_del(l->readable);
}

void
listener_resume(struct listener *l)
{
	l->paused = false;
	if (!l->resting)
		event_add(l->readable, NULL);
}

void
listener_free(struct listener *l)
{
	if (l == NULL)
		return;
	event_free(l->readable);
	event_free(l->rested);
	close(l->fd);
	free(l);
}

#include "daemon/mta/wire.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/edge/carry.h"
#include "daemon/mta/tls.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define TURN_OCTETS (64u * 1024)

struct wire {
	struct event_base *base;
	const struct wire_ops *ops;
	void *arg;
	int fd; /* -1: the bufferevent's */
	struct event *connected;
	struct event *failed; /* told from the loop's tail */
	int error;
	enum wire_fault fault;
	struct bufferevent *bev;
	SSL *ssl; /* the bufferevent's */
	bool shaking; /* hands */
	bool heard; /* anything under TLS */
	bool dirty; /* no orderly end of TLS is possible */
};

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct wire *w = arg;

	w->heard = true;
	w->ops->on_data(w->arg, bufferevent_get_input(bev));
}

static void
on_write(struct bufferevent *bev, void *arg)
{
	struct wire *w = arg;

	(void)bev;
	w->ops->on_room(w->arg);
}

/* A host may say why it closes while we write, and its words are there still
 * when writing has failed. */
static void
hear_last_words(struct wire *w)
{
	struct evbuffer *last = evbuffer_new();
	char octets[4096];
	size_t all = 0;
	int n;

	if (last == NULL)
		return;
	if (w->ssl == NULL)
		(void)evbuffer_read(last, w->fd, TURN_OCTETS);
	while (w->ssl != NULL && all < TURN_OCTETS &&
	    (n = SSL_read(w->ssl, octets, sizeof(octets))) > 0) {
		evbuffer_add(last, octets, (size_t)n);
		all += (size_t)n;
	}
	ERR_clear_error();
	if (evbuffer_get_length(last) > 0) {
		w->heard = true;
		w->ops->on_data(w->arg, last);
	}
	evbuffer_free(last);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct wire *w = arg;
	int error = what & BEV_EVENT_EOF ? 0 : errno;
	char why[TLS_WHY_MAX];
	unsigned long fault = 0;

	if (what & BEV_EVENT_CONNECTED) {
		w->shaking = false;
		w->ops->on_secure(w->arg);
		return;
	}
	w->dirty = true;
	if (w->ssl != NULL)
		fault = bufferevent_get_openssl_error(bev);
	if (what & BEV_EVENT_WRITING && !w->shaking)
		hear_last_words(w);
	/* By TLS 1.3 a host says only later that it wants another certificate
	 * of ours: what ends it before a word was heard is the handshake
	 * still. */
	if (w->ssl != NULL && !w->heard) {
		tls_failure(w->ssl, fault, error, why);
		w->ops->on_down(w->arg, WIRE_TLS, why);
		return;
	}
	w->ops->on_down(w->arg, WIRE_LOST,
	    fault != 0 || error == 0 ? "connection closed" : strerror(error));
}

static void
set_up(struct wire *w)
{
	if (w->bev == NULL)
		fatal("out of memory: a connection");
	bufferevent_setcb(w->bev, on_read, on_write, on_event, w);
	bufferevent_setwatermark(w->bev, EV_READ, 0, TURN_OCTETS);
	bufferevent_setwatermark(w->bev, EV_WRITE, CARRY_PIECE, 0);
	bufferevent_enable(w->bev, EV_READ | EV_WRITE);
}

static void
on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct wire *w = arg;
	socklen_t len = sizeof(w->error);
	int one = 1;

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &w->error, &len) == -1)
		w->error = errno;
	if (w->error != 0) {
		w->ops->on_down(w->arg, WIRE_CONNECT, strerror(w->error));
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	w->bev = bufferevent_socket_new(w->base, fd, 0);
	set_up(w);
	w->ops->on_up(w->arg);
}

static void
on_failed(evutil_socket_t fd, short what, void *arg)
{
	struct wire *w = arg;

	(void)fd;
	(void)what;
	w->ops->on_down(w->arg, w->fault, strerror(w->error));
}

static void
fail(struct wire *w, enum wire_fault fault)
{
	w->fault = fault;
	w->error = errno;
	event_active(w->failed, EV_TIMEOUT, 1);
}

static void
start(struct wire *w, const struct wire_ends *e)
{
	const struct sockaddr *addr = (const void *)e->addr;
	int one = 1;

	w->fd = socket(
	    e->addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->fd == -1) {
		fail(w, WIRE_CONNECT);
		return;
	}
	if (e->sourcelen > 0) {
		/* The port is chosen with the destination known: else all
		 * connections from one address share 28,000 ports. */
#ifdef IP_BIND_ADDRESS_NO_PORT
		(void)setsockopt(w->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT,
		    &one, sizeof(one));
#else
		(void)one;
#endif
		if (bind(w->fd, (const void *)e->source, e->sourcelen) == -1) {
			fail(w, WIRE_SOURCE);
			return;
		}
	}
	if (connect(w->fd, addr, e->addrlen) == -1 && errno != EINPROGRESS &&
	    errno != EINTR) {
		fail(w, WIRE_CONNECT);
		return;
	}
	w->connected = event_new(w->base, w->fd, EV_WRITE, on_connected, w);
	if (w->connected == NULL)
		fatal("out of memory: a connection");
	event_add(w->connected, NULL);
}

struct wire *
wire_open(struct event_base *base, const struct wire_ends *ends,
    const struct wire_ops *ops, void *arg)
{
	struct wire *w = mem_zalloc(sizeof(*w));

	w->base = base;
	w->ops = ops;
	w->arg = arg;
	w->failed = evtimer_new(base, on_failed, w);
	if (w->failed == NULL)
		fatal("out of memory: a connection");
	start(w, ends);
	return w;
}

void
wire_free(struct wire *w)
{
	if (w->ssl != NULL && !w->dirty && !w->shaking) {
		/* Says that this is the end; nobody waits for an answer. */
		SSL_set_shutdown(w->ssl, SSL_RECEIVED_SHUTDOWN);
		(void)SSL_shutdown(w->ssl);
		ERR_clear_error();
	}
	if (w->bev != NULL)
		bufferevent_free(w->bev);
	if (w->connected != NULL)
		event_free(w->connected);
	event_free(w->failed);
	if (w->fd != -1)
		close(w->fd);
	free(w);
}

void
wire_stop(struct wire *w)
{
	event_del(w->failed);
	if (w->connected != NULL)
		event_del(w->connected);
	if (w->bev == NULL)
		return;
	bufferevent_disable(w->bev, EV_READ | EV_WRITE);
	bufferevent_setcb(w->bev, NULL, NULL, NULL, NULL);
}

void
wire_put(struct wire *w, const void *octets, size_t n)
{
	if (bufferevent_write(w->bev, octets, n) == -1)
		fatal("out of memory: a command");
}

struct evbuffer *
wire_output(struct wire *w)
{
	return bufferevent_get_output(w->bev);
}

void
wire_secure(struct wire *w, SSL *ssl)
{
	/* What has come goes with its buffer. */
	bufferevent_setcb(w->bev, NULL, NULL, NULL, NULL);
	bufferevent_free(w->bev);
	w->ssl = ssl;
	w->shaking = true;
	w->heard = false;
	w->bev = bufferevent_openssl_socket_new(w->base, w->fd, ssl,
	    BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
	w->fd = -1;
	set_up(w);
	bufferevent_openssl_set_allow_dirty_shutdown(w->bev, 1);
}

SSL *
wire_ssl(const struct wire *w)
{
	return w->ssl;
}

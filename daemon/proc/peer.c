#include "daemon/proc/peer.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/edge/query.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/proto/frame.h"

#define TURN_MESSAGES 64
#define INPUT_FIRST (64u * 1024)
#define INPUT_MAX (FRAME_HEADER + FRAME_MAX)
#define FDS_WAITING 16 /* descriptors read ahead of their frames */
#define VECTORS 8

/* A descriptor on its way out: it goes with the first octet of its frame. */
struct passing {
	uint64_t at; /* offset in the stream of octets sent */
	int fd;
	struct passing *next;
};

struct table {
	const struct handler *handlers;
	size_t n;
	void *arg;
};

struct peer {
	struct event_base *base;
	int fd;
	enum role who;
	struct event *readable, *writable;
	struct table tables[PEER_TABLES];
	size_t ntables;
	void (*on_close)(void *arg);
	void *close_arg;
	void (*on_breach)(void *arg);
	void *breach_arg;
	bool closed, paused;

	uint8_t *in; /* not yet dispatched: in[in_from..in_to) */
	size_t in_from, in_to, in_size;
	int fds[FDS_WAITING];
	size_t nfds;

	struct evbuffer *out;
	struct buf *composing;
	uint64_t written; /* octets, since the start */
	struct passing *passing, **passing_tail;
	void (*on_drain)(void *arg);
	void *drain_arg;
	size_t drain_low;
	bool above; /* the low mark, since the last drain */
};

static void
close_peer(struct peer *p)
{
	if (p->closed)
		return;
	p->closed = true;
	event_del(p->readable);
	event_del(p->writable);
	evbuffer_drain(p->out, evbuffer_get_length(p->out));
	if (p->on_close != NULL)
		p->on_close(p->close_arg);
}

/* Nothing more is believed of what came. */
static void
breach(struct peer *p, const char *msg, const char *what)
{
	if (p->on_breach == NULL)
		fatal("event=breach peer=%s msg=%s text=%s", role_name(p->who),
		    msg, what);
	log_err("event=breach peer=%s msg=%s text=%s", role_name(p->who), msg,
	    what);
	close_peer(p);
	p->in_from = p->in_to = 0;
	while (p->nfds > 0)
		close(p->fds[--p->nfds]);
	p->on_breach(p->breach_arg);
}

static const struct handler *
find(const struct peer *p, uint16_t type, void **arg)
{
	size_t t, i;

	for (t = 0; t < p->ntables; t++) {
		for (i = 0; i < p->tables[t].n; i++) {
			if (p->tables[t].handlers[i].type == type) {
				*arg = p->tables[t].arg;
				return &p->tables[t].handlers[i];
			}
		}
	}
	return NULL;
}

static void
dispatch(struct peer *p, struct message *m)
{
	bool timed = trace_on(TRACE_PROFILE_IMSG) && m->type != QUERY_LINE;
	uint64_t start = timed ? mono_us() : 0;
	size_t len = m->body.left;
	const struct handler *h;
	char type[8];
	void *arg;

	h = find(p, m->type, &arg);
	if (h == NULL) {
		snprintf(type, sizeof(type), "%#x", m->type);
		breach(p, type, "no such message here");
		return;
	}
	if (m->type != QUERY_LINE)
		trace(TRACE_IMSG, "role=%s peer=%s msg=%s len=%zu",
		    log_program(), role_name(p->who), h->name, len);
	if (h->fn(arg, m) == -1)
		breach(p, h->name, "does not decode");
	if (timed)
		trace(TRACE_PROFILE_IMSG,
		    "profile=imsg role=%s peer=%s msg=%s us=%llu",
		    log_program(), role_name(p->who), h->name,
		    (unsigned long long)(mono_us() - start));
}

/* Takes one frame off the input. False: there is none that is whole. */
static bool
next_message(struct peer *p)
{
	struct message m = { .fd = -1 };
	struct frame f;

	if (p->in_to - p->in_from < FRAME_HEADER)
		return false;
	if (frame_get(p->in + p->in_from, &f) == -1) {
		breach(p, "-", "bad frame");
		return false;
	}
	if (p->in_to - p->in_from - FRAME_HEADER < f.len)
		return false;
	if (f.flags & FRAME_FD) {
		if (p->nfds == 0) {
			breach(p, "-", "a descriptor is missing");
			return false;
		}
		m.fd = p->fds[0];
		p->nfds--;
		memmove(p->fds, p->fds + 1, p->nfds * sizeof(p->fds[0]));
	}
	m.type = f.type;
	unpack_init(&m.body, p->in + p->in_from + FRAME_HEADER, f.len);
	p->in_from += FRAME_HEADER + f.len;
	dispatch(p, &m);
	if (m.fd != -1)
		close(m.fd);
	return true;
}

static void
make_room(struct peer *p)
{
	if (p->in_from > 0) {
		memmove(p->in, p->in + p->in_from, p->in_to - p->in_from);
		p->in_to -= p->in_from;
		p->in_from = 0;
	}
	if (p->in_to == p->in_size && p->in_size < INPUT_MAX) {
		p->in_size = p->in_size == 0 ? INPUT_FIRST : INPUT_MAX;
		p->in = mem_rearray(p->in, p->in_size, 1);
	}
}

static void
keep_fds(struct peer *p, struct msghdr *mh)
{
	struct cmsghdr *c;
	size_t i, n;
	int fd;

	for (c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (p->nfds < FDS_WAITING && !p->closed) {
				p->fds[p->nfds++] = fd;
				continue;
			}
			close(fd);
			if (!p->closed)
				breach(p, "-", "too many descriptors");
		}
	}
}

/* False when nothing more can be read now. */
static bool
fill(struct peer *p)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(FDS_WAITING * sizeof(int))];
	} control;
	struct msghdr mh = { 0 };
	struct iovec iov;
	ssize_t n;

	make_room(p);
	iov.iov_base = p->in + p->in_to;
	iov.iov_len = p->in_size - p->in_to;
	if (iov.iov_len == 0)
		return true; /* dispatch what is here first */
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	mh.msg_control = &control;
	mh.msg_controllen = sizeof(control);
	n = recvmsg(p->fd, &mh, MSG_CMSG_CLOEXEC);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		close_peer(p);
		return false;
	}
	p->in_to += (size_t)n;
	keep_fds(p, &mh);
	return !p->closed;
}

static void
on_readable(int fd, short what, void *arg)
{
	struct peer *p = arg;
	int handled;

	(void)fd;
	if ((what & EV_READ) && !p->closed)
		fill(p);
	for (handled = 0; handled < TURN_MESSAGES; handled++) {
		if (p->paused || !next_message(p))
			return;
	}
	/* More may be waiting here, of which the kernel knows nothing. */
	event_active(p->readable, EV_TIMEOUT, 1);
}

static void
attach(struct msghdr *mh, void *control, size_t size, int fd)
{
	struct cmsghdr *c;

	memset(control, 0, size);
	mh->msg_control = control;
	mh->msg_controllen = size;
	c = CMSG_FIRSTHDR(mh);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

/* One sendmsg. -1 with errno. */
static ssize_t
write_some(struct peer *p)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct evbuffer_iovec v[VECTORS];
	struct iovec iov[VECTORS];
	struct msghdr mh = { 0 };
	struct passing *pass = p->passing, *after;
	ev_ssize_t most = -1;
	ssize_t n;
	int i, nv;

	after = pass;
	if (pass != NULL && pass->at == p->written)
		after = pass->next;
	if (after != NULL)
		most = (ev_ssize_t)(after->at - p->written);
	nv = evbuffer_peek(p->out, most, NULL, v, VECTORS);
	if (nv > VECTORS)
		nv = VECTORS;
	for (i = 0; i < nv; i++) {
		iov[i].iov_base = v[i].iov_base;
		iov[i].iov_len = v[i].iov_len;
		if (most >= 0 && (ev_ssize_t)iov[i].iov_len > most)
			iov[i].iov_len = (size_t)most;
		if (most >= 0)
			most -= (ev_ssize_t)iov[i].iov_len;
	}
	mh.msg_iov = iov;
	mh.msg_iovlen = (size_t)nv;
	if (pass != NULL && pass->at == p->written)
		attach(&mh, &control, sizeof(control), pass->fd);
	n = sendmsg(p->fd, &mh, MSG_NOSIGNAL);
	if (n > 0 && mh.msg_control != NULL) {
		p->passing = pass->next;
		if (p->passing == NULL)
			p->passing_tail = &p->passing;
		close(pass->fd);
		free(pass);
	}
	return n;
}

static void
drained(struct peer *p)
{
	if (p->above && evbuffer_get_length(p->out) <= p->drain_low) {
		p->above = false;
		if (p->on_drain != NULL)
			p->on_drain(p->drain_arg);
	}
}

static void
on_writable(int fd, short what, void *arg)
{
	struct peer *p = arg;
	ssize_t n;

	(void)fd;
	(void)what;
	while (evbuffer_get_length(p->out) > 0) {
		n = write_some(p);
		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			event_add(p->writable, NULL);
			drained(p);
			return;
		}
		if (n == -1) {
			close_peer(p);
			return;
		}
		p->written += (uint64_t)n;
		evbuffer_drain(p->out, (size_t)n);
	}
	if (event_pending(p->writable, EV_WRITE, NULL))
		event_del(p->writable);
	drained(p);
}

struct peer *
peer_new(struct event_base *base, int fd, enum role who,
    void (*on_close)(void *arg), void *arg)
{
	struct peer *p = mem_zalloc(sizeof(*p));

	p->base = base;
	p->fd = fd;
	p->who = who;
	p->on_close = on_close;
	p->close_arg = arg;
	p->passing_tail = &p->passing;
	p->composing = buf_new(FRAME_MAX);
	p->out = evbuffer_new();
	p->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, p);
	p->writable =
	    event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, p);
	if (p->out == NULL || p->readable == NULL || p->writable == NULL)
		fatal("out of memory: a peer");
	evutil_make_socket_nonblocking(fd);
	event_add(p->readable, NULL);
	return p;
}

void
peer_free(struct peer *p)
{
	struct passing *pass;

	if (p == NULL)
		return;
	event_free(p->readable);
	event_free(p->writable);
	evbuffer_free(p->out);
	buf_free(p->composing);
	while ((pass = p->passing) != NULL) {
		p->passing = pass->next;
		close(pass->fd);
		free(pass);
	}
	while (p->nfds > 0)
		close(p->fds[--p->nfds]);
	free(p->in);
	close(p->fd);
	free(p);
}

void
peer_on_breach(struct peer *p, void (*fn)(void *arg), void *arg)
{
	p->on_breach = fn;
	p->breach_arg = arg;
}

void
peer_handlers(
    struct peer *p, const struct handler *handlers, size_t n, void *arg)
{
	struct table *t = &p->tables[p->ntables++];

	assert(p->ntables <= PEER_TABLES);
	t->handlers = handlers;
	t->n = n;
	t->arg = arg;
}

struct buf *
peer_begin(struct peer *p)
{
	buf_reset(p->composing);
	return p->composing;
}

static void
queue_frame(struct peer *p, uint16_t type, uint16_t flags)
{
	uint8_t header[FRAME_HEADER];
	struct frame f;

	f.len = (uint32_t)buf_len(p->composing);
	f.type = type;
	f.flags = flags;
	frame_put(header, &f);
	/* Written when the handlers of this turn have run, all together. */
	if (evbuffer_get_length(p->out) == 0)
		event_active(p->writable, EV_TIMEOUT, 1);
	if (evbuffer_add(p->out, header, sizeof(header)) == -1 ||
	    evbuffer_add(p->out, buf_data(p->composing), f.len) == -1)
		fatal("out of memory: a message to %s", role_name(p->who));
	if (evbuffer_get_length(p->out) > p->drain_low)
		p->above = true;
}

void
peer_send(struct peer *p, uint16_t type)
{
	if (!p->closed)
		queue_frame(p, type, 0);
}

void
peer_send_fd(struct peer *p, uint16_t type, int fd)
{
	struct passing *pass;

	if (p->closed) {
		close(fd);
		return;
	}
	pass = mem_zalloc(sizeof(*pass));
	pass->at = p->written + evbuffer_get_length(p->out);
	pass->fd = fd;
	*p->passing_tail = pass;
	p->passing_tail = &pass->next;
	queue_frame(p, type, FRAME_FD);
}

size_t
peer_queued(const struct peer *p)
{
	return evbuffer_get_length(p->out);
}

void
peer_on_drain(struct peer *p, size_t low, void (*fn)(void *arg), void *arg)
{
	p->drain_low = low;
	p->on_drain = fn;
	p->drain_arg = arg;
}

void
peer_pause(struct peer *p)
{
	p->paused = true;
	event_del(p->readable);
}

void
peer_resume(struct peer *p)
{
	if (!p->paused || p->closed)
		return;
	p->paused = false;
	event_add(p->readable, NULL);
	event_active(p->readable, EV_TIMEOUT, 1);
}

void
peer_flush(struct peer *p, int ms)
{
	uint64_t until = mono_ms() + (uint64_t)ms;
	struct pollfd pfd = { .fd = p->fd, .events = POLLOUT };
	uint64_t now;

	while (!p->closed && evbuffer_get_length(p->out) > 0) {
		now = mono_ms();
		if (now >= until || poll(&pfd, 1, (int)(until - now)) <= 0)
			return;
		on_writable(p->fd, EV_WRITE, p);
	}
}

void
peer_finish(struct peer *p)
{
	do
		while (next_message(p))
			;
	while (!p->closed && fill(p));
}

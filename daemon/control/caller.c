#include "daemon/control/caller.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/cli/exitcode.h"
#include "lib/proto/frame.h"

#define INPUT_MAX (FRAME_HEADER + FRAME_MAX)
#define REQUEST_MAX (FRAME_MAX - 64u * 1024)
#define WRITE_SIZE (256u * 1024)
#define FLUSH_VECTORS 16

struct caller {
	struct bufferevent *bev;
	struct event *reaper; /* frees it, at the loop's tail */
	struct buf *composing;
	const struct caller_ops *ops;
	void *arg;
	uid_t uid;
	unsigned slot;
	bool greeted; /* its HELLO came */
	bool busy; /* with a request */
	bool closed;
};

static void
on_reap(evutil_socket_t fd, short what, void *arg)
{
	struct caller *c = arg;

	(void)fd;
	(void)what;
	bufferevent_free(c->bev);
	event_free(c->reaper);
	buf_free(c->composing);
	free(c);
}

/* Its own handlers may be running: it is freed later. */
static void
hang_up(struct caller *c, const char *reason)
{
	if (c->closed)
		return;
	c->closed = true;
	if (reason != NULL)
		log_info("event=caller-dropped uid=%ld reason=\"%s\"",
		    (long)c->uid, reason);
	bufferevent_disable(c->bev, EV_READ | EV_WRITE);
	c->ops->gone(c->arg, c);
	event_active(c->reaper, EV_TIMEOUT, 1);
}

static void
send_frame(struct caller *c, uint16_t type)
{
	struct frame f = { .len = (uint32_t)buf_len(c->composing),
		.type = type };
	uint8_t header[FRAME_HEADER];

	if (!c->closed) {
		frame_put(header, &f);
		bufferevent_write(c->bev, header, sizeof(header));
		bufferevent_write(c->bev, buf_data(c->composing), f.len);
	}
	buf_reset(c->composing);
}

void
caller_flush(struct caller *c)
{
	struct evbuffer_iovec v[FLUSH_VECTORS];
	struct iovec iov[FLUSH_VECTORS];
	int i, n;

	if (c->closed)
		return;
	n = evbuffer_peek(
	    bufferevent_get_output(c->bev), -1, NULL, v, FLUSH_VECTORS);
	if (n > FLUSH_VECTORS)
		n = FLUSH_VECTORS;
	for (i = 0; i < n; i++) {
		iov[i].iov_base = v[i].iov_base;
		iov[i].iov_len = v[i].iov_len;
	}
	if (n > 0 && writev(bufferevent_getfd(c->bev), iov, n) == -1)
		log_debug("event=caller-flush text=unread");
	hang_up(c, NULL);
}

/* Returns why the message is refused, or NULL. */
static const char *
on_hello(struct caller *c, struct unpack *u)
{
	struct ctl_hello hello;
	struct ctl_end end = { .status = EXIT_PROTOCOL,
		.text = "another version of the control protocol" };

	if (ctl_hello_get(u, &hello) == -1)
		return "malformed greeting";
	c->greeted = true;
	if (hello.version == CTL_VERSION)
		return NULL;
	ctl_end_put(c->composing, &end);
	send_frame(c, CTL_END);
	log_info("event=caller-dropped uid=%ld version=%u", (long)c->uid,
	    hello.version);
	caller_flush(c);
	return NULL;
}

static const char *
on_request(struct caller *c, struct unpack *u)
{
	struct ctl_request r;
	struct unpack args;
	unsigned i;

	if (!c->greeted)
		return "a request before the greeting";
	if (c->busy)
		return "a request during another";
	/* What is asked of a role because of it must fit a frame as well. */
	if (u->left > REQUEST_MAX)
		return "a request that is too long";
	if (ctl_request_get(u, &r) == -1)
		return "malformed request";
	args = *u;
	for (i = 0; i < r.n; i++)
		(void)unpack_str(u);
	if (unpack_done(u) == -1)
		return "malformed arguments";
	c->busy = true;
	c->ops->request(c->arg, c, &r, &args);
	return NULL;
}

static const char *
on_frame(struct caller *c, const struct frame *f, const uint8_t *payload)
{
	struct unpack u;

	unpack_init(&u, payload, f->len);
	if (f->type == CTL_HELLO && !c->greeted)
		return on_hello(c, &u);
	if (f->type == CTL_REQUEST)
		return on_request(c, &u);
	return "an unknown message";
}

static void
on_input(struct bufferevent *bev, void *arg)
{
	struct caller *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	uint8_t header[FRAME_HEADER];
	const uint8_t *whole;
	const char *refused = NULL;
	struct frame f;

	/* A caller has at most its HELLO and one request under way, so that
	 * this ends soon: a second request is refused. */
	while (!c->closed && refused == NULL) {
		if (evbuffer_copyout(in, header, sizeof(header)) <
		    (ev_ssize_t)sizeof(header))
			return;
		if (frame_get(header, &f) == -1 || f.flags != 0) {
			refused = "a bad frame";
			break;
		}
		if (evbuffer_get_length(in) < FRAME_HEADER + f.len)
			return;
		whole = evbuffer_pullup(in, (ev_ssize_t)(FRAME_HEADER + f.len));
		refused = on_frame(c, &f, whole + FRAME_HEADER);
		evbuffer_drain(in, FRAME_HEADER + f.len);
	}
	if (refused != NULL)
		hang_up(c, refused);
}

static void
on_output(struct bufferevent *bev, void *arg)
{
	struct caller *c = arg;

	(void)bev;
	if (!c->closed)
		c->ops->drained(c->arg, c);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what; /* an end or an error: it has gone either way */
	hang_up(arg, NULL);
}

struct caller *
caller_new(struct event_base *base, int fd, uid_t uid, const char *host,
    const struct caller_ops *ops, void *arg, unsigned slot)
{
	struct ctl_hello hello = { CTL_VERSION, "smtpd", host };
	struct caller *c = mem_zalloc(sizeof(*c));

	evutil_make_socket_nonblocking(fd);
	c->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	c->reaper = event_new(base, -1, 0, on_reap, c);
	if (c->bev == NULL || c->reaper == NULL)
		fatal("out of memory: a caller");
	c->composing = buf_new(FRAME_MAX + FRAME_HEADER);
	c->ops = ops;
	c->arg = arg;
	c->uid = uid;
	c->slot = slot;
	bufferevent_setcb(c->bev, on_input, on_output, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, INPUT_MAX);
	bufferevent_setwatermark(c->bev, EV_WRITE, CALLER_LOW, 0);
	bufferevent_set_max_single_write(c->bev, WRITE_SIZE);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	ctl_hello_put(c->composing, &hello);
	send_frame(c, CTL_HELLO);
	return c;
}

unsigned
caller_slot(const struct caller *c)
{
	return c->slot;
}

uid_t
caller_uid(const struct caller *c)
{
	return c->uid;
}

size_t
caller_queued(const struct caller *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

void
caller_row(struct caller *c, const uint8_t *record, size_t len)
{
	struct ctl_row row = { record, len };

	ctl_row_put(c->composing, &row);
	send_frame(c, CTL_ROW);
}

void
caller_line(struct caller *c, const struct ctl_line *line)
{
	ctl_line_put(c->composing, line);
	send_frame(c, CTL_LINE);
}

void
caller_lost(struct caller *c, uint64_t lines)
{
	struct ctl_lost lost = { lines };

	ctl_lost_put(c->composing, &lost);
	send_frame(c, CTL_LOST);
}

void
caller_end(struct caller *c, const struct ctl_end *end)
{
	c->busy = false;
	ctl_end_put(c->composing, end);
	send_frame(c, CTL_END);
}

void
caller_refuse(int fd, uint8_t status, const char *text)
{
	struct ctl_end end = { .status = status, .text = text };
	struct buf *b = buf_new(FRAME_MAX);
	uint8_t header[FRAME_HEADER];
	struct frame f = { .type = CTL_END };
	ssize_t n;

	ctl_end_put(b, &end);
	f.len = (uint32_t)buf_len(b);
	frame_put(header, &f);
	/* A new socket has room for this; where it has not, so be it. */
	n = send(fd, header, sizeof(header), MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == (ssize_t)sizeof(header))
		n = send(
		    fd, buf_data(b), buf_len(b), MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == -1)
		log_debug("event=caller-refused text=unread");
	close(fd);
	buf_free(b);
}

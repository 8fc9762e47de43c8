#include "lib/proto/ctl_client.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/unixsock.h"
#include "lib/proto/frame.h"

#define READ_SIZE (128u * 1024)
#define HELLO_WAIT 10000 /* milliseconds */

/* Exit codes stand in lib/cli, which is above this storey. */
enum {
	UNAVAILABLE = 69,
	PROTOCOL = 76,
	NOPERM = 77,
	TEMPFAIL = 75
};

struct ctl_client {
	int fd;
	bool gone;
	char *host;
	struct buf *in;
	size_t spent; /* of in: the frame lent to the caller */
	sigset_t waiting; /* signal mask while waiting */
};

static volatile sig_atomic_t interrupted;

static void
on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

static void
hold_signals(struct ctl_client *c)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t held;

	sigemptyset(&sa.sa_mask);
	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigprocmask(SIG_BLOCK, &held, &c->waiting);
	sigdelset(&c->waiting, SIGINT);
	sigdelset(&c->waiting, SIGTERM);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

/* A whole frame at the front of in: its header in *f. -1: garbage. */
static int
whole(const struct ctl_client *c, struct frame *f)
{
	size_t have = buf_len(c->in) - c->spent;
	const uint8_t *at = buf_data(c->in) + c->spent;

	if (have < FRAME_HEADER)
		return 0;
	if (frame_get(at, f) == -1 || f->flags != 0)
		return -1;
	return have >= FRAME_HEADER + f->len;
}

/* 1: something came, 0: the deadline or a signal, -1: the end. */
static int
wait_for(struct ctl_client *c, uint64_t deadline)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	struct timespec left = { 0 };
	uint64_t now = mono_ms();
	int n;

	if (deadline != 0 && deadline > now) {
		left.tv_sec = (time_t)((deadline - now) / 1000);
		left.tv_nsec = (long)((deadline - now) % 1000) * 1000000;
	}
	n = ppoll(&p, 1, deadline == 0 ? NULL : &left, &c->waiting);
	if (n == -1)
		return errno == EINTR ? 0 : -1;
	return n;
}

static int
fill(struct ctl_client *c)
{
	uint8_t *room;
	ssize_t n;
	size_t had;

	if (c->spent > 0) {
		buf_consume(c->in, c->spent);
		c->spent = 0;
	}
	had = buf_len(c->in);
	room = buf_room(c->in, READ_SIZE);
	if (room == NULL)
		return -1; /* cannot be: a frame is shorter than this room */
	do
		n = recv(c->fd, room, READ_SIZE, MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	buf_truncate(c->in, had + (n > 0 ? (size_t)n : 0));
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	return n <= 0 ? -1 : 0;
}

/* Brings one whole frame to the front. */
static enum ctl_got
next_frame(struct ctl_client *c, uint64_t deadline, struct frame *f)
{
	int n;

	for (;;) {
		n = whole(c, f);
		if (n == -1)
			return CTL_GOT_GARBAGE;
		if (n == 1)
			return CTL_GOT_ROW;
		if (c->gone)
			return CTL_GOT_GONE;
		n = wait_for(c, deadline);
		if (interrupted)
			return CTL_GOT_SIGNAL;
		if (n == 0 && deadline != 0 && mono_ms() >= deadline)
			return CTL_GOT_NOTHING;
		if (n == -1 || (n == 1 && fill(c) == -1))
			c->gone = true;
	}
}

static void
lend_frame(struct ctl_client *c, const struct frame *f, struct unpack *u)
{
	unpack_init(u, buf_data(c->in) + c->spent + FRAME_HEADER, f->len);
	c->spent += FRAME_HEADER + f->len;
}

static int
write_all(struct ctl_client *c, const uint8_t *data, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = send(c->fd, data, len, MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
write_frame(struct ctl_client *c, uint16_t type, const struct buf *body)
{
	struct frame f = { .len = (uint32_t)buf_len(body), .type = type };
	uint8_t header[FRAME_HEADER];

	frame_put(header, &f);
	if (write_all(c, header, sizeof(header)) == -1)
		return -1;
	return write_all(c, buf_data(body), buf_len(body));
}

/* The daemon's HELLO, or the END by which it refuses. 0 or an exit code. */
static int
read_hello(struct ctl_client *c, char *err, size_t errlen)
{
	struct ctl_hello hello;
	struct ctl_end end;
	struct frame f;
	struct unpack u;

	switch (next_frame(c, mono_ms() + HELLO_WAIT, &f)) {
	case CTL_GOT_ROW:
		break;
	case CTL_GOT_NOTHING:
		snprintf(err, errlen, "the daemon does not answer");
		return TEMPFAIL;
	case CTL_GOT_SIGNAL:
		snprintf(err, errlen, "interrupted");
		return TEMPFAIL;
	case CTL_GOT_GARBAGE:
		snprintf(err, errlen, "no control socket of smtpd");
		return PROTOCOL;
	default:
		snprintf(err, errlen, "the daemon closed the connection");
		return UNAVAILABLE;
	}
	lend_frame(c, &f, &u);
	if (f.type == CTL_END && ctl_end_get(&u, &end) == 0) {
		snprintf(err, errlen, "%s", end.text);
		return end.status == 0 ? PROTOCOL : end.status;
	}
	if (f.type != CTL_HELLO || ctl_hello_get(&u, &hello) == -1) {
		snprintf(err, errlen, "no control socket of smtpd");
		return PROTOCOL;
	}
	if (hello.version != CTL_VERSION) {
		snprintf(err, errlen,
		    "the daemon speaks version %u of the control protocol, "
		    "this tool version %u",
		    hello.version, CTL_VERSION);
		return PROTOCOL;
	}
	c->host = mem_strdup(hello.host);
	return 0;
}

struct ctl_client *
ctl_client_open(const char *path, int *code, char *err, size_t errlen)
{
	struct ctl_hello hello = { .version = CTL_VERSION,
		.program = "smtpctl" };
	struct ctl_client *c = mem_zalloc(sizeof(*c));
	struct buf *b = buf_new(FRAME_MAX);

	c->in = buf_new(FRAME_HEADER + FRAME_MAX + READ_SIZE);
	c->fd = unixsock_connect(path);
	if (c->fd == -1) {
		*code =
		    errno == EACCES || errno == EPERM ? NOPERM : UNAVAILABLE;
		snprintf(err, errlen, "%s: %s%s", path, strerror(errno),
		    *code == NOPERM ? "" : ": is smtpd running?");
		goto fail;
	}
	hold_signals(c);
	ctl_hello_put(b, &hello);
	/* A refused caller may be hung up on already: its reason is there. */
	(void)write_frame(c, CTL_HELLO, b);
	*code = read_hello(c, err, errlen);
	if (*code != 0)
		goto fail;
	buf_free(b);
	return c;
fail:
	buf_free(b);
	ctl_client_free(c);
	return NULL;
}

void
ctl_client_free(struct ctl_client *c)
{
	if (c == NULL)
		return;
	if (c->fd != -1)
		close(c->fd);
	buf_free(c->in);
	free(c->host);
	free(c);
}

const char *
ctl_client_host(const struct ctl_client *c)
{
	return c->host;
}

int
ctl_client_ask(struct ctl_client *c, const char *command, const char *reason,
    uint32_t flags, const char *const *args, size_t n)
{
	struct ctl_request r = { .command = command,
		.reason = reason,
		.flags = flags,
		.n = (uint16_t)n };
	struct buf *b = buf_new(FRAME_MAX);
	size_t i;
	int rc;

	ctl_request_put(b, &r);
	for (i = 0; i < n; i++)
		pack_str(b, args[i]);
	rc = write_frame(c, CTL_REQUEST, b);
	buf_free(b);
	return rc;
}

enum ctl_got
ctl_client_next(struct ctl_client *c, uint64_t deadline, struct ctl_event *e)
{
	struct frame f;
	struct unpack u;
	enum ctl_got got = next_frame(c, deadline, &f);

	if (got != CTL_GOT_ROW)
		return got;
	lend_frame(c, &f, &u);
	if (f.type == CTL_ROW && ctl_row_get(&u, &e->row) == 0)
		return CTL_GOT_ROW;
	if (f.type == CTL_LINE && ctl_line_get(&u, &e->line) == 0)
		return CTL_GOT_LINE;
	if (f.type == CTL_LOST && ctl_lost_get(&u, &e->lost) == 0)
		return CTL_GOT_LOST;
	if (f.type == CTL_END && ctl_end_get(&u, &e->end) == 0)
		return CTL_GOT_END;
	return CTL_GOT_GARBAGE;
}

bool
ctl_client_idle(const struct ctl_client *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	struct frame f;

	return whole(c, &f) == 0 && !c->gone && poll(&p, 1, 0) == 0;
}

#include "daemon/mta/conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/mta/body.h"
#include "daemon/mta/dialogue.h"
#include "daemon/mta/reply.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"

#define COMMANDS_MAX (128u * 1024) /* of one transaction */
#define MESSAGES_MAX 100 /* of one session */
#define TURN_OCTETS (64u * 1024)
#define ENVELOPE_MS (20u * 60 * 1000) /* MAIL to DATA, however slow a host */

/* RFC 5321 section 4.5.3.2, in ms. */
#define WAIT_CONNECT 30000u
#define WAIT_COMMAND 300000u /* banner, EHLO, MAIL, RCPT */
#define WAIT_DATA 120000u
#define WAIT_BLOCK 180000u
#define WAIT_END 600000u
#define WAIT_RESET 30000u
#define WAIT_QUIT 5000u
#define WAIT_IDLE 5000u

enum conn_state {
	CONN_CONNECT,
	CONN_BANNER,
	CONN_EHLO,
	CONN_HELO,
	CONN_REST,
	CONN_MAIL, /* a transaction is under way */
	CONN_RESET,
	CONN_QUIT,
	CONN_CLOSED
};

struct conn {
	const struct conn_env *env;
	const struct host *host;
	void *arg;
	enum conn_state state;
	uint32_t session; /* for the log */
	int fd; /* until it belongs to bev */
	struct event *connected;
	struct event *deadline;
	struct event *tail; /* for what cannot be done where it is noticed */
	struct bufferevent *bev;
	struct buf *out;
	struct reply reply;
	struct reply_ehlo ehlo;
	bool greeted; /* a session was set up */
	unsigned messages; /* transactions so far */
	int connect_errno; /* failed at once: told by tail */

	/* The transaction. */
	struct transaction *t; /* NULL: none */
	struct dialogue d;
	uint64_t begun; /* ms */
	uint32_t stream;
	struct body body;
};

static void
wait_for(struct conn *c, uint32_t ms)
{
	struct timeval tv;

	if (c->env->deadline_ms != 0 && ms > c->env->deadline_ms)
		ms = c->env->deadline_ms;
	tv.tv_sec = ms / 1000;
	tv.tv_usec = (suseconds_t)(ms % 1000) * 1000;
	evtimer_add(c->deadline, &tv);
}

static void
say(struct conn *c, const char *text)
{
	trace(TRACE_MTA, "session=%08x remote=\"%s\" > %s", c->session,
	    c->host->label, text);
	buf_putf(c->out, "%s\r\n", text);
}

static void
flush(struct conn *c)
{
	if (buf_len(c->out) > 0 &&
	    bufferevent_write(c->bev, buf_data(c->out), buf_len(c->out)) == -1)
		fatal("out of memory: a command");
	buf_reset(c->out);
}

/* The end of it. The owner is told, the memory goes in the loop's tail. */
static void
close_conn(struct conn *c, const char *error)
{
	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	evtimer_del(c->deadline);
	if (c->connected != NULL)
		event_del(c->connected);
	if (c->bev != NULL)
		bufferevent_disable(c->bev, EV_READ | EV_WRITE);
	if (c->greeted)
		log_info("session=%08x event=closed remote=\"%s\" messages=%u",
		    c->session, c->host->label, c->messages);
	else
		log_info("session=%08x event=no-session remote=\"%s\" "
			 "status=\"%s\"",
		    c->session, c->host->label, error == NULL ? "" : error);
	c->env->ops->on_closed(c->arg, c->greeted ? NULL : error);
	event_active(c->tail, EV_TIMEOUT, 1);
}

static void
hand_back(struct conn *c, bool stale)
{
	struct transaction *t = c->t;

	c->t = NULL;
	c->env->ops->on_over(c->arg, t, stale);
}

static const char *
phase(const struct conn *c)
{
	switch (c->state) {
	case CONN_CONNECT:
		return "connect";
	case CONN_BANNER:
		return "the greeting";
	case CONN_EHLO:
		return "EHLO";
	case CONN_HELO:
		return "HELO";
	case CONN_MAIL:
		return dialogue_phase(&c->d);
	default:
		return "the session";
	}
}

/* The connection is of no use any more: lost, late, or talking nonsense. */
static void
broken(struct conn *c, const char *code, const char *why)
{
	char status[REPLY_STATUS_MAX];

	if (c->state == CONN_CONNECT)
		snprintf(status, sizeof(status), "%s connect to %s: %s", code,
		    c->host->label, why);
	else
		snprintf(status, sizeof(status), "%s %s: %s in %s", code,
		    c->host->label, why, phase(c));
	trace(TRACE_MTA, "session=%08x remote=\"%s\" = %s", c->session,
	    c->host->label, status);
	if (c->t != NULL && !c->d.heard && c->messages > 1) {
		/* It had died while it rested. */
		hand_back(c, true);
	} else if (c->t != NULL) {
		dialogue_fail(&c->d, CARRY_LATER, status);
		hand_back(c, false);
	}
	close_conn(c, status);
}

static void
quit(struct conn *c)
{
	c->state = CONN_QUIT;
	c->env->ops->on_leaving(c->arg);
	say(c, "QUIT");
	flush(c);
	wait_for(c, WAIT_QUIT);
}

static void
ready(struct conn *c)
{
	if (c->messages >= MESSAGES_MAX) {
		quit(c);
		return;
	}
	c->state = CONN_REST;
	c->env->ops->on_ready(c->arg);
}

static void
ask_body(struct conn *c)
{
	uint64_t offset;

	if (body_wants(&c->body, &offset))
		c->env->ops->on_want(c->arg, c->stream, c->t->msgid, offset);
}

void
conn_body(struct conn *c, const struct carry_body *piece)
{
	if (c->t == NULL)
		return;
	if (body_take(&c->body, piece) == 0) {
		if (c->body.open)
			ask_body(c);
		return;
	}
	/* What was sent cannot be taken back but by closing. */
	dialogue_fail(&c->d, CARRY_LATER,
	    piece->status == CARRY_BODY_GONE
		? "451 4.3.0 the message is gone"
		: "451 4.3.0 the message cannot be read now");
	hand_back(c, false);
	close_conn(c, NULL);
}

static uint32_t
patience(const struct conn *c)
{
	if (c->d.body)
		return c->body.ended || c->d.empty ? WAIT_END : WAIT_BLOCK;
	return c->d.answered == c->t->n + 1 ? WAIT_DATA : WAIT_COMMAND;
}

static void
trace_commands(const struct conn *c)
{
	const char *line = buf_text(c->out), *end;

	if (!trace_on(TRACE_MTA))
		return;
	for (; (end = strstr(line, "\r\n")) != NULL; line = end + 2)
		trace(TRACE_MTA, "session=%08x remote=\"%s\" > %.*s",
		    c->session, c->host->label, (int)(end - line), line);
}

static void
put_commands(struct conn *c)
{
	dialogue_put(&c->d, c->out);
	trace_commands(c);
	flush(c);
	/* With PIPELINING the body is on its way when 354 comes. */
	if (dialogue_data_sent(&c->d))
		ask_body(c);
}

static bool
sent_whole(const struct conn *c)
{
	return c->d.empty || body_sent(&c->body);
}

static void
take_transaction(struct conn *c)
{
	enum dialogue_next next;

	if (c->reply.code == 421 && !c->d.heard && c->messages > 1) {
		/* It had ended the session while that rested. */
		hand_back(c, true);
		close_conn(c, NULL);
		return;
	}
	if (c->reply.code < 400 && c->d.body && !sent_whole(c)) {
		broken(c, "451 4.5.0", "an answer out of turn");
		return;
	}
	next = dialogue_take(&c->d, &c->reply);
	switch (next) {
	case DIALOGUE_GO_ON:
		if (mono_ms() - c->begun > ENVELOPE_MS) {
			broken(c, "451 4.4.2", "too slow");
			return;
		}
		put_commands(c);
		wait_for(c, patience(c));
		return;
	case DIALOGUE_BODY:
		body_open(&c->body);
		ask_body(c);
		wait_for(c, WAIT_BLOCK);
		return;
	case DIALOGUE_NO_BODY:
		say(c, ".");
		flush(c);
		wait_for(c, WAIT_END);
		return;
	case DIALOGUE_DONE:
	case DIALOGUE_RESET:
	case DIALOGUE_CLOSE:
		break;
	}

	if (c->d.body && !sent_whole(c))
		next = DIALOGUE_CLOSE;
	hand_back(c, false);
	if (next == DIALOGUE_CLOSE) {
		close_conn(c, NULL);
	} else if (next == DIALOGUE_DONE) {
		ready(c);
	} else {
		c->state = CONN_RESET;
		say(c, "RSET");
		flush(c);
		wait_for(c, WAIT_RESET);
	}
}

static void
say_hello(struct conn *c, enum conn_state state, const char *word)
{
	char line[300];

	c->state = state;
	snprintf(line, sizeof(line), "%s %s", word, c->env->hostname);
	say(c, line);
	flush(c);
	wait_for(c, WAIT_COMMAND);
}

static void
refused(struct conn *c)
{
	char status[REPLY_STATUS_MAX];

	close_conn(c, reply_status(status, &c->reply));
}

static void
greeted(struct conn *c)
{
	reply_ehlo(&c->ehlo, &c->reply);
	if (c->state == CONN_HELO)
		memset(&c->ehlo, 0, sizeof(c->ehlo));
	c->greeted = true;
	log_info("session=%08x event=connected remote=\"%s\"", c->session,
	    c->host->label);
	ready(c);
}

static void
take_reply(struct conn *c)
{
	bool good = c->reply.code / 100 == 2;

	switch (c->state) {
	case CONN_BANNER:
		if (good)
			say_hello(c, CONN_EHLO, "EHLO");
		else
			refused(c);
		return;
	case CONN_EHLO:
		if (good)
			greeted(c);
		else if (c->reply.code >= 500)
			say_hello(c, CONN_HELO, "HELO");
		else
			refused(c);
		return;
	case CONN_HELO:
		if (good)
			greeted(c);
		else
			refused(c);
		return;
	case CONN_MAIL:
		take_transaction(c);
		return;
	case CONN_RESET:
		if (good)
			ready(c);
		else
			close_conn(c, NULL);
		return;
	default:
		/* It says 421 while it rests, or answers QUIT. */
		close_conn(c, NULL);
		return;
	}
}

static void
trace_reply(const struct conn *c)
{
	char status[REPLY_STATUS_MAX];

	if (trace_on(TRACE_MTA))
		trace(TRACE_MTA, "session=%08x remote=\"%s\" < %s", c->session,
		    c->host->label, reply_status(status, &c->reply));
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct conn *c = arg;
	enum reply_state state;
	struct evbuffer_iovec v;
	size_t used;

	while (
	    c->state != CONN_CLOSED && evbuffer_peek(in, -1, NULL, &v, 1) > 0) {
		state = reply_feed(&c->reply, v.iov_base, v.iov_len, &used);
		evbuffer_drain(in, used);
		if (state == REPLY_MORE)
			continue;
		if (state == REPLY_BAD) {
			broken(c, "451 4.5.0", "the answer is not SMTP");
			return;
		}
		trace_reply(c);
		take_reply(c);
		reply_init(&c->reply);
	}
}

static void
on_write(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	if (c->state != CONN_MAIL || !c->d.body || c->d.empty)
		return;
	/* The host takes the body: its patience starts again. */
	ask_body(c);
	wait_for(c, patience(c));
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	if (c->state == CONN_CLOSED)
		return;
	if (c->state == CONN_REST || c->state == CONN_QUIT ||
	    c->state == CONN_RESET)
		close_conn(c, NULL);
	else
		broken(c, "451 4.4.2",
		    what & BEV_EVENT_EOF ? "connection closed"
					 : strerror(errno));
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	switch (c->state) {
	case CONN_REST:
		quit(c);
		return;
	case CONN_QUIT:
	case CONN_RESET:
		close_conn(c, NULL);
		return;
	case CONN_CONNECT:
		broken(c, "451 4.4.1", strerror(ETIMEDOUT));
		return;
	default:
		broken(c, "451 4.4.2", "no answer in time");
		return;
	}
}

static void
on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	socklen_t len = sizeof(c->connect_errno);
	int one = 1;

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &c->connect_errno, &len) == -1)
		c->connect_errno = errno;
	if (c->connect_errno != 0) {
		broken(c, "451 4.4.1", strerror(c->connect_errno));
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->bev =
	    bufferevent_socket_new(c->env->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL)
		fatal("out of memory: a connection");
	c->fd = -1;
	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, TURN_OCTETS);
	bufferevent_setwatermark(c->bev, EV_WRITE, CARRY_PIECE, 0);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	c->state = CONN_BANNER;
	wait_for(c, WAIT_COMMAND);
}

static void
on_tail(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	if (c->state != CONN_CLOSED) {
		broken(c, "451 4.4.1", strerror(c->connect_errno));
		return;
	}
	if (c->bev != NULL)
		bufferevent_free(c->bev);
	if (c->connected != NULL)
		event_free(c->connected);
	if (c->fd != -1)
		close(c->fd);
	event_free(c->deadline);
	event_free(c->tail);
	body_free(&c->body);
	buf_free(c->out);
	free(c);
}

static void
start_connect(struct conn *c)
{
	const struct sockaddr *sa = (const void *)&c->host->addr;

	c->fd = socket(c->host->addr.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1 ||
	    (connect(c->fd, sa, c->host->addrlen) == -1 &&
		errno != EINPROGRESS && errno != EINTR)) {
		c->connect_errno = errno;
		event_active(c->tail, EV_TIMEOUT, 1);
		return;
	}
	c->connected =
	    event_new(c->env->base, c->fd, EV_WRITE, on_connected, c);
	if (c->connected == NULL)
		fatal("out of memory: a connection");
	event_add(c->connected, NULL);
	wait_for(c, WAIT_CONNECT);
}

struct conn *
conn_open(const struct conn_env *env, const struct host *host, void *arg)
{
	struct conn *c = mem_zalloc(sizeof(*c));

	c->env = env;
	c->host = host;
	c->arg = arg;
	c->fd = -1;
	c->session = (uint32_t)ident_random64();
	c->out = buf_new(COMMANDS_MAX);
	body_init(&c->body);
	c->deadline = evtimer_new(env->base, on_deadline, c);
	c->tail = evtimer_new(env->base, on_tail, c);
	if (c->deadline == NULL || c->tail == NULL)
		fatal("out of memory: a connection");
	reply_init(&c->reply);
	start_connect(c);
	return c;
}

static void
on_settle(void *arg, unsigned i, enum carry_result result, const char *status)
{
	struct conn *c = arg;

	c->env->ops->on_settle(c->arg, c->t, i, result, status);
}

void
conn_carry(struct conn *c, struct transaction *t, uint32_t stream)
{
	assert(c->state == CONN_REST && c->t == NULL);
	c->state = CONN_MAIL;
	c->t = t;
	c->stream = stream;
	c->begun = mono_ms();
	body_start(&c->body, bufferevent_get_output(c->bev));
	c->messages++;
	if (!dialogue_begin(&c->d, t, &c->ehlo, on_settle, c)) {
		hand_back(c, false);
		ready(c);
		return;
	}
	put_commands(c);
	wait_for(c, WAIT_COMMAND);
}

void
conn_rest(struct conn *c)
{
	if (c->state == CONN_REST)
		wait_for(c, WAIT_IDLE);
}

bool
conn_committing(const struct conn *c)
{
	return c->state == CONN_MAIL && c->body.ended;
}

void
conn_abort(struct conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	if (c->t != NULL)
		hand_back(c, false);
	close_conn(c, NULL);
}

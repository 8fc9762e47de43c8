#include "daemon/smtp/sessions.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/smtp/converse.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"

#define INPUT_MAX (32u * 1024) /* then the socket is not read */
#define TURN_WORK 64 /* commands */
#define CHUNK_WORK 16 /* what a chunk of text counts in commands */
#define LINGER_MS 2000

static void
session_free(struct session *s)
{
	struct sessions *all = s->all;

	TAILQ_REMOVE(&all->open, s, link);
	all->n--;
	rate_give(all->rate, (struct sockaddr *)&s->from);
	bufferevent_free(s->bev);
	event_free(s->again);
	event_free(s->timer);
	buf_free(s->replies);
	free(s->host);
	free(s->tag);
	free(s->helo);
	free(s->envelope_from);
	free(s);
	if (all->n == 0 && all->on_empty != NULL)
		all->on_empty(all->arg);
}

/* The object goes in its next turn, for its handler may be running. */
static void
end(struct session *s, const char *reason)
{
	if (s->phase == DEAD)
		return;
	if (s->reason == NULL)
		s->reason = reason;
	converse_drop_txn(s);
	s->phase = DEAD;
	bufferevent_disable(s->bev, EV_READ | EV_WRITE);
	log_info("session=%08x event=disconnected reason=%s messages=%u "
		 "errors=%u octets=%llu",
	    s->id, s->reason, s->messages, s->errors,
	    (unsigned long long)s->octets);
	event_active(s->again, EV_TIMEOUT, 0);
}

static struct evbuffer *
output(const struct session *s)
{
	return bufferevent_get_output(s->bev);
}

/* Straight to the socket when nothing is queued before it: that saves a turn
 * of the loop for nearly every reply. */
static void
flush_replies(struct session *s)
{
	ssize_t n = 0;

	if (s->replies == NULL || buf_len(s->replies) == 0)
		return;
	if (evbuffer_get_length(output(s)) == 0)
		n = send(bufferevent_getfd(s->bev), buf_data(s->replies),
		    buf_len(s->replies), MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		buf_consume(s->replies, (size_t)n);
	if (buf_len(s->replies) > 0)
		bufferevent_write(
		    s->bev, buf_data(s->replies), buf_len(s->replies));
	buf_free(s->replies);
	s->replies = NULL;
	s->heard = s->now;
}

static uint64_t
sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t
deadline(const struct session *s)
{
	uint64_t idle = s->heard + s->all->conf->idle_timeout * 1000ull;
	uint64_t at = idle;

	if (s->phase == LINGERING)
		return s->began + LINGER_MS;
	if (converse_awaits_us(s))
		at = s->waits + SESSIONS_ANSWER_SECONDS * 1000ull;
	else if (s->phase == TEXT)
		at = sooner(idle, rate_deadline(s->began, s->text));
	else if (s->line != 0)
		at = sooner(idle, s->line + SESSIONS_LINE_SECONDS * 1000ull);
	if (s->stuck != 0)
		at = sooner(at, s->stuck + SESSIONS_LINE_SECONDS * 1000ull);
	return at;
}

static void
arm(struct session *s)
{
	struct timeval span;
	uint64_t at = deadline(s), ms;

	if (s->armed != 0 && s->armed <= at)
		return; /* it looks again when it goes off */
	ms = at > s->now ? at - s->now : 0;
	span.tv_sec = (time_t)(ms / 1000);
	span.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	s->armed = at;
	event_add(s->timer, &span);
}

static void
time_out(struct session *s)
{
	if (s->phase == LINGERING)
		end(s, "linger");
	else if (s->stuck != 0)
		end(s, "reads-no-replies");
	else if (s->waits != 0)
		converse_send_away(s,
		    "421 4.3.0 No answer in time, try again later",
		    "no-answer");
	else if (s->line != 0 ||
	    (s->phase == TEXT && s->now >= rate_deadline(s->began, s->text)))
		converse_send_away(s, "421 4.4.2 Too slow", "slow");
	else
		converse_send_away(s, "421 4.4.2 Idle for too long", "idle");
}

static void
work(struct session *s)
{
	int left = TURN_WORK;
	struct timeval span;
	long pause = 0;

	while (left > 0) {
		left -= s->phase == TEXT ? CHUNK_WORK : 1;
		if (!converse_step(s, &pause))
			break;
	}
	if (left > 0 && pause < 0)
		return;
	span.tv_sec = 0;
	span.tv_usec = left > 0 ? pause : 0;
	event_add(s->again, &span);
}

static bool
may_hold_replies(const struct session *s)
{
	return s->phase == COMMANDS && s->txn != NULL &&
	    txn_asking(s->txn) > 0 &&
	    buf_len(s->replies) < CONVERSE_OUTPUT_MAX / 2;
}

/* Notes since when who waits for whom. */
static void
note_times(struct session *s)
{
	bool partial = s->phase == COMMANDS &&
	    (s->skipping ||
		evbuffer_get_length(bufferevent_get_input(s->bev)) > 0);

	if (!converse_awaits_us(s))
		s->waits = 0;
	else if (s->waits == 0)
		s->waits = s->now;
	if (!partial || s->waits != 0)
		s->line = 0;
	else if (s->line == 0)
		s->line = s->now;
	if (evbuffer_get_length(output(s)) == 0)
		s->stuck = 0;
	else if (s->stuck == 0)
		s->stuck = s->now;
}

static void
settle(struct session *s)
{
	if (s->phase == DEAD)
		return;
	if (s->replies != NULL && !may_hold_replies(s))
		flush_replies(s);
	note_times(s);
	if (s->stuck == 0 && s->phase == LINGERING)
		shutdown(bufferevent_getfd(s->bev), SHUT_WR);
	if (s->stuck == 0 && s->waits == 0 && s->eof &&
	    !event_pending(s->again, EV_TIMEOUT, NULL))
		end(s, "eof");
	else
		arm(s);
}

static void
turn(struct session *s)
{
	struct desk *desk = s->all->desk;
	bool woken = s->woken;

	if (s->phase == DEAD) {
		session_free(s);
	} else {
		s->now = mono_ms();
		work(s);
		settle(s);
		s->woken = false;
	}
	if (woken)
		desk_next(desk);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	turn(arg);
}

/* Answers wake it; the turn comes later in this very round of the loop, once
 * for all of them. */
static void
on_wake(void *arg)
{
	struct session *s = arg;

	if (s->phase != DEAD)
		event_active(s->again, EV_TIMEOUT, 0);
}

static void
on_credit(void *arg)
{
	struct session *s = arg;

	s->woken = true;
	event_active(s->again, EV_TIMEOUT, 0);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct session *s = arg;

	(void)bev;
	if (s->phase == DEAD)
		return;
	s->heard = mono_ms();
	turn(s);
}

static void
on_drained(struct bufferevent *bev, void *arg)
{
	struct session *s = arg;

	(void)bev;
	if (s->phase != DEAD)
		turn(s);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct session *s = arg;

	(void)bev;
	if (s->phase == DEAD)
		return;
	if (what & BEV_EVENT_EOF) {
		s->eof = true;
		turn(s);
		return;
	}
	end(s, "reset");
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	(void)what;
	s->armed = 0;
	if (s->phase == DEAD)
		return;
	s->now = mono_ms();
	if (s->now >= deadline(s))
		time_out(s);
	settle(s);
}

static bool
is_loopback(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in = (const void *)ss;
	const struct sockaddr_in6 *in6 = (const void *)ss;

	if (ss->ss_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static void
name_client(struct session *s)
{
	const struct sockaddr_in *in = (const void *)&s->from;
	const struct sockaddr_in6 *in6 = (const void *)&s->from;
	bool v4 = s->from.ss_family == AF_INET;
	const void *octets =
	    v4 ? (const void *)&in->sin_addr : (const void *)&in6->sin6_addr;

	inet_ntop(s->from.ss_family, octets, s->address, sizeof(s->address));
	snprintf(s->literal, sizeof(s->literal), v4 ? "[%s]" : "[IPv6:%s]",
	    s->address);
	s->port = ntohs(v4 ? in->sin_port : in6->sin6_port);
	s->client.session = s->id;
	s->client.address = s->address;
	s->client.literal = s->literal;
	s->client.host = s->host;
	s->client.local = is_loopback(&s->from);
	s->client.wake = on_wake;
	s->client.arg = s;
}

/* False, and the client told, when there is no place for it. */
static bool
admit(struct sessions *all, int fd, const struct sockaddr *from)
{
	static const char full[] = "421 4.3.2 Too many connections\r\n";
	static const char paused[] = "421 4.3.2 Not taking mail now\r\n";
	static const char many[] =
	    "421 4.7.0 Too many connections from your network\r\n";
	const char *line = NULL;

	if (all->paused)
		line = paused;
	else if (all->n >= all->conf->max_sessions)
		line = full;
	else if (!rate_take(
		     all->rate, from, all->conf->max_sessions_per_client))
		line = many;
	if (line == NULL)
		return true;
	all->count.turned_away++;
	/* A fresh socket has room for one line. */
	if (send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT) == -1)
		log_debug("event=turned-away error=\"%s\"", strerror(errno));
	shutdown(fd, SHUT_WR);
	close(fd);
	return false;
}

void
sessions_admit(struct sessions *all, int fd, const struct sockaddr *from,
    socklen_t len, const char *host, const char *tag)
{
	struct session *s;
	char text[ADDR_DOMAIN_MAX + 32];
	int on = 1;

	if (!admit(all, fd, from))
		return;
	s = mem_zalloc(sizeof(*s));
	s->all = all;
	s->id = ++all->last_id;
	s->host = mem_strdup(host);
	s->tag = mem_strdup(tag);
	memcpy(&s->from, from, len);
	name_client(s);
	s->wait.fn = on_credit;
	s->wait.arg = s;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	s->bev = bufferevent_socket_new(all->base, fd, BEV_OPT_CLOSE_ON_FREE);
	s->again = evtimer_new(all->base, on_again, s);
	s->timer = evtimer_new(all->base, on_timer, s);
	if (s->bev == NULL || s->again == NULL || s->timer == NULL)
		fatal("out of memory: a session");
	bufferevent_setcb(s->bev, on_read, on_drained, on_event, s);
	bufferevent_setwatermark(s->bev, EV_READ, 0, INPUT_MAX);
	bufferevent_enable(s->bev, EV_READ | EV_WRITE);
	TAILQ_INSERT_TAIL(&all->open, s, link);
	all->n++;
	all->count.sessions++;
	log_info("session=%08x event=connected from=[%s]:%u listener=%s", s->id,
	    s->address, s->port, s->tag);
	s->now = s->heard = mono_ms();
	snprintf(text, sizeof(text), "220 %s ESMTP Spoolkit", s->host);
	converse_reply(s, text);
	settle(s);
}

void
sessions_stop(struct sessions *all)
{
	struct session *s;

	all->stopping = true;
	TAILQ_FOREACH(s, &all->open, link)
		event_active(s->again, EV_TIMEOUT, 0);
}

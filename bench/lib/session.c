#include "bench/lib/session.h"

#include <err.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"

#define SESSION_RETRY_US 50000 /* between attempts to reach a server */
#define SESSION_ADDR_MAX 256

enum await { /* the reply a session waits for */
	AWAIT_BANNER,
	AWAIT_EHLO,
	AWAIT_MAIL,
	AWAIT_RCPT,
	AWAIT_DATA,
	AWAIT_DOT,
	AWAIT_RSET,
	AWAIT_QUIT,
	AWAITS
};

enum cut { /* where a session breaks off on purpose, just after */
	CUT_NONE,
	CUT_MAIL,
	CUT_RCPT,
	CUT_DATA,
	CUT_BODY,
	CUT_DOT,
	CUTS
};

const char *const fate_words[FATES] = { "ack", "refused", "unsure" };

struct session {
	struct load *l;
	unsigned number;
	struct bufferevent *bev; /* NULL: not connected */
	struct event *again; /* the next attempt to connect */
	struct event *turn; /* the next message, when the rate is limited */
	enum await await;
	uint64_t since; /* waiting for a reply since then */
	bool over; /* will do no more */
	bool pipelining, size, may_cut, dropping, quitting;
	bool busy; /* has a message */
	enum cut cut;
	uint64_t message, begun, dotted;
	bool dot_sent;
	unsigned sent; /* messages in this connection */
	unsigned rcpt, accepted;
	bool *rcpt_ok;
};

/* %n message, %d the same modulo 100, %r recipient of the message, %u
 * recipient of the run, %s session. */
static void
address(const struct session *s, const char *template, unsigned rcpt, char *dst)
{
	size_t at = 0;

	for (const char *p = template; *p != '\0' && at < SESSION_ADDR_MAX - 24;
	     p++) {
		uint64_t v;

		if (p[0] != '%' || strchr("ndrus", p[1]) == NULL) {
			dst[at++] = *p;
			continue;
		}
		switch (*++p) {
		case 'n':
			v = s->message;
			break;
		case 'd':
			v = s->message % 100;
			break;
		case 'r':
			v = rcpt;
			break;
		case 'u':
			v = s->message * s->l->recipients + rcpt;
			break;
		default:
			v = s->number;
		}
		at += (size_t)snprintf(dst + at, SESSION_ADDR_MAX - at, "%llu",
		    (unsigned long long)v);
	}
	dst[at] = '\0';
}

static void
wait_for(struct session *s, enum await await)
{
	s->await = await;
	s->since = mono_us();
}

/* Each recipient's fate goes into the books. */
static void
message_end(struct session *s, enum fate fate)
{
	struct load *l = s->l;
	char to[SESSION_ADDR_MAX];

	s->busy = false;
	l->messages_of[fate]++;
	for (unsigned i = 0; i < l->recipients; i++) {
		enum fate one = s->rcpt_ok[i] ? fate : FATE_REFUSED;

		l->recipients_of[one]++;
		if (l->acks == NULL)
			continue;
		address(s, l->to, i, to);
		fprintf(l->acks, "%s %s/%llu %s\n", fate_words[one], l->run,
		    (unsigned long long)s->message, to);
	}
}

static void
over(struct session *s)
{
	s->over = true;
	if (--s->l->live == 0)
		event_base_loopbreak(s->l->base);
}

/* Lets go of the connection, and takes the next one where there is need. */
static void
leave(struct session *s, bool at_once)
{
	struct load *l = s->l;
	const struct timeval now = { 0, 0 }, later = { 0, SESSION_RETRY_US };

	if (s->bev != NULL)
		bufferevent_free(s->bev);
	s->bev = NULL;
	event_del(s->turn);
	if (s->busy)
		message_end(s, s->dot_sent ? FATE_UNSURE : FATE_REFUSED);
	if (s->over)
		return;
	if (l->stopping || l->next >= l->messages ||
	    (!at_once && !l->reconnect))
		over(s);
	else
		event_add(s->again, at_once ? &now : &later);
}

/* Sends what is in the output and breaks off, if this is the place to. */
static bool
cut_here(struct session *s, enum cut where)
{
	if (s->cut != where)
		return false;
	s->dropping = true;
	/* There may be nothing to send, and so nobody to call on_written(). */
	bufferevent_trigger(s->bev, EV_WRITE,
	    BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
	return true;
}

static void
send_rcpt(struct session *s, unsigned i)
{
	char to[SESSION_ADDR_MAX];

	address(s, s->l->to, i, to);
	evbuffer_add_printf(
	    bufferevent_get_output(s->bev), "RCPT TO:<%s>\r\n", to);
}

static void
send_quit(struct session *s)
{
	evbuffer_add_printf(bufferevent_get_output(s->bev), "QUIT\r\n");
	s->quitting = true;
	wait_for(s, AWAIT_QUIT);
}

static void
send_rset(struct session *s)
{
	evbuffer_add_printf(bufferevent_get_output(s->bev), "RSET\r\n");
	wait_for(s, AWAIT_RSET);
}

static void
send_body(struct session *s)
{
	struct load *l = s->l;
	struct evbuffer *out = bufferevent_get_output(s->bev);
	struct filler *fl = &l->fillers[s->message % NOTE_FILLERS];
	unsigned long long number = s->message;
	char from[SESSION_ADDR_MAX], to[SESSION_ADDR_MAX], tail[NOTE_TAIL_MAX];
	uint32_t crc = note_tail(tail, l->run, s->message, fl);

	if (cut_here(s, CUT_DATA))
		return;
	address(s, l->from, 0, from);
	address(s, l->to, 0, to);
	evbuffer_add_printf(out,
	    NOTE_FIELD " %s/%llu crc32c=%08x\r\n"
		       "From: <%s>\r\nTo: <%s>\r\nSubject: flood %llu\r\n"
		       "Date: Sun, 22 Nov 2026 13:21:09 +0000\r\n"
		       "Message-Id: <%s.%llu@flood.invalid>\r\n\r\n",
	    l->run, number, crc, from, to, number, l->run, number);
	if (cut_here(s, CUT_BODY)) {
		evbuffer_add(out, fl->wire, fl->len / 2);
		return;
	}
	evbuffer_add_reference(out, fl->wire, fl->len, NULL, NULL);
	evbuffer_add_printf(out, "%s.\r\n", tail);
	s->dot_sent = true;
	s->dotted = 0; /* set when the last byte is with the kernel */
	(void)cut_here(s, CUT_DOT);
	wait_for(s, AWAIT_DOT);
}

static bool
last_of_connection(const struct session *s)
{
	const struct load *l = s->l;

	return l->stopping || l->next >= l->messages ||
	    (l->per_session > 0 && s->sent >= l->per_session);
}

static void
message_begin(struct session *s)
{
	struct load *l = s->l;
	struct evbuffer *out = bufferevent_get_output(s->bev);
	char from[SESSION_ADDR_MAX];

	s->message = l->next++;
	s->sent++;
	s->busy = true;
	s->dot_sent = false;
	s->rcpt = s->accepted = 0;
	memset(s->rcpt_ok, 0, l->recipients * sizeof(*s->rcpt_ok));
	s->cut = CUT_NONE;
	if (l->cut > 0 && ident_random64() % 100 < l->cut)
		s->cut = (enum cut)(1 + ident_random64() % (CUTS - 1));
	s->begun = mono_us();
	address(s, l->from, 0, from);
	evbuffer_add_printf(out, "MAIL FROM:<%s>", from);
	if (s->size)
		evbuffer_add_printf(
		    out, " SIZE=%llu", (unsigned long long)l->size);
	evbuffer_add_printf(out, "\r\n");
	wait_for(s, AWAIT_MAIL);
	if (cut_here(s, CUT_MAIL) || !s->pipelining)
		return;
	for (unsigned i = 0; i < l->recipients; i++)
		send_rcpt(s, i);
	if (!cut_here(s, CUT_RCPT))
		evbuffer_add_printf(out, "DATA\r\n");
}

/* Takes a message at once, or when the rate allows one. */
static void
message_next(struct session *s)
{
	struct load *l = s->l;
	uint64_t now = mono_us(), wait = l->due > now ? l->due - now : 0;
	struct timeval tv = { (time_t)(wait / 1000000),
		(suseconds_t)(wait % 1000000) };

	if (last_of_connection(s)) {
		send_quit(s);
		return;
	}
	if (l->rate == 0) {
		message_begin(s);
		return;
	}
	l->due = now + wait + 1000000 / l->rate;
	event_add(s->turn, &tv);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	(void)what;
	if (last_of_connection(s))
		send_quit(s);
	else
		message_begin(s);
}

static void
on_banner(struct session *s, int code)
{
	if (code != 220) {
		s->l->refusals[code]++;
		leave(s, false);
		return;
	}
	samples_add(&s->l->connect, mono_us() - s->begun);
	evbuffer_add_printf(
	    bufferevent_get_output(s->bev), "EHLO %s\r\n", s->l->helo);
	wait_for(s, AWAIT_EHLO);
}

static void
on_ehlo(struct session *s, int code)
{
	if (code == 250) {
		message_next(s);
	} else {
		s->l->refusals[code]++;
		leave(s, false);
	}
}

static void
on_mail(struct session *s, int code)
{
	if (code != 250)
		s->l->refusals[code]++;
	if (s->pipelining) {
		wait_for(s, AWAIT_RCPT);
	} else if (code != 250) {
		message_end(s, FATE_REFUSED);
		message_next(s);
	} else {
		send_rcpt(s, 0);
		wait_for(s, AWAIT_RCPT);
		(void)cut_here(s, CUT_RCPT);
	}
}

static void
on_rcpt(struct session *s, int code)
{
	s->rcpt_ok[s->rcpt] = code / 10 == 25;
	if (s->rcpt_ok[s->rcpt])
		s->accepted++;
	else
		s->l->refusals[code]++;
	if (++s->rcpt < s->l->recipients) {
		if (!s->pipelining)
			send_rcpt(s, s->rcpt);
		wait_for(s, AWAIT_RCPT);
		return;
	}
	if (s->pipelining) {
		wait_for(s, AWAIT_DATA);
	} else if (s->accepted == 0) {
		message_end(s, FATE_REFUSED);
		send_rset(s);
	} else {
		evbuffer_add_printf(bufferevent_get_output(s->bev), "DATA\r\n");
		wait_for(s, AWAIT_DATA);
	}
}

static void
on_data(struct session *s, int code)
{
	if (code == 354 && s->accepted > 0) {
		send_body(s);
	} else if (code == 354) { /* pipelined into it: an empty message */
		evbuffer_add_printf(bufferevent_get_output(s->bev), ".\r\n");
		wait_for(s, AWAIT_DOT);
	} else {
		if (s->accepted > 0)
			s->l->refusals[code]++;
		message_end(s, FATE_REFUSED);
		send_rset(s);
	}
}

static void
on_dot(struct session *s, int code)
{
	struct load *l = s->l;
	uint64_t now = mono_us();

	if (code == 250) {
		l->last_ack = now;
		if (l->first_ack == 0)
			l->first_ack = now;
		samples_add(&l->total, now - s->begun);
		samples_add(&l->commit, s->dotted != 0 ? now - s->dotted : 0);
		message_end(s, FATE_ACK);
	} else {
		l->refusals[code]++;
		message_end(s, FATE_REFUSED);
	}
	message_next(s);
}

static void
on_rset(struct session *s, int code)
{
	(void)code;
	message_next(s);
}

static void
on_quit(struct session *s, int code)
{
	(void)code;
	leave(s, true);
}

static void (*const handlers[AWAITS])(struct session *, int) = { on_banner,
	on_ehlo, on_mail, on_rcpt, on_data, on_dot, on_rset, on_quit };

static void
stall(struct session *s, uint64_t now)
{
	uint64_t waited = now > s->since ? now - s->since : 0;

	if (waited > s->l->worst_stall)
		s->l->worst_stall = waited;
}

/* One line of a reply; only its last line moves the session on. */
static void
on_line(struct session *s, const char *line, size_t len)
{
	int code = len >= 3 ? atoi(line) : 0;

	if (s->await == AWAIT_EHLO && len > 4) {
		if (strncasecmp(line + 4, "PIPELINING", 10) == 0)
			s->pipelining = s->l->pipelining;
		if (strncasecmp(line + 4, "SIZE", 4) == 0)
			s->size = true;
	}
	if (len > 3 && line[3] == '-')
		return;
	stall(s, mono_us());
	if (code < 200 || code > 599) {
		s->l->refusals[0]++;
		leave(s, false);
	} else if (code == 421 && !s->quitting) {
		s->l->refusals[421]++;
		s->dot_sent = s->dot_sent && s->await != AWAIT_DOT;
		leave(s, false);
	} else {
		handlers[s->await](s, code);
	}
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct session *s = arg;

	while (s->bev == bev && !s->dropping) {
		size_t len;
		char *line = evbuffer_readln(
		    bufferevent_get_input(bev), &len, EVBUFFER_EOL_CRLF);

		if (line == NULL)
			return;
		on_line(s, line, len);
		free(line);
	}
}

static void
on_written(struct bufferevent *bev, void *arg)
{
	struct session *s = arg;

	if (evbuffer_get_length(bufferevent_get_output(bev)) > 0)
		return;
	if (s->dropping) {
		s->l->cuts++;
		leave(s, true);
	} else if (s->await == AWAIT_DOT && s->dotted == 0) {
		s->dotted = mono_us();
	}
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct session *s = arg;
	int on = 1;

	if ((what & BEV_EVENT_CONNECTED) != 0) {
		s->l->connects++;
		(void)setsockopt(bufferevent_getfd(bev), IPPROTO_TCP,
		    TCP_NODELAY, &on, sizeof(on));
		return;
	}
	if (s->quitting) {
		leave(s, true);
		return;
	}
	if (s->await == AWAIT_BANNER) {
		s->l->connect_failures++;
		if ((what & BEV_EVENT_ERROR) != 0)
			s->l->connect_error = EVUTIL_SOCKET_ERROR();
	} else
		s->l->drops++;
	leave(s, false);
}

static void
reach(struct session *s)
{
	struct load *l = s->l;

	s->pipelining = s->size = s->dropping = s->quitting = false;
	s->sent = 0;
	s->begun = mono_us();
	wait_for(s, AWAIT_BANNER);
	s->bev = bufferevent_socket_new(l->base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (s->bev == NULL)
		errx(1, "no bufferevent");
	bufferevent_setcb(s->bev, on_read, on_written, on_event, s);
	bufferevent_enable(s->bev, EV_READ | EV_WRITE);
	if (bufferevent_socket_connect(
		s->bev, (struct sockaddr *)&l->addr, (int)l->addrlen) == -1 &&
	    s->bev != NULL) {
		l->connect_failures++;
		leave(s, false);
	}
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	(void)what;
	if (s->l->stopping || s->l->next >= s->l->messages)
		over(s);
	else
		reach(s);
}

struct session *
session_new(struct load *l, unsigned number)
{
	struct session *s = mem_zalloc(sizeof(*s));

	s->l = l;
	s->number = number;
	s->rcpt_ok = mem_zarray(l->recipients, sizeof(*s->rcpt_ok));
	s->again = evtimer_new(l->base, on_again, s);
	s->turn = evtimer_new(l->base, on_turn, s);
	if (s->again == NULL || s->turn == NULL)
		errx(1, "no timer");
	l->live++;
	event_active(s->again, EV_TIMEOUT, 0);
	return s;
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	s->over = true; /* what it still has becomes unsure or refused */
	leave(s, false);
	event_free(s->again);
	event_free(s->turn);
	free(s->rcpt_ok);
	free(s);
}

void
session_check(struct session *s, uint64_t now)
{
	struct load *l = s->l;
	bool late = now >= s->since + l->timeout * UINT64_C(1000000);
	/* Nothing is left for those who have not even been greeted. */
	bool vain =
	    s->await == AWAIT_BANNER && (l->stopping || l->next >= l->messages);

	if (s->bev == NULL || event_pending(s->turn, EV_TIMEOUT, NULL) ||
	    (!late && !vain))
		return;
	stall(s, now);
	if (late)
		l->timeouts++;
	leave(s, false);
}

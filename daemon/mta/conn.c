#include "daemon/mta/conn_inside.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mta/dane.h"
#include "daemon/mta/policy.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"

#define COMMANDS_MAX (128u * 1024) /* of one transaction */

void
conn_wait(struct conn *c, uint32_t ms)
{
	struct timeval tv;

	if (c->env->deadline_ms != 0 && ms > c->env->deadline_ms)
		ms = c->env->deadline_ms;
	tv.tv_sec = ms / 1000;
	tv.tv_usec = (suseconds_t)(ms % 1000) * 1000;
	evtimer_add(c->deadline, &tv);
}

static void
trace_commands(const struct conn *c)
{
	const char *line = buf_text(c->out), *end;

	if (!trace_on(TRACE_MTA))
		return;
	for (; (end = strstr(line, "\r\n")) != NULL; line = end + 2)
		trace(TRACE_MTA, "session=%08x remote=\"%s\" > %.*s",
		    c->session, c->way.label, (int)(end - line), line);
}

/* What was put into out, without showing it. */
static void
send_out(struct conn *c)
{
	if (buf_len(c->out) > 0)
		wire_put(c->wire, buf_data(c->out), buf_len(c->out));
	buf_reset(c->out);
}

void
conn_flush(struct conn *c)
{
	trace_commands(c);
	send_out(c);
}

void
conn_say(struct conn *c, const char *text)
{
	buf_putf(c->out, "%s\r\n", text);
	conn_flush(c);
}

/* The end of it. The owner is told, the memory goes in the loop's tail. */
void
conn_close(struct conn *c, enum conn_end end, const char *status)
{
	struct conn_closed why = {
		.end = end, .ready = c->ready, .status = status
	};

	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	evtimer_del(c->deadline);
	wire_stop(c->wire);
	if (c->ready)
		log_info("session=%08x event=closed remote=\"%s\" messages=%u",
		    c->session, c->way.label, c->messages);
	else
		log_info("session=%08x event=no-session remote=\"%s\" "
			 "status=\"%s\"",
		    c->session, c->way.label, status);
	c->env->ops->on_closed(c->arg, &why);
	event_active(c->tail, EV_TIMEOUT, 1);
}

void
conn_hand_back(struct conn *c, bool stale)
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
	case CONN_HANDSHAKE:
		return "the TLS handshake";
	case CONN_GREET:
		return greeting_phase(&c->greeting);
	case CONN_REST:
		return "";
	case CONN_MAIL:
		return dialogue_phase(&c->d);
	case CONN_RESET:
		return "RSET";
	default:
		return "QUIT";
	}
}

static void
count_uncertain(struct conn *c)
{
	unsigned n = dialogue_open(&c->d);

	c->uncertain += n;
	if (c->env->uncertain != NULL)
		*c->env->uncertain += n;
}

/* The connection is of no use any more. */
static void
fail(struct conn *c, enum conn_end end, const char *status)
{
	trace(TRACE_MTA, "session=%08x remote=\"%s\" = %s", c->session,
	    c->way.label, status);
	if (c->t != NULL && !c->d.heard && c->messages > 1) {
		/* It had died while it rested. */
		conn_hand_back(c, true);
	} else if (c->t != NULL) {
		dialogue_fail(&c->d, CARRY_LATER, CONN_PHASE_LOST, status);
		conn_hand_back(c, false);
	}
	conn_close(c, end, status);
}

/* Lost, late, or talking nonsense. */
void
conn_broken(struct conn *c, const char *code, const char *why)
{
	char status[REPLY_STATUS_MAX];

	if (c->state == CONN_CONNECT)
		snprintf(status, sizeof(status), "%s connect to %s: %s", code,
		    c->way.label, why);
	else if (conn_mail_uncertain(c)) {
		snprintf(status, sizeof(status),
		    "%s %s: %s after the end of the message: it may have been "
		    "delivered",
		    code, c->way.label, why);
		count_uncertain(c);
	} else
		snprintf(status, sizeof(status), "%s %s: %s%s%s", code,
		    c->way.label, why, *phase(c) == '\0' ? "" : " in ",
		    phase(c));
	fail(c, c->state == CONN_CONNECT ? CONN_END_CONNECT : CONN_END_LOST,
	    status);
}

void
conn_say_quit(struct conn *c)
{
	c->state = CONN_QUIT;
	c->env->ops->on_leaving(c->arg);
	conn_say(c, "QUIT");
	conn_wait(c, WAIT_QUIT);
}

/* Not an end that anybody is to blame for. */
static void
close_after(struct conn *c, enum conn_end end)
{
	char status[REPLY_STATUS_MAX];

	snprintf(status, sizeof(status), "451 4.4.2 %s: %s", c->way.label,
	    end == CONN_END_QUIT ? "the session is over" : "connection closed");
	conn_close(c, end, status);
}

void
conn_ready(struct conn *c)
{
	if (c->messages >= c->way.messages) {
		conn_say_quit(c);
		return;
	}
	c->state = CONN_REST;
	c->env->ops->on_ready(c->arg);
}

static void
no_tls(struct conn *c, const char *why)
{
	char status[REPLY_STATUS_MAX];

	snprintf(
	    status, sizeof(status), "451 4.7.5 %s: TLS: %s", c->way.label, why);
	fail(c, c->want.tls == GREETING_MUST ? CONN_END_TLS : CONN_END_TLS_TRY,
	    status);
}

static struct tls_peer
peer_of(const struct conn *c)
{
	struct tls_peer peer = { .name = c->way.name,
		.addr = &c->way.addr,
		.helo = c->way.helo,
		.tlsa = c->way.tlsa };

	return peer;
}

static void
shake_hands(struct conn *c)
{
	struct tls_peer peer = peer_of(c);
	char why[TLS_WHY_MAX];
	SSL *ssl;

	ssl = tls_session(policy_tls(c->way.policy), &peer, why);
	if (ssl == NULL) {
		no_tls(c, why);
		return;
	}
	c->state = CONN_HANDSHAKE;
	wire_secure(c->wire, ssl);
	conn_wait(c, WAIT_HANDSHAKE);
}

static void
set_up(struct conn *c)
{
	c->ready = true;
	log_info("session=%08x event=connected remote=\"%s\" tls=\"%s\"",
	    c->session, c->way.label, c->tls);
	conn_ready(c);
}

static void
no_session(struct conn *c)
{
	static const enum conn_end ends[] = {
		[GREETING_REFUSED] = CONN_END_REFUSED,
		[GREETING_NO_TLS] = CONN_END_TLS,
		[GREETING_NO_AUTH] = CONN_END_AUTH,
		[GREETING_421] = CONN_END_421,
		[GREETING_NONSENSE] = CONN_END_LOST,
	};

	fail(c, ends[c->greeting.fault], c->greeting.status);
}

static void
go_on_greeting(struct conn *c, enum greeting_next next)
{
	switch (next) {
	case GREETING_SAY:
		conn_flush(c);
		conn_wait(c, WAIT_COMMAND);
		return;
	case GREETING_SAY_SECRET:
		trace(TRACE_MTA, "session=%08x remote=\"%s\" > (AUTH %s)",
		    c->session, c->way.label, sasl_name(&c->greeting.sasl));
		send_out(c);
		conn_wait(c, WAIT_COMMAND);
		return;
	case GREETING_HANDSHAKE:
		shake_hands(c);
		return;
	case GREETING_READY:
		set_up(c);
		return;
	case GREETING_END:
		no_session(c);
		return;
	}
}

static void
take_reply(struct conn *c)
{
	char status[REPLY_STATUS_MAX];
	enum conn_end end;

	switch (c->state) {
	case CONN_GREET:
		go_on_greeting(
		    c, greeting_take(&c->greeting, &c->reply, c->out));
		return;
	case CONN_MAIL:
		conn_mail_take(c);
		return;
	case CONN_RESET:
		if (c->reply.code / 100 == 2) {
			conn_ready(c);
			return;
		}
		end = c->reply.code == 421 ? CONN_END_421 : CONN_END_LOST;
		break;
	case CONN_QUIT:
		end = CONN_END_QUIT;
		break;
	default:
		/* It says 421 while it rests: that ends it, and is no more
		 * than that. */
		end = CONN_END_LOST;
		break;
	}
	conn_close(c, end, reply_status(status, &c->reply));
}

static void
trace_reply(const struct conn *c)
{
	char status[REPLY_STATUS_MAX];

	if (!trace_on(TRACE_MTA))
		return;
	reply_status(status, &c->reply);
	trace(TRACE_MTA, "session=%08x remote=\"%s\" < %s", c->session,
	    c->way.label,
	    greeting_harmless(&c->greeting, c->reply.text) ? status
							   : "(a secret)");
}

static void
on_data(void *arg, struct evbuffer *in)
{
	struct conn *c = arg;
	enum reply_state state;
	struct evbuffer_iovec v;
	size_t used;

	while (c->state != CONN_CLOSED && c->state != CONN_HANDSHAKE &&
	    evbuffer_peek(in, -1, NULL, &v, 1) > 0) {
		state = reply_feed(&c->reply, v.iov_base, v.iov_len, &used);
		evbuffer_drain(in, used);
		if (state == REPLY_MORE)
			continue;
		if (state == REPLY_BAD) {
			conn_broken(c, "451 4.5.0", "the answer is not SMTP");
			return;
		}
		trace_reply(c);
		take_reply(c);
		reply_init(&c->reply);
	}
}

static void
on_room(void *arg)
{
	struct conn *c = arg;

	if (c->state != CONN_MAIL || !c->d.body || c->d.empty)
		return;
	/* The host takes the body: its patience starts again. */
	conn_mail_go_on(c);
	conn_wait(c, conn_mail_patience(c));
}

static void
on_up(void *arg)
{
	struct conn *c = arg;

	greeting_begin(&c->greeting, &c->want, false);
	if (policy_implicit(c->way.policy)) {
		shake_hands(c);
		return;
	}
	c->state = CONN_GREET;
	conn_wait(c, WAIT_COMMAND);
}

static void
on_secure(void *arg)
{
	struct conn *c = arg;
	struct tls_peer peer = peer_of(c);
	struct tls *tls = policy_tls(c->way.policy);
	SSL *ssl = wire_ssl(c->wire);
	char why[TLS_WHY_MAX];

	if (!tls_check(tls, ssl, &peer, why)) {
		no_tls(c, why);
		return;
	}
	tls_text(tls, ssl, c->tls);
	c->state = CONN_GREET;
	go_on_greeting(c, greeting_secured(&c->greeting, c->out));
}

static void
on_down(void *arg, enum wire_fault fault, const char *why)
{
	struct conn *c = arg;
	char status[REPLY_STATUS_MAX];

	/* It had a last word, and that was the end. */
	if (c->state == CONN_CLOSED)
		return;
	switch (fault) {
	case WIRE_SOURCE:
		snprintf(status, sizeof(status),
		    "451 4.4.1 %s: our source address: %s", c->way.label, why);
		fail(c, CONN_END_SOURCE, status);
		return;
	case WIRE_TLS:
		no_tls(c, why);
		return;
	case WIRE_CONNECT:
		conn_broken(c, "451 4.4.1", why);
		return;
	case WIRE_LOST:
		break;
	}
	if (c->state == CONN_REST || c->state == CONN_RESET)
		close_after(c, CONN_END_LOST);
	else if (c->state == CONN_QUIT)
		close_after(c, CONN_END_QUIT);
	else
		conn_broken(c, "451 4.4.2", why);
}

static const struct wire_ops wire_ops = { on_up, on_secure, on_data, on_room,
	on_down };

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	switch (c->state) {
	case CONN_REST:
		conn_say_quit(c);
		return;
	case CONN_QUIT:
		close_after(c, CONN_END_QUIT);
		return;
	case CONN_RESET:
		close_after(c, CONN_END_LOST);
		return;
	case CONN_CONNECT:
		conn_broken(c, "451 4.4.1", strerror(ETIMEDOUT));
		return;
	case CONN_HANDSHAKE:
		no_tls(c, "no answer in time in the handshake");
		return;
	default:
		conn_broken(c, "451 4.4.2", "no answer in time");
		return;
	}
}

static void
on_tail(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	wire_free(c->wire);
	event_free(c->deadline);
	event_free(c->tail);
	body_free(&c->body);
	buf_free(c->out);
	free((char *)(uintptr_t)c->way.label);
	free((char *)(uintptr_t)c->way.name);
	free((char *)(uintptr_t)c->way.helo);
	tlsa_unref(c->way.tlsa);
	policy_unref(c->way.policy);
	free(c);
}

static enum greeting_tls
tls_mode(const struct conn_way *way)
{
	if (policy_no_tls(way->policy))
		return GREETING_CLEAR;
	if (way->tlsa != NULL || !policy_may_be_clear(way->policy))
		return GREETING_MUST;
	return way->in_clear ? GREETING_CLEAR : GREETING_TRY;
}

static void
copy_way(struct conn *c, const struct conn_way *way)
{
	c->way = *way;
	c->way.label = mem_strdup(way->label);
	c->way.name = mem_strdup(way->name);
	c->way.helo = mem_strdup(way->helo);
	c->way.tlsa = tlsa_ref(way->tlsa);
	c->way.policy = policy_ref(way->policy);
	c->want.label = c->way.label;
	c->want.helo = c->way.helo;
	c->want.lmtp = policy_lmtp(way->policy);
	c->want.tls = tls_mode(way);
	c->want.user = policy_user(way->policy);
	c->want.password = policy_password(way->policy);
}

struct conn *
conn_open(const struct conn_env *env, const struct conn_way *way, void *arg)
{
	struct wire_ends ends = { .addr = &way->addr,
		.addrlen = way->addrlen,
		.source = &way->source,
		.sourcelen = way->sourcelen,
		.dialer = env->dialer };
	struct conn *c = mem_zalloc(sizeof(*c));

	c->env = env;
	c->arg = arg;
	copy_way(c, way);
	c->session = (uint32_t)ident_random64();
	c->opened = mono_ms();
	c->out = buf_new(COMMANDS_MAX);
	body_init(&c->body);
	c->deadline = evtimer_new(env->base, on_deadline, c);
	c->tail = evtimer_new(env->base, on_tail, c);
	if (c->deadline == NULL || c->tail == NULL)
		fatal("out of memory: a connection");
	reply_init(&c->reply);
	c->wire = wire_open(env->base, &ends, &wire_ops, c);
	conn_wait(c, WAIT_CONNECT);
	return c;
}

void
conn_rest(struct conn *c)
{
	if (c->state == CONN_REST)
		conn_wait(c, c->way.keepalive_ms);
}

void
conn_quit(struct conn *c)
{
	if (c->state == CONN_REST)
		conn_say_quit(c);
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
		conn_hand_back(c, false);
	close_after(c, CONN_END_QUIT);
}

void
conn_facts(const struct conn *c, struct conn_facts *f)
{
	static const char *const states[] = {
		[CONN_CONNECT] = "connect",
		[CONN_HANDSHAKE] = "tls",
		[CONN_GREET] = "greet",
		[CONN_REST] = "rest",
		[CONN_MAIL] = "mail",
		[CONN_RESET] = "reset",
		[CONN_QUIT] = "quit",
		[CONN_CLOSED] = "closed",
	};

	f->session = c->session;
	f->state = states[c->state];
	f->phase = phase(c);
	f->tls = c->tls;
	f->messages = c->messages;
	f->since_ms = c->opened;
	f->octets = c->body.octets;
	f->lost_after_dot = c->uncertain;
}

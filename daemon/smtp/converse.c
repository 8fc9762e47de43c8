#include "daemon/smtp/converse.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/smtp/command.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"

#define CROWDED_US 20000

void
converse_drop_txn(struct session *s)
{
	desk_unwait(s->all->desk, &s->wait);
	txn_free(s->txn);
	s->txn = NULL;
}

void
converse_reply(struct session *s, const char *line)
{
	if (s->replies == NULL)
		s->replies = buf_new(2 * CONVERSE_OUTPUT_MAX);
	if (trace_on(TRACE_SMTP))
		trace(TRACE_SMTP, "session=%08x -> %s", s->id, line);
	s->waits = 0;
	if (buf_puts(s->replies, line) == -1 ||
	    buf_puts(s->replies, "\r\n") == -1)
		s->phase = LINGERING; /* far more than a turn can say */
}

/* After the last reply: the input is thrown away until the client closes, for
 * closing over unread input would destroy the reply on its way. */
static void
linger(struct session *s, const char *reason)
{
	if (s->phase == DEAD)
		return;
	converse_drop_txn(s);
	s->reason = reason;
	s->phase = LINGERING;
	s->began = s->now;
	if (s->stop_reading) {
		s->stop_reading = false;
		bufferevent_enable(s->bev, EV_READ);
	}
}

void
converse_send_away(struct session *s, const char *line, const char *reason)
{
	converse_reply(s, line);
	linger(s, reason);
}

/* A reply that counts against the client. */
static void
complain(struct session *s, const char *line)
{
	s->all->count.errors++;
	converse_reply(s, line);
	if (++s->errors >= SESSIONS_ERRORS)
		converse_send_away(s, "421 4.7.0 Too many errors", "errors");
}

static void
say_hello(struct session *s, const struct command *c)
{
	char text[ADDR_DOMAIN_MAX + 8];

	converse_drop_txn(s);
	free(s->helo);
	free(s->envelope_from);
	s->helo = mem_strdup(c->name);
	s->envelope_from = mem_printf("smtp [%s]:%u helo %s listener %s",
	    s->address, s->port, s->helo, s->tag);
	s->client.helo = s->helo;
	s->client.from = s->envelope_from;
	s->client.esmtp = c->verb == COMMAND_EHLO;
	if (c->verb == COMMAND_HELO) {
		snprintf(text, sizeof(text), "250 %s", s->host);
		converse_reply(s, text);
		return;
	}
	snprintf(text, sizeof(text), "250-%s", s->host);
	converse_reply(s, text);
	converse_reply(s, "250-PIPELINING");
	snprintf(text, sizeof(text), "250-SIZE %llu",
	    (unsigned long long)s->all->conf->max_message_size);
	converse_reply(s, text);
	converse_reply(s, "250-8BITMIME");
	converse_reply(s, "250-ENHANCEDSTATUSCODES");
	converse_reply(s, "250 HELP");
}

static void
on_hello(struct session *s, const struct command *c)
{
	if (c->error != NULL)
		complain(s, c->error);
	else
		say_hello(s, c);
}

static void
on_mail(struct session *s, const struct command *c)
{
	if (s->helo == NULL)
		complain(s, "503 5.5.1 EHLO or HELO first");
	else if (s->txn != NULL)
		complain(s, "503 5.5.1 MAIL was given already");
	else if (c->error != NULL)
		complain(s, c->error);
	else if (c->size > s->all->conf->max_message_size)
		converse_reply(s, "552 5.3.4 The message is too big");
	else {
		s->txn = txn_new(s->all->desk, &s->client, &c->addr);
		if (desk_refused(s->all->desk) || !txn_opening(s->txn))
			s->phase = MAIL_WAITS;
		else
			converse_reply(s, "250 2.1.0 Sender ok");
	}
}

static bool
is_full(const struct session *s)
{
	return txn_accepted(s->txn) + txn_asking(s->txn) >=
	    s->all->conf->max_recipients;
}

static void
on_rcpt(struct session *s, const struct command *c)
{
	if (s->txn == NULL)
		complain(s, "503 5.5.1 MAIL first");
	else if (c->error != NULL)
		complain(s, c->error);
	else if (is_full(s))
		converse_reply(s, "452 4.5.3 Too many recipients");
	else
		txn_rcpt(s->txn, &c->addr);
}

static void
on_data(struct session *s, const struct command *c)
{
	if (s->txn == NULL)
		complain(s, "503 5.5.1 MAIL first");
	else if (c->error != NULL)
		complain(s, c->error);
	else if (txn_accepted(s->txn) == 0)
		complain(s, "554 5.5.1 No valid recipients");
	else
		s->phase = ENVELOPES;
}

static void
on_rset(struct session *s, const struct command *c)
{
	if (c->error != NULL) {
		complain(s, c->error);
		return;
	}
	converse_drop_txn(s);
	converse_reply(s, "250 2.0.0 Ok");
}

static void
on_noop(struct session *s, const struct command *c)
{
	if (c->error != NULL)
		complain(s, c->error);
	else
		converse_reply(s, "250 2.0.0 Ok");
}

/* RFC 5321 section 7.3: 252 where verifying is not wanted. */
static void
on_vrfy(struct session *s, const struct command *c)
{
	if (c->error != NULL)
		complain(s, c->error);
	else
		converse_reply(
		    s, "252 2.5.2 Cannot verify, but will try to deliver");
}

static void
on_help(struct session *s, const struct command *c)
{
	if (c->error != NULL) {
		complain(s, c->error);
		return;
	}
	converse_reply(
	    s, "214-2.0.0 Commands: EHLO HELO MAIL RCPT DATA RSET NOOP");
	converse_reply(s, "214 2.0.0 VRFY EXPN HELP QUIT (RFC 5321)");
}

static void
on_quit(struct session *s, const struct command *c)
{
	if (c->error != NULL)
		complain(s, c->error);
	else
		converse_send_away(s, "221 2.0.0 Bye", "quit");
}

static void
on_foreign(struct session *s, const struct command *c)
{
	(void)c;
	converse_send_away(s, "421 4.7.0 This is SMTP", "foreign-protocol");
}

static void
on_unknown(struct session *s, const struct command *c)
{
	complain(s, c->error);
}

static void (*const on_verb[COMMAND_VERBS])(
    struct session *s, const struct command *c) = {
	[COMMAND_UNKNOWN] = on_unknown,
	[COMMAND_HELO] = on_hello,
	[COMMAND_EHLO] = on_hello,
	[COMMAND_MAIL] = on_mail,
	[COMMAND_RCPT] = on_rcpt,
	[COMMAND_DATA] = on_data,
	[COMMAND_RSET] = on_rset,
	[COMMAND_NOOP] = on_noop,
	[COMMAND_VRFY] = on_vrfy,
	[COMMAND_EXPN] = on_vrfy,
	[COMMAND_HELP] = on_help,
	[COMMAND_QUIT] = on_quit,
	[COMMAND_FOREIGN] = on_foreign,
};

static bool
is_junk(enum command_verb verb)
{
	return verb != COMMAND_RCPT && verb != COMMAND_DATA &&
	    verb != COMMAND_QUIT;
}

/* Replies come in order: what is answered at once waits until the recipients
 * before it have their replies. */
static bool
must_wait(const struct session *s, const struct command *c)
{
	if (s->txn == NULL || txn_asking(s->txn) == 0)
		return false;
	return c->verb != COMMAND_RCPT || c->error != NULL || is_full(s) ||
	    txn_asking(s->txn) >= TXN_ASKS;
}

/* A whole line. False: it must wait. */
static bool
obey(struct session *s, const char *line, size_t len)
{
	struct command c;
	char text[COMMAND_MAIL_MAX * 4];
	char plain[COMMAND_MAIL_MAX + 1];

	command_parse(&c, line, len);
	if (must_wait(s, &c))
		return false;
	if (trace_on(TRACE_SMTP)) {
		memcpy(plain, line, len);
		plain[len] = '\0';
		trace(TRACE_SMTP, "session=%08x <- %s", s->id,
		    text_printable(text, sizeof(text), plain));
	}
	if (is_junk(c.verb) && ++s->junk > SESSIONS_JUNK)
		converse_send_away(s, "421 4.7.0 Too many commands", "junk");
	else
		on_verb[c.verb](s, &c);
	return true;
}

static void
refuse_line(struct session *s, enum command_cut cut)
{
	const char *why = "500 5.5.2 Line too long";

	if (cut == COMMAND_BARE_LF)
		why = "500 5.5.2 A line ends with CRLF";
	else if (cut == COMMAND_BAD_OCTET)
		why = "500 5.5.2 A NUL or a bare CR is no part of a command";
	complain(s, why);
	if (s->phase == COMMANDS && cut == COMMAND_LONG && s->bad_line)
		converse_send_away(
		    s, "421 4.7.0 Too many long lines", "long-lines");
	s->bad_line = s->bad_line || cut == COMMAND_LONG;
}

static size_t
input_length(const struct session *s)
{
	return evbuffer_get_length(bufferevent_get_input(s->bev));
}

/* The start of the input in one run, long enough for any command. NULL: there
 * is no input. */
static const char *
input_line(struct session *s, size_t *len)
{
	struct evbuffer *in = bufferevent_get_input(s->bev);
	size_t n = evbuffer_get_length(in);

	*len = n < COMMAND_MAIL_MAX ? n : COMMAND_MAIL_MAX;
	if (n == 0)
		return NULL;
	return (const char *)evbuffer_pullup(in, (ev_ssize_t)*len);
}

/* What lies in one run anyway, at most a chunk. NULL: there is no input. */
static const uint8_t *
input_chunk(struct session *s, size_t *len)
{
	struct evbuffer_iovec v;

	if (evbuffer_peek(bufferevent_get_input(s->bev), -1, NULL, &v, 1) < 1)
		return NULL;
	*len = v.iov_len < CONVERSE_CHUNK ? v.iov_len : CONVERSE_CHUNK;
	return *len == 0 ? NULL : v.iov_base;
}

static void
drop_input(struct session *s, size_t n)
{
	evbuffer_drain(bufferevent_get_input(s->bev), n);
}

static void
relay_rcpt_replies(struct session *s)
{
	const char *line;

	while (s->txn != NULL && (line = txn_reply(s->txn)) != NULL) {
		converse_reply(s, line);
		if (line[0] == '2') {
			s->all->count.recipients++;
			continue;
		}
		s->all->count.rejected++;
		if (line[0] == '5' && ++s->rejects >= SESSIONS_REJECTS) {
			converse_send_away(
			    s, "421 4.7.0 Too many errors", "rejects");
			return;
		}
	}
}

/* Each step returns whether there may be more to do at once. */

static bool
step_commands(struct session *s)
{
	enum command_cut cut;
	const char *in;
	size_t len, used;
	bool asking;

	relay_rcpt_replies(s);
	if (s->phase != COMMANDS)
		return true;
	asking = s->txn != NULL && txn_asking(s->txn) > 0;
	if (s->all->stopping && !asking) {
		converse_send_away(s, "421 4.3.2 Shutting down", "stop");
		return true;
	}
	if (evbuffer_get_length(bufferevent_get_output(s->bev)) >
	    CONVERSE_OUTPUT_MAX)
		return false;
	if (s->replies != NULL &&
	    buf_len(s->replies) > CONVERSE_OUTPUT_MAX / 2) {
		s->pause = 0; /* after they were written */
		return false;
	}
	in = input_line(s, &len);
	if (in == NULL)
		return false;
	if (s->skipping) {
		s->skipping = !command_skip(in, len, &used);
		drop_input(s, used);
		return used > 0;
	}
	cut = command_cut(in, len, &used);
	if (cut == COMMAND_MORE || (cut != COMMAND_WHOLE && asking))
		return false;
	if (cut == COMMAND_WHOLE && !obey(s, in, used - 2))
		return false;
	drop_input(s, used);
	s->line = 0;
	if (cut != COMMAND_WHOLE)
		refuse_line(s, cut);
	s->skipping = cut == COMMAND_LONG || cut == COMMAND_BARE_LF;
	return true;
}

static bool
step_mail_waits(struct session *s)
{
	const char *trouble;

	if (txn_opening(s->txn))
		return false;
	trouble = txn_trouble(s->txn);
	converse_reply(s, trouble != NULL ? trouble : "250 2.1.0 Sender ok");
	if (trouble != NULL) {
		s->all->count.refused++;
		converse_drop_txn(s);
	}
	s->phase = COMMANDS;
	return true;
}

static bool
step_envelopes(struct session *s)
{
	if (desk_crowded(s->all->desk)) {
		s->pause = CROWDED_US;
		return false;
	}
	if (!txn_start(s->txn, mono_wall())) {
		s->pause = 0;
		return false;
	}
	if (txn_refusal(s->txn) != NULL) {
		converse_reply(s, txn_refusal(s->txn));
		converse_drop_txn(s);
		s->phase = COMMANDS;
		return true;
	}
	data_init(&s->data);
	s->phase = TEXT;
	s->began = s->heard = s->now;
	s->text = 0;
	converse_reply(s, "354 End the text with a dot on a line by itself");
	return true;
}

static void
on_text(void *arg, const uint8_t *text, size_t len)
{
	struct session *s = arg;

	txn_text(s->txn, text, len, s->all->conf->max_message_size);
}

/* The credit is used up: the client is not read until there is more. */
static bool
wait_for_credit(struct session *s)
{
	desk_wait(s->all->desk, &s->wait);
	if (!s->stop_reading) {
		s->stop_reading = true;
		bufferevent_disable(s->bev, EV_READ);
	}
	return false;
}

static void
go_on_reading(struct session *s)
{
	if (!s->stop_reading)
		return;
	s->stop_reading = false;
	s->began += s->now - s->heard; /* we were slow, not the client */
	s->heard = s->now;
	s->waits = 0;
	bufferevent_enable(s->bev, EV_READ);
}

/* RFC 5321 section 2.3.8: such text may mean two things to two readers, so it
 * is refused, and nothing after it is believed. */
static const char *
malformed(const struct data *d)
{
	if (d->flags & (DATA_BARE_CR | DATA_BARE_LF))
		return "550 5.6.11 The text has a bare CR or a bare LF";
	if (d->flags & DATA_NUL)
		return "550 5.6.0 The text has a NUL";
	return NULL;
}

static bool
end_text(struct session *s)
{
	const char *why = malformed(&s->data);

	if (why == NULL)
		why = txn_refusal(s->txn);
	if (why == NULL) {
		s->phase = TAIL;
		return true;
	}
	s->all->count.refused++;
	log_info("session=%08x event=refused reply=\"%s\" size=%llu", s->id,
	    why, (unsigned long long)txn_size(s->txn));
	s->phase = COMMANDS;
	if (malformed(&s->data) != NULL) {
		converse_send_away(s, why, "malformed");
		return true;
	}
	converse_drop_txn(s);
	converse_reply(s, why);
	return true;
}

static bool
step_text(struct session *s)
{
	const uint8_t *in;
	size_t len, used;

	if (s->all->stopping) {
		converse_send_away(s, "421 4.3.2 Shutting down", "stop");
		return true;
	}
	if (!txn_flush(s->txn))
		return wait_for_credit(s);
	go_on_reading(s);
	in = input_chunk(s, &len);
	if (in == NULL)
		return false;
	used = data_feed(&s->data, in, len, on_text, s);
	drop_input(s, used);
	s->text += used;
	s->octets += used;
	s->all->count.octets += used;
	if (malformed(&s->data) != NULL)
		txn_refuse(s->txn, malformed(&s->data));
	if (s->data.ended)
		return end_text(s);
	return true;
}

static bool
step_tail(struct session *s)
{
	if (!txn_commit(s->txn))
		return wait_for_credit(s);
	go_on_reading(s);
	if (txn_refusal(s->txn) != NULL)
		return end_text(s);
	s->phase = COMMITTING;
	return true;
}

static bool
step_committing(struct session *s)
{
	char text[80], id[IDENT_TEXT_MAX];
	enum intake_status status;

	if (!txn_done(s->txn, &status))
		return false;
	ident_msgid_text(id, txn_msgid(s->txn));
	if (status == INTAKE_OK) {
		snprintf(
		    text, sizeof(text), "250 2.0.0 %s message accepted", id);
		s->messages++;
		s->all->count.messages++;
		s->errors = s->rejects = s->junk = 0;
	} else {
		snprintf(text, sizeof(text), "%s",
		    status == INTAKE_FULL
			? "452 4.3.1 Insufficient system storage"
			: "451 4.3.0 The message was not stored, try again "
			  "later");
		s->all->count.refused++;
	}
	converse_drop_txn(s);
	s->phase = COMMANDS;
	converse_reply(s, text);
	return true;
}

static bool
step_lingering(struct session *s)
{
	drop_input(s, input_length(s));
	return false;
}

static bool (*const steps[])(struct session *s) = {
	[COMMANDS] = step_commands,
	[MAIL_WAITS] = step_mail_waits,
	[ENVELOPES] = step_envelopes,
	[TEXT] = step_text,
	[TAIL] = step_tail,
	[COMMITTING] = step_committing,
	[LINGERING] = step_lingering,
};

bool
converse_awaits_us(const struct session *s)
{
	if (s->phase == COMMANDS)
		return s->txn != NULL && txn_asking(s->txn) > 0;
	return s->phase == MAIL_WAITS || s->phase == ENVELOPES ||
	    s->phase == TAIL || s->phase == COMMITTING || s->stop_reading;
}

bool
converse_step(struct session *s, long *pause)
{
	s->pause = -1;
	if (steps[s->phase](s))
		return true;
	*pause = s->pause;
	return false;
}

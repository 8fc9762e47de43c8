/*
 * SMTP sessions against a lookup and a spooler that are made of wood.
 *
 * Long on purpose: every case needs those two and the client's side, which a
 * second file would have to repeat.
 */
#include "daemon/smtp/sessions.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/smtp/txn.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/mail/envelope.h"

#define MESSAGES 600
#define QUEUED 4096

struct stored {
	uint64_t msgid;
	struct buf *body;
	struct envelope *envelopes;
	unsigned n;
	bool committed, aborted;
};

/* An answer on its way back to the role. */
struct answer {
	int (*fn)(struct desk *d, struct message *m);
	uint8_t *data;
	size_t len;
};

struct peer { /* our own, in place of daemon/proc/peer.c */
	enum role who;
	struct buf *out;
	struct world *world;
};

struct world {
	struct sessions all;
	struct conf conf;
	struct peer lookup, spooler;
	struct stored messages[MESSAGES];
	unsigned n;
	struct answer answers[QUEUED];
	unsigned first, last;
	bool mute_lookup, mute_spooler, keep_credit;
	enum intake_status open_status, done_status;
	uint32_t kept; /* credit not given back */
	unsigned asked, opens, aborts;
};

struct client {
	int fd;
	char text[256 * 1024];
	size_t len;
	bool closed;
};

/* Our own in place of lib/base/mono.c: time stands still unless told. */
static uint64_t clock_ms = 1000000;

uint64_t
mono_ms(void)
{
	return clock_ms;
}

int64_t
mono_wall(void)
{
	return 1795353669;
}

struct buf *
peer_begin(struct peer *p)
{
	buf_reset(p->out);
	return p->out;
}

size_t
peer_queued(const struct peer *p)
{
	(void)p;
	return 0;
}

static void
answer_later(
    struct world *w, int (*fn)(struct desk *, struct message *), struct buf *b)
{
	struct answer *a = &w->answers[w->last++ % QUEUED];

	assert_true(w->last - w->first <= QUEUED);
	a->fn = fn;
	a->data = buf_steal(b, &a->len);
	buf_free(b);
}

static void
fake_lookup(struct world *w, struct unpack *u)
{
	struct buf *b = buf_new(1 << 20);
	struct ask_answer a = { .verdict = ASK_ACCEPT, .reply = "", .n = 1 };
	struct ask_target t = {
		.kind = ENVELOPE_DELIVER, .action = "maildir-1", .ttl = 3600
	};
	struct ask_rcpt m;
	uint16_t i;
	char name[64];

	assert_int_equal(ask_rcpt_get(u, &m), 0);
	w->asked++;
	a.ticket = m.ticket;
	if (strncmp(m.recipient, "no", 2) == 0) {
		a.verdict = ASK_REJECT;
		a.reply = "550 5.1.1 No such user";
		a.n = 0;
	} else if (strncmp(m.recipient, "later", 5) == 0) {
		a.verdict = ASK_TEMPFAIL;
		a.reply = "451 4.3.0 Table is broken";
		a.n = 0;
	} else if (strncmp(m.recipient, "many", 4) == 0)
		a.n = 100;
	ask_answer_put(b, &a);
	t.destination = m.recipient;
	for (i = 0; i < a.n; i++) {
		if (a.n > 1) {
			snprintf(name, sizeof(name), "u%u@example.org", i);
			t.destination = name;
		}
		ask_target_put(b, &t);
	}
	answer_later(w, desk_on_answer, b);
}

static struct stored *
find(struct world *w, uint64_t msgid)
{
	unsigned i;

	for (i = 0; i < w->n; i++)
		if (w->messages[i].msgid == msgid)
			return &w->messages[i];
	fail_msg("message %llx", (unsigned long long)msgid);
	return NULL;
}

static void
fake_open(struct world *w, struct unpack *u)
{
	struct intake_opened o = { .status = w->open_status };
	struct buf *b = buf_new(1000);
	struct intake_open m;

	assert_int_equal(intake_open_get(u, &m), 0);
	w->opens++;
	o.ticket = m.ticket;
	if (o.status == INTAKE_OK) {
		assert_true(w->n < MESSAGES);
		o.msgid = 0x3f9a0c410000 + w->n;
		memset(&w->messages[w->n], 0, sizeof(w->messages[0]));
		w->messages[w->n].body = buf_new(64 << 20);
		w->messages[w->n++].msgid = o.msgid;
	}
	intake_opened_put(b, &o);
	answer_later(w, desk_on_opened, b);
}

static void
fake_envelope(struct world *w, struct unpack *u)
{
	struct intake_envelope m;
	struct stored *s;
	char why[200];

	assert_int_equal(intake_envelope_get(u, &m), 0);
	s = find(w, m.msgid);
	assert_false(s->aborted || s->committed);
	s->envelopes =
	    mem_rearray(s->envelopes, s->n + 1, sizeof(*s->envelopes));
	if (envelope_parse(&s->envelopes[s->n], (const char *)m.text, m.len,
		why, sizeof(why)) != ENVELOPE_OK)
		fail_msg("%s", why);
	s->n++;
	assert_true(s->envelopes[s->n - 1].id == (m.msgid << 16 | s->n));
}

static void
fake_body(struct world *w, struct unpack *u)
{
	struct intake_credit c;
	struct intake_body m;
	struct stored *s;
	struct buf *b;

	assert_int_equal(intake_body_get(u, &m), 0);
	s = find(w, m.msgid);
	assert_false(s->aborted || s->committed);
	assert_true(m.len > 0 && m.len <= INTAKE_PIECE);
	assert_int_equal(buf_put(s->body, m.data, m.len), 0);
	w->kept += (uint32_t)m.len;
	if (w->keep_credit)
		return;
	b = buf_new(1000);
	c.octets = w->kept;
	w->kept = 0;
	intake_credit_put(b, &c);
	answer_later(w, desk_on_credit, b);
}

static void
fake_commit(struct world *w, struct unpack *u)
{
	struct intake_done done = { .status = w->done_status };
	struct buf *b = buf_new(1000);
	struct intake_commit m;
	struct stored *s;

	assert_int_equal(intake_commit_get(u, &m), 0);
	s = find(w, m.msgid);
	assert_false(s->aborted || s->committed);
	assert_int_equal(m.size, buf_len(s->body));
	assert_int_equal(m.envelopes, s->n);
	assert_true(s->n > 0);
	s->committed = done.status == INTAKE_OK;
	done.ticket = m.ticket;
	intake_done_put(b, &done);
	answer_later(w, desk_on_done, b);
}

static void
fake_abort(struct world *w, struct unpack *u)
{
	struct intake_abort m;
	struct stored *s;

	assert_int_equal(intake_abort_get(u, &m), 0);
	s = find(w, m.msgid);
	assert_false(s->aborted || s->committed);
	s->aborted = true;
	w->aborts++;
}

void
peer_send(struct peer *p, uint16_t type)
{
	struct unpack u;

	unpack_init(&u, buf_data(p->out), buf_len(p->out));
	switch (type) {
	case ASK_RCPT:
		fake_lookup(p->world, &u);
		break;
	case INTAKE_OPEN:
		fake_open(p->world, &u);
		break;
	case INTAKE_ENVELOPE:
		fake_envelope(p->world, &u);
		break;
	case INTAKE_BODY:
		fake_body(p->world, &u);
		break;
	case INTAKE_COMMIT:
		fake_commit(p->world, &u);
		break;
	case INTAKE_ABORT:
		fake_abort(p->world, &u);
		break;
	default:
		fail_msg("message %#x", type);
	}
}

static bool
is_mute(const struct world *w, const struct answer *a)
{
	return a->fn == desk_on_answer ? w->mute_lookup : w->mute_spooler;
}

static void
deliver_answers(struct world *w)
{
	struct message m = { .fd = -1 };
	struct answer a;
	unsigned i, n = w->last - w->first;

	for (i = 0; i < n; i++) {
		a = w->answers[w->first++ % QUEUED];
		if (is_mute(w, &a)) {
			w->answers[w->last++ % QUEUED] = a;
			continue;
		}
		unpack_init(&m.body, a.data, a.len);
		assert_int_equal(a.fn(w->all.desk, &m), 0);
		free(a.data);
	}
}

static void
loop(struct world *w)
{
	int i;

	for (i = 0; i < 12; i++) {
		event_base_loop(w->all.base, EVLOOP_NONBLOCK);
		deliver_answers(w);
	}
}

static struct world *
world_new(void)
{
	struct world *w = mem_zalloc(sizeof(*w));

	w->lookup.out = buf_new(1 << 20);
	w->spooler.out = buf_new(1 << 20);
	w->lookup.world = w->spooler.world = w;
	w->conf.max_message_size = 100000;
	w->conf.max_recipients = 100;
	w->conf.max_sessions = 50;
	w->conf.max_sessions_per_client = 20;
	w->conf.idle_timeout = 300;
	w->all.base = event_base_new();
	w->all.conf = &w->conf;
	w->all.rate = rate_new();
	w->all.desk = desk_new(&w->lookup, &w->spooler, 50, &txn_events);
	TAILQ_INIT(&w->all.open);
	log_set_level(LOG_LEVEL_ERR);
	return w;
}

static void
world_free(struct world *w)
{
	unsigned i, k;

	loop(w);
	assert_int_equal(w->all.n, 0);
	assert_int_equal(w->first, w->last);
	for (i = 0; i < w->n; i++) {
		assert_true(w->messages[i].aborted != w->messages[i].committed);
		for (k = 0; k < w->messages[i].n; k++)
			envelope_clear(&w->messages[i].envelopes[k]);
		free(w->messages[i].envelopes);
		buf_free(w->messages[i].body);
	}
	desk_free(w->all.desk);
	rate_free(w->all.rate);
	event_base_free(w->all.base);
	buf_free(w->lookup.out);
	buf_free(w->spooler.out);
	free(w);
}

static struct client *
dial_from(struct world *w, const char *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = 40112 };
	struct client *c = mem_zalloc(sizeof(*c));
	int fds[2];

	inet_pton(AF_INET, address, &in.sin_addr);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	c->fd = fds[0];
	sessions_admit(&w->all, fds[1], (struct sockaddr *)&in, sizeof(in),
	    "mx.example.org", "lo:2525");
	loop(w);
	return c;
}

static struct client *
dial(struct world *w)
{
	return dial_from(w, "192.0.2.14");
}

static void
listen_to(struct world *w, struct client *c)
{
	ssize_t n;
	int quiet;

	for (quiet = 0; quiet < 2; quiet++) {
		loop(w);
		n = read(c->fd, c->text + c->len, sizeof(c->text) - 1 - c->len);
		if (n > 0) {
			c->len += (size_t)n;
			quiet = -1;
		}
		c->closed = c->closed || n == 0;
	}
	c->text[c->len] = '\0';
}

static void
say_octets(struct world *w, struct client *c, const char *text, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(c->fd, text, len);
		if (n == -1 && errno == EPIPE)
			return;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
		loop(w);
	}
}

static void
say(struct world *w, struct client *c, const char *text)
{
	say_octets(w, c, text, strlen(text));
	listen_to(w, c);
}

/* The codes of the replies so far: "220 250 354"; then they are forgotten. */
static const char *
codes(struct client *c, char *dst)
{
	char *line, *next, *out = dst;

	*out = '\0';
	for (line = c->text; *line != '\0'; line = next) {
		next = strstr(line, "\r\n");
		if (next == NULL)
			fail_msg("half a reply: %s", line);
		next += 2;
		if (line[3] == ' ')
			out +=
			    sprintf(out, out == dst ? "%.3s" : " %.3s", line);
	}
	c->len = 0;
	c->text[0] = '\0';
	return dst;
}

static void
expect(struct client *c, const char *want)
{
	char got[20000], all[600];

	snprintf(all, sizeof(all), "%.599s", c->text);
	codes(c, got);
	if (strcmp(got, want) != 0)
		fail_msg("got %s, want %s\n%s", got, want, all);
}

static void
hang_up(struct world *w, struct client *c)
{
	close(c->fd);
	free(c);
	loop(w);
}

#define MAIL_TO(rcpt)                                                          \
	"MAIL FROM:<a@shop.example>\r\nRCPT TO:<" rcpt ">\r\nDATA\r\n"

static void
a_message(void **state)
{
	struct world *w = world_new();
	struct client *c = dial(w);
	static const char received[] =
	    "Received: from mail.shop.example ([192.0.2.14])\r\n"
	    "\tby mx.example.org (Spoolkit) with ESMTP id 3f9a0c410000\r\n"
	    "\tfor <ok@example.org>;\r\n\t";
	const struct envelope *e;
	const char *body;

	(void)state;
	expect(c, "");
	say(w, c, "EHLO mail.shop.example\r\n");
	expect(c, "220 250");
	say(w, c, "MAIL FROM:<a@shop.example> SIZE=10\r\n");
	expect(c, "250");
	say(w, c, "RCPT TO:<ok@example.org>\r\n");
	expect(c, "250");
	say(w, c, "DATA\r\n");
	expect(c, "354");
	say(w, c, "Subject: x\r\n\r\n..dot\r\n.\r\n");
	assert_string_equal(
	    c->text, "250 2.0.0 3f9a0c410000 message accepted\r\n");
	expect(c, "250");
	say(w, c, "QUIT\r\n");
	expect(c, "221");
	assert_true(c->closed);
	hang_up(w, c);
	assert_int_equal(w->n, 1);
	assert_true(w->messages[0].committed);
	body = buf_text(w->messages[0].body);
	assert_memory_equal(body, received, sizeof(received) - 1);
	assert_non_null(strstr(body, " +0000\r\nSubject: x\r\n\r\n.dot\r\n"));
	e = &w->messages[0].envelopes[0];
	assert_string_equal(e->sender, "a@shop.example");
	assert_string_equal(e->recipient, "ok@example.org");
	assert_string_equal(e->from,
	    "smtp [192.0.2.14]:45212 helo mail.shop.example listener lo:2525");
	assert_int_equal(e->expires - e->arrived, 3600);
	world_free(w);
}

static void
all_at_once(void **state)
{
	struct world *w = world_new();
	struct client *c = dial(w);
	int i;

	(void)state;
	say(w, c,
	    "EHLO x.example\r\n" MAIL_TO(
		"ok@a.example") "a\r\n.\r\n"
				"MAIL FROM:<>\r\nRCPT TO:<no@x>\r\nRCPT "
				"TO:<ok@x>\r\n"
				"RCPT TO:<later@x>\r\nRCPT TO:<bad\r\nRCPT "
				"TO:<ok2@x>\r\nDATA\r\n"
				".\r\nNOOP\r\nQUIT\r\nNOOP\r\n");
	expect(c,
	    "220 250 250 250 354 250 250 550 250 451 501 250 354 250 250 221");
	assert_int_equal(w->n, 2);
	assert_int_equal(w->messages[1].n, 2);
	assert_null(strstr(buf_text(w->messages[1].body), "for <"));
	hang_up(w, c);

	/* Octet by octet it is the same. */
	c = dial(w);
	static const char slow[] = "EHLO x.example\r\n" MAIL_TO(
	    "ok@a.example") "a\r\n..\r\n.\r\nQUIT\r\n";
	for (i = 0; slow[i] != '\0'; i++)
		say_octets(w, c, slow + i, 1);
	listen_to(w, c);
	expect(c, "220 250 250 250 354 250 221");
	assert_non_null(
	    strstr(buf_text(w->messages[2].body), "\r\na\r\n.\r\n"));
	hang_up(w, c);
	world_free(w);
}

static void
gone_in_the_middle(void **state)
{
	static const char whole[] = "EHLO x.example\r\n" MAIL_TO(
	    "ok@a.example") "a\r\n.\r\nMAIL FROM:<>\r\n";
	struct world *w = world_new();
	struct client *c;
	size_t n;
	int mute;

	(void)state;
	for (mute = 0; mute < 3; mute++)
		for (n = 0; n < sizeof(whole); n++) {
			w->mute_lookup = mute == 1;
			w->mute_spooler = mute == 2;
			c = dial(w);
			say_octets(w, c, whole, n);
			loop(w);
			hang_up(w, c);
			w->mute_lookup = w->mute_spooler = false;
			loop(w);
			assert_int_equal(w->all.n, 0);
		}
	world_free(w);
}

static void
half_closed(void **state)
{
	struct world *w = world_new();
	struct client *c = dial(w);
	static const char text[] =
	    "HELO x\r\n" MAIL_TO("ok@a.example") "a\r\n.\r\nQUIT\r\n";

	(void)state;
	w->mute_lookup = true;
	assert_int_equal(
	    write(c->fd, text, sizeof(text) - 1), sizeof(text) - 1);
	shutdown(c->fd, SHUT_WR);
	loop(w);
	w->mute_lookup = false;
	listen_to(w, c);
	expect(c, "220 250 250 250 354 250 221");
	assert_true(c->closed);
	assert_true(w->messages[0].committed);
	hang_up(w, c);
	world_free(w);
}

static void
refusals_of_the_spooler(void **state)
{
	struct world *w = world_new();
	struct client *c = dial(w);

	(void)state;
	w->open_status = INTAKE_FULL;
	say(w, c, "EHLO x.example\r\nMAIL FROM:<>\r\n");
	expect(c, "220 250 250");
	say(w, c, "RCPT TO:<ok@x>\r\n");
	expect(c, "452");
	say(w, c, "DATA\r\nRSET\r\n");
	expect(c, "554 250");
	/* It knows better now and asks first. */
	say(w, c, "MAIL FROM:<>\r\nRCPT TO:<ok@x>\r\n");
	expect(c, "452 503");
	w->open_status = INTAKE_TEMPORARY;
	say(w, c, "MAIL FROM:<>\r\n");
	expect(c, "451");
	w->open_status = INTAKE_OK;
	w->done_status = INTAKE_FULL;
	say(w, c, MAIL_TO("ok@x") "x\r\n.\r\n");
	expect(c, "250 250 354 452");
	w->messages[0].aborted = true;
	w->done_status = INTAKE_TEMPORARY;
	say(w, c, MAIL_TO("ok@x") "x\r\n.\r\n");
	expect(c, "250 250 354 451");
	w->messages[1].aborted = true;
	w->done_status = INTAKE_OK;
	say(w, c, MAIL_TO("ok@x") "x\r\n.\r\n");
	expect(c, "250 250 354 250");
	hang_up(w, c);
	world_free(w);
}

static void
malformed_text(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *codes;
	} cases[] = {
#define CASE(text, codes) { text, sizeof(text) - 1, codes }
		CASE("a\n.\r\nNOOP\r\n.\r\nNOOP\r\n", "550"),
		CASE("a\r.\r\nNOOP\r\n.\r\nNOOP\r\n", "550"),
		CASE("a\r\n.\nNOOP\r\n.\r\nNOOP\r\n", "550"),
		CASE("a\r\n.\rNOOP\r\n.\r\nNOOP\r\n", "550"),
		CASE("a\0b\r\n.\r\nNOOP\r\n", "550"),
		CASE("a\r\r\n.\r\nNOOP\r\n", "550"),
		CASE("a\r\n.\r\nNOOP\r\n", "250 250"),
#undef CASE
	};
	struct world *w = world_new();
	struct client *c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = dial(w);
		say(w, c, "EHLO x.example\r\n" MAIL_TO("ok@x"));
		expect(c, "220 250 250 250 354");
		say_octets(w, c, cases[i].text, cases[i].len);
		listen_to(w, c);
		expect(c, cases[i].codes);
		assert_int_equal(c->closed, strlen(cases[i].codes) == 3);
		hang_up(w, c);
		assert_int_equal(w->n, i + 1);
		assert_int_equal(
		    w->messages[i].aborted, strlen(cases[i].codes) == 3);
	}
	world_free(w);
}

static void
sizes_and_hops(void **state)
{
	struct world *w = world_new();
	struct client *c = dial(w);
	char *big = malloc(200000);
	int i, n;

	(void)state;
	say(w, c, "EHLO x.example\r\nMAIL FROM:<> SIZE=100001\r\n");
	expect(c, "220 250 552");
	for (i = 0; i < 3; i++) {
		n = 99999 + i - 2;
		memset(big, 'x', (size_t)n);
		memcpy(big + n, "\r\n.\r\n", 6);
		say(w, c, MAIL_TO("ok@x"));
		expect(c, "250 250 354");
		say(w, c, big);
		expect(c, n + 2 > 100000 ? "552" : "250");
	}
	assert_true(w->messages[1].committed);
	assert_true(w->messages[2].aborted);
	for (n = 100; n <= 101; n++) {
		big[0] = '\0';
		for (i = 0; i < n; i++)
			strcat(big, "Received: x\r\n");
		strcat(big, "\r\nReceived: body\r\n.\r\n");
		say(w, c, MAIL_TO("ok@x"));
		expect(c, "250 250 354");
		say(w, c, big);
		expect(c, n > 100 ? "550" : "250");
	}
	free(big);
	hang_up(w, c);
	world_free(w);
}

static void
no_credit(void **state)
{
	struct world *w = world_new();
	struct client *c = dial(w), *d = dial(w);
	size_t size = 9u << 20, i;
	char *big = malloc(size + 6), line[] = "0123456789abcdef\r\n";
	struct buf *b;
	struct intake_credit give;
	ssize_t n;

	(void)state;
	for (i = 0; i < size; i++)
		big[i] = line[i % 18];
	memcpy(big + size, "\r\n.\r\n", 6);
	w->conf.max_message_size = 64u << 20;
	w->keep_credit = true;
	say(w, c, "EHLO x.example\r\n" MAIL_TO("ok@x"));
	expect(c, "220 250 250 250 354");
	for (i = 0; i < size + 5;) {
		n = write(c->fd, big + i, size + 5 - i);
		loop(w);
		if (n <= 0)
			break;
		i += (size_t)n;
	}
	/* Not read any further, and little is held. */
	assert_true(i < INTAKE_WINDOW + (1u << 20));
	assert_true(buf_len(w->messages[0].body) > INTAKE_WINDOW - 65536);
	/* Another client speaks, but its text must wait too. */
	say(w, d, "EHLO y.example\r\n" MAIL_TO("ok@x") "small\r\n.\r\n");
	w->keep_credit = false;
	b = buf_new(100);
	give.octets = w->kept;
	w->kept = 0;
	intake_credit_put(b, &give);
	answer_later(w, desk_on_credit, b);
	say(w, c, big + i);
	expect(c, "250");
	listen_to(w, d);
	expect(d, "220 250 250 250 354 250");
	assert_true(buf_len(w->messages[0].body) > size);
	free(big);
	hang_up(w, c);
	hang_up(w, d);
	world_free(w);
}

static void
caps(void **state)
{
	struct world *w = world_new();
	struct client *c[21], *other;
	int i;

	(void)state;
	for (i = 0; i < 21; i++) {
		c[i] = dial(w);
		listen_to(w, c[i]);
		expect(c[i], i < 20 ? "220" : "421");
		assert_int_equal(c[i]->closed, i == 20);
	}
	other = dial_from(w, "192.0.2.15");
	listen_to(w, other);
	expect(other, "220");
	hang_up(w, other);
	hang_up(w, c[20]);
	hang_up(w, c[0]);
	c[0] = dial(w);
	listen_to(w, c[0]);
	expect(c[0], "220");
	w->conf.max_sessions = 20;
	other = dial_from(w, "192.0.2.15");
	listen_to(w, other);
	expect(other, "421");
	hang_up(w, other);
	for (i = 0; i < 20; i++)
		hang_up(w, c[i]);
	world_free(w);
}

static void
too_much_of_it(void **state)
{
	struct world *w = world_new();
	struct client *c = dial(w);
	int i;

	(void)state;
	for (i = 1; i < SESSIONS_ERRORS; i++)
		say(w, c, "BLAH\r\n");
	assert_false(c->closed);
	c->len = 0;
	say(w, c, "BLAH\r\nNOOP\r\n");
	expect(c, "500 421");
	assert_true(c->closed);
	hang_up(w, c);

	c = dial(w);
	for (i = 0; i < SESSIONS_JUNK; i++)
		say_octets(w, c, "NOOP\r\n", 6);
	listen_to(w, c);
	assert_false(c->closed);
	c->len = 0;
	say(w, c, "NOOP\r\nNOOP\r\n");
	expect(c, "421");
	assert_true(c->closed);
	hang_up(w, c);

	w->conf.max_recipients = 1000;
	c = dial(w);
	say(w, c, "EHLO x\r\nMAIL FROM:<>\r\n");
	for (i = 1; i < SESSIONS_REJECTS; i++)
		say(w, c, "RCPT TO:<no@x>\r\n");
	assert_false(c->closed);
	c->len = 0;
	say(w, c, "RCPT TO:<no@x>\r\nNOOP\r\n");
	expect(c, "550 421");
	assert_true(c->closed);
	hang_up(w, c);
	world_free(w);
}

static void
many_recipients(void **state)
{
	struct world *w = world_new();
	struct client *c = dial(w);
	char line[40];
	struct buf *b = buf_new(100000), *want = buf_new(100000);
	int i;

	(void)state;
	buf_puts(b, "EHLO x\r\nMAIL FROM:<>\r\n");
	buf_puts(want, "220 250 250");
	for (i = 0; i < 101; i++) {
		snprintf(line, sizeof(line), "RCPT TO:<ok%d@x>\r\n", i);
		buf_puts(b, line);
		buf_puts(want, i < 100 ? " 250" : " 452");
	}
	buf_puts(b, "DATA\r\n.\r\n");
	buf_puts(want, " 354 250");
	say(w, c, buf_text(b));
	expect(c, buf_text(want));
	assert_int_equal(w->messages[0].n, 100);
	/* Twenty aliases of a hundred each, which are the same hundred. */
	say(w, c, "MAIL FROM:<>\r\n");
	for (i = 0; i < 20; i++)
		say(w, c, "RCPT TO:<many@x>\r\n");
	c->len = 0;
	say(w, c, "DATA\r\n.\r\n");
	expect(c, "354 250");
	assert_int_equal(w->messages[1].n, 100);
	buf_free(b);
	buf_free(want);
	hang_up(w, c);
	world_free(w);
}

static void
bad_lines(void **state)
{
	struct world *w = world_new();
	struct client *c = dial(w);
	char line[3000];

	(void)state;
	listen_to(w, c);
	expect(c, "220");
	memset(line, 'x', sizeof(line));
	memcpy(line, "NOOP ", 5);
	memcpy(line + 510, "\r\n", 3);
	say(w, c, line);
	expect(c, "250");
	line[510] = 'x';
	memcpy(line + 511, "\r\n", 3);
	say(w, c, line);
	expect(c, "500");
	line[511] = 'x';
	memcpy(line + 512, "\nNOOP\r\nNOOP\r\n", 14);
	say(w, c, line);
	expect(c, "500 250");
	say(w, c, "NOOP\nNOOP\r\nNOOP\r\n");
	expect(c, "500 250");
	say_octets(w, c, "NO\0OP\r\nNO\rOP\r\nNOOP\r\n", 21);
	listen_to(w, c);
	expect(c, "500 500 250");
	/* What has no end is drained; a second one ends it. */
	memset(line, 'x', sizeof(line));
	say_octets(w, c, line, sizeof(line));
	say_octets(w, c, line, sizeof(line));
	listen_to(w, c);
	expect(c, "500");
	say(w, c, "\r\nNOOP\r\n");
	expect(c, "250");
	say_octets(w, c, line, sizeof(line));
	listen_to(w, c);
	expect(c, "500 421");
	assert_true(c->closed);
	hang_up(w, c);
	c = dial(w);
	say(w, c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(c, "220 421");
	assert_true(c->closed);
	hang_up(w, c);
	world_free(w);
}

static void
stops(void **state)
{
	struct world *w = world_new();
	struct client *idle = dial(w), *text = dial(w), *commit = dial(w);

	(void)state;
	say(w, idle, "EHLO x\r\n");
	say(w, text, "EHLO x\r\n" MAIL_TO("ok@x") "abc");
	say(w, commit, "EHLO x\r\n" MAIL_TO("ok@x"));
	expect(idle, "220 250");
	expect(text, "220 250 250 250 354");
	expect(commit, "220 250 250 250 354");
	w->mute_spooler = true;
	say(w, commit, "abc\r\n.\r\n");
	expect(commit, "");
	sessions_stop(&w->all);
	listen_to(w, idle);
	listen_to(w, text);
	listen_to(w, commit);
	expect(idle, "421");
	expect(text, "421");
	expect(commit, "");
	w->mute_spooler = false;
	listen_to(w, commit);
	expect(commit, "250 421");
	hang_up(w, idle);
	hang_up(w, text);
	hang_up(w, commit);
	world_free(w);
}

/* Replies that nobody takes stop the commands; none is lost. */
static void
deaf_client(void **state)
{
	struct world *w = world_new();
	struct client *c = dial(w);
	unsigned sent = 0, heard = 0;
	const char *at;

	(void)state;
	while (sent < 900 && write(c->fd, "HELP\r\n", 6) == 6)
		sent++;
	listen_to(w, c);
	for (at = c->text; (at = strstr(at, "\r\n214 ")) != NULL; at++)
		heard++;
	assert_true(sent > 100);
	assert_int_equal(heard, sent);
	hang_up(w, c);
	world_free(w);
}

static void
local_submission(void **state)
{
	struct world *w = world_new();
	struct client *c = dial_from(w, "127.0.0.1");

	(void)state;
	say(w, c, "EHLO x\r\n" MAIL_TO("ok@x") "Subject: y\r\n\r\nz\r\n.\r\n");
	expect(c, "220 250 250 250 354 250");
	assert_non_null(
	    strstr(buf_text(w->messages[0].body), "\r\nSubject: y\r\nDate: "));
	assert_non_null(strstr(
	    buf_text(w->messages[0].body), "@mx.example.org>\r\n\r\nz\r\n"));
	hang_up(w, c);
	world_free(w);
}

struct timers {
	const struct event *list[64];
	int n;
};

static int
note_timer(const struct event_base *base, const struct event *e, void *arg)
{
	struct timers *t = arg;

	(void)base;
	if (event_get_fd(e) == -1 && event_pending(e, EV_TIMEOUT, NULL) != 0) {
		assert_true(t->n < 64);
		t->list[t->n++] = e;
	}
	return 0;
}

/* Lets time pass and every timer go off; early ones must do nothing. */
static void
pass(struct world *w, unsigned seconds)
{
	struct timers t = { .n = 0 };
	int i;

	clock_ms += seconds * 1000ull;
	event_base_foreach_event(w->all.base, note_timer, &t);
	for (i = 0; i < t.n; i++)
		event_active(
		    (struct event *)(uintptr_t)t.list[i], EV_TIMEOUT, 0);
	loop(w);
}

static void
idle_clients(void **state)
{
	struct world *w = world_new();
	struct client *c = dial(w);
	int i;

	(void)state;
	pass(w, 299);
	say(w, c, "EHLO x\r\n");
	expect(c, "220 250");
	for (i = 0; i < 3; i++) {
		pass(w, 299);
		say(w, c, "NOOP\r\n");
		expect(c, "250");
	}
	pass(w, 299);
	assert_int_equal(w->all.n, 1);
	pass(w, 2);
	listen_to(w, c);
	expect(c, "421");
	assert_true(c->closed);
	/* It does not close its side; we do not wait for that. */
	assert_int_equal(w->all.n, 1);
	pass(w, 3);
	assert_int_equal(w->all.n, 0);
	hang_up(w, c);
	world_free(w);
}

static void
slow_commands(void **state)
{
	struct world *w = world_new();
	struct client *c = dial(w);
	int i;

	(void)state;
	say(w, c, "EHLO x\r\n");
	expect(c, "220 250");
	/* An octet now and then does not help. */
	for (i = 0; i < 5; i++) {
		say(w, c, "N");
		pass(w, 11);
	}
	expect(c, "");
	say(w, c, "N");
	pass(w, 11);
	listen_to(w, c);
	expect(c, "421");
	hang_up(w, c);
	world_free(w);
}

static void
slow_text(void **state)
{
	struct world *w = world_new();
	struct client *c = dial(w);
	char kilo[1001];
	int i;

	(void)state;
	memset(kilo, 'x', 1000);
	kilo[1000] = '\0';
	say(w, c, "EHLO x\r\n" MAIL_TO("ok@x"));
	expect(c, "220 250 250 250 354");
	/* 100 octets a second are enough for as long as one likes. */
	for (i = 0; i < 30; i++) {
		pass(w, 10);
		say(w, c, kilo);
	}
	expect(c, "");
	/* 90 are not, once the minute of grace is used up. */
	for (i = 0; i < 5; i++) {
		pass(w, 11);
		say(w, c, kilo);
	}
	expect(c, "");
	for (i = 0; i < 100 && !c->closed; i++) {
		pass(w, 11);
		say(w, c, kilo);
	}
	assert_in_range(i, 40, 70);
	expect(c, "421");
	assert_true(w->messages[0].aborted);
	hang_up(w, c);

	/* Much text buys time, but not to be idle in it. */
	w->conf.max_message_size = 1 << 20;
	c = dial(w);
	say(w, c, "EHLO x\r\n" MAIL_TO("ok@x"));
	for (i = 0; i < 200; i++)
		say_octets(w, c, kilo, 1000);
	pass(w, 290);
	listen_to(w, c);
	expect(c, "220 250 250 250 354");
	pass(w, 11);
	listen_to(w, c);
	expect(c, "421");
	hang_up(w, c);
	world_free(w);
}

static void
no_answers(void **state)
{
	struct world *w = world_new();
	struct client *c = dial(w);

	(void)state;
	w->mute_lookup = true;
	say(w, c, "EHLO x\r\nMAIL FROM:<>\r\n");
	expect(c, "220 250 250");
	say(w, c, "RCPT TO:<ok@x>\r\n");
	pass(w, 299);
	listen_to(w, c);
	expect(c, "");
	pass(w, 2);
	listen_to(w, c);
	expect(c, "421");
	hang_up(w, c);
	w->mute_lookup = false;
	loop(w);
	assert_true(w->messages[0].aborted);

	/* A commit that is late is still a commit. */
	c = dial(w);
	say(w, c, "EHLO x\r\n" MAIL_TO("ok@x"));
	w->mute_spooler = true;
	say(w, c, ".\r\n");
	expect(c, "220 250 250 250 354");
	pass(w, 301);
	listen_to(w, c);
	expect(c, "421");
	hang_up(w, c);
	assert_int_equal(w->all.n, 0);
	w->mute_spooler = false;
	loop(w);
	assert_true(w->messages[1].committed);
	world_free(w);
}

static void
replies_not_read(void **state)
{
	struct world *w = world_new();
	struct client *c = dial(w);
	int i;

	(void)state;
	w->conf.idle_timeout = 3000;
	for (i = 0; i < 900; i++) {
		if (write(c->fd, "HELP\r\n", 6) != 6)
			break;
		loop(w);
	}
	pass(w, 59);
	assert_int_equal(w->all.n, 1);
	pass(w, 2);
	assert_int_equal(w->all.n, 0);
	hang_up(w, c);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message),
		cmocka_unit_test(all_at_once),
		cmocka_unit_test(gone_in_the_middle),
		cmocka_unit_test(half_closed),
		cmocka_unit_test(refusals_of_the_spooler),
		cmocka_unit_test(malformed_text),
		cmocka_unit_test(sizes_and_hops),
		cmocka_unit_test(no_credit),
		cmocka_unit_test(caps),
		cmocka_unit_test(too_much_of_it),
		cmocka_unit_test(many_recipients),
		cmocka_unit_test(bad_lines),
		cmocka_unit_test(stops),
		cmocka_unit_test(deaf_client),
		cmocka_unit_test(local_submission),
		cmocka_unit_test(idle_clients),
		cmocka_unit_test(slow_commands),
		cmocka_unit_test(slow_text),
		cmocka_unit_test(no_answers),
		cmocka_unit_test(replies_not_read),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

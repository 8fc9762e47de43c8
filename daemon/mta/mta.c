#include "daemon/mta/mta.h"

#include <sys/resource.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/edge/carry.h"
#include "daemon/edge/dial.h"
#include "daemon/edge/name.h"
#include "daemon/mta/destination.h"
#include "daemon/mta/dialer.h"
#include "daemon/mta/engine.h"
#include "daemon/mta/explain.h"
#include "daemon/mta/manners.h"
#include "daemon/mta/pauses.h"
#include "daemon/mta/porter.h"
#include "daemon/mta/self.h"
#include "daemon/mta/sender.h"
#include "daemon/mta/show.h"
#include "daemon/proc/answer.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "lib/mail/addr.h"
#include "lib/mail/envelope.h"
#include "lib/proto/record.h"

#define QUESTIONS 4096 /* open at the dns role */
#define CONNECTIONS 2000 /* at most, in all */
#define FILES_KEPT 64 /* descriptors that are for other things */
#define STOP_MS 1300 /* the parent gives a little more */
#define TEST_CLOCK_MS 200u /* it is looked at that often */

struct mta {
	struct proc *proc;
	const struct conf *conf;
	struct engine *engine;
	struct porter *porter;
	struct dialer *dialer;
	struct manners *manners;
	struct show_env show;
	struct explains *explains;
	struct pauses *pauses;
	struct sockaddr_storage *own;
	uint64_t clock_base; /* wall clock less mono_ms() at the start: ms */
	bool stopping;
	struct event *turn, *deadline;
	uint64_t results[CARRY_RESULTS];
};

static const char *const result_events[CARRY_RESULTS] = {
	[CARRY_DONE] = "delivered",
	[CARRY_LATER] = "deferred",
	[CARRY_UNTRIED] = "untried",
	[CARRY_NEVER] = "failed",
};

/* The engine's clock runs by the monotonic one; only a test's clock, which
 * moves wall time alone, moves it as well. */
static void
tell_time(void *arg)
{
	struct mta *m = arg;
	uint64_t now =
	    mono_has_test_clock() ? mono_wall_ms() : mono_ms() + m->clock_base;

	engine_clock(m->engine, now, mono_wall());
}

static void
stopped(struct mta *m)
{
	if (m->stopping && m->engine->counts.connections == 0)
		proc_exit(m->proc);
}

static void
wake(void *arg)
{
	struct mta *m = arg;

	event_active(m->turn, EV_TIMEOUT, 1);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct mta *m = arg;
	struct timeval tv;
	uint64_t next;

	(void)fd;
	(void)what;
	tell_time(m);
	next = engine_turn(m->engine);
	stopped(m);
	if (next <= m->engine->now) {
		wake(m);
		return;
	}
	if (mono_has_test_clock() && next > m->engine->now + TEST_CLOCK_MS)
		next = m->engine->now + TEST_CLOCK_MS;
	if (next == UINT64_MAX)
		return;
	next -= m->engine->now;
	tv.tv_sec = (time_t)(next / 1000);
	tv.tv_usec = (suseconds_t)(next % 1000 * 1000);
	evtimer_add(m->turn, &tv);
}

static void
on_outcome(void *arg, const struct engine_outcome *o)
{
	struct mta *m = arg;
	struct peer *spooler = proc_peer(m->proc, ROLE_SPOOLER);
	char msgid[IDENT_TEXT_MAX], evpid[IDENT_TEXT_MAX];
	char status[640], remote[HOST_LABEL_MAX + 16];

	carry_outcome_put(peer_begin(spooler), &o->carry);
	peer_send(spooler, CARRY_OUTCOME);
	m->results[o->carry.result]++;
	log_info("msgid=%s evpid=%s event=%s relay=%s remote=%s status=%s "
		 "delay=%llds",
	    ident_msgid_text(msgid, ident_msgid(o->carry.evpid)),
	    ident_evpid_text(evpid, o->carry.evpid),
	    result_events[o->carry.result], o->relay,
	    text_quote(remote, sizeof(remote), o->carry.remote),
	    text_quote(status, sizeof(status), o->carry.status),
	    (long long)(mono_wall() - o->arrived));
}

static void
on_want(void *arg, uint32_t stream, uint64_t msgid, uint64_t offset)
{
	struct mta *m = arg;
	struct peer *spooler = proc_peer(m->proc, ROLE_SPOOLER);
	struct carry_want want = { .stream = stream,
		.msgid = msgid,
		.offset = offset,
		.max = CARRY_PIECE };

	carry_want_put(peer_begin(spooler), &want);
	peer_send(spooler, CARRY_WANT);
}

static bool
on_ask(void *arg, uint32_t id, enum name_kind kind, const char *name,
    uint16_t port)
{
	struct mta *m = arg;
	struct peer *dns = proc_peer(m->proc, ROLE_DNS);
	struct name_ask ask = {
		.ticket = id, .kind = kind, .name = name, .port = port
	};

	if (engine_questions(m->engine) > QUESTIONS)
		return false;
	name_ask_put(peer_begin(dns), &ask);
	peer_send(dns, NAME_ASK);
	return true;
}

static void
on_open(void *arg, struct link *l)
{
	struct mta *m = arg;

	porter_open(m->porter, l);
}

static void
on_carry(void *arg, struct link *l, struct transaction *t)
{
	struct mta *m = arg;

	porter_carry(m->porter, l, t);
}

static void
on_rest(void *arg, struct link *l)
{
	(void)arg;
	conn_rest(l->conn);
}

static void
on_quit(void *arg, struct link *l)
{
	(void)arg;
	conn_quit(l->conn);
}

static void
on_abort(void *arg, struct link *l)
{
	(void)arg;
	conn_abort(l->conn);
}

static void
on_event(void *arg, enum engine_event what, const struct route *r,
    const struct link *l, const char *status)
{
	struct mta *m = arg;

	porter_event(m->porter, what, r, l, status);
}

static uint64_t
on_random(void *arg)
{
	(void)arg;
	return ident_random64();
}

static const struct engine_ops engine_ops = { on_ask, on_open, on_carry,
	on_rest, on_quit, on_abort, on_outcome, on_event, on_random };

static const struct porter_ops porter_ops = { tell_time, wake, on_want };

static int
on_answer(void *arg, struct message *msg)
{
	struct name_host hosts[NAME_HOSTS];
	struct name_answer a;
	struct mta *m = arg;
	uint16_t i;

	if (name_answer_get(&msg->body, &a) == -1)
		return -1;
	for (i = 0; i < a.n; i++)
		if (name_host_get(&msg->body, &hosts[i]) == -1)
			return -1;
	if (unpack_done(&msg->body) == -1)
		return -1;
	tell_time(m);
	engine_resolved(m->engine, a.ticket, a.status, a.text, hosts, a.n);
	explain_look(m->explains);
	wake(m);
	return 0;
}

static int
on_body(void *arg, struct message *msg)
{
	struct carry_body piece;
	struct mta *m = arg;

	if (carry_body_get(&msg->body, &piece) == -1)
		return -1;
	porter_body(m->porter, &piece);
	return 0;
}

static int
on_steer(void *arg, struct message *msg)
{
	struct mta *m = arg;

	return pauses_on_steer(m->pauses, msg);
}

static int
on_steered(void *arg, struct message *msg)
{
	struct mta *m = arg;

	return pauses_on_steered(m->pauses, msg);
}

/* What came in is no recipient that could be tried at all. */
static void
reject(struct mta *m, const struct envelope *e, enum carry_result result,
    const char *status)
{
	struct engine_outcome o = { .carry = { .evpid = e->id,
					.result = result,
					.status = status,
					.remote = "" },
		.arrived = e->arrived,
		.relay = "-" };

	on_outcome(m, &o);
}

/* Only what our own parser put together is sent. False: status says why. */
static bool
parse_address(struct addr *a, const char *text, const char **status)
{
	switch (addr_parse(a, text, strlen(text), true, false)) {
	case ADDR_OK:
		return true;
	case ADDR_UTF8:
		*status = "553 5.6.7 the address needs SMTPUTF8";
		return false;
	default:
		*status = "553 5.1.3 the address cannot be sent";
		return false;
	}
}

static const char *
text_of(const char *s)
{
	return s == NULL ? "" : s;
}

static void
add_envelope(
    struct mta *m, const struct carry_task *task, const struct envelope *e)
{
	const struct conf_action *action =
	    conf_action(m->conf, text_of(e->action));
	char sender[ADDR_TEXT_MAX], recipient[ADDR_TEXT_MAX], line[320];
	struct engine_recipient rcpt = { .msgid = task->msgid,
		.size = task->size,
		.evpid = e->id,
		.arrived = e->arrived };
	struct addr from, to;
	const char *why;

	rcpt.choice = manners_of(m->manners, text_of(e->action), &why);
	if (rcpt.choice == NULL || action == NULL) {
		snprintf(line, sizeof(line), "451 4.3.5 %s", why);
		reject(m, e, CARRY_LATER, line);
		return;
	}
	if (!parse_address(&from, text_of(e->sender), &why) ||
	    !parse_address(&to, text_of(e->destination), &why)) {
		reject(m, e, CARRY_NEVER, why);
		return;
	}
	sender_as(&from, action->relay.as);
	rcpt.sender = addr_text(sender, &from);
	rcpt.address = addr_text(recipient, &to);
	rcpt.domain = to.domain;
	rcpt.tried = e->tries > 0;
	rcpt.turn = (unsigned)(task->msgid + e->tries);
	engine_add(m->engine, &rcpt);
}

static int
on_task(void *arg, struct message *msg)
{
	enum envelope_result result;
	struct carry_task task;
	struct mta *m = arg;
	struct envelope e;
	const char *text;
	char reason[128];
	size_t len;
	uint16_t i;

	if (carry_task_get(&msg->body, &task) == -1)
		return -1;
	tell_time(m);
	wake(m);
	for (i = 0; i < task.n; i++) {
		if (carry_text_get(&msg->body, &text, &len) == -1)
			return -1;
		result = envelope_parse(&e, text, len, reason, sizeof(reason));
		if (result != ENVELOPE_OK || e.id == 0) {
			log_err(
			    "event=breach peer=spooler text=\"%s\"", reason);
			envelope_clear(&e);
			return -1;
		}
		add_envelope(m, &task, &e);
		envelope_clear(&e);
	}
	return unpack_done(&msg->body);
}

static void
on_status(void *arg, struct buf *row)
{
	const struct mta *m = arg;
	const struct engine_counts *c = &m->engine->counts;

	record_u64(row, "connections", c->connections);
	record_u64(row, "idle", c->idle);
	record_u64(row, "waiting", c->waiting);
}

/* Numbers that only tests set: a test can neither have port 25 nor wait for
 * as long as RFC 5321 does. */
static uint64_t
test_number(const char *name, uint64_t max, uint64_t otherwise)
{
	const char *text = getenv(name);
	uint64_t v;

	return text != NULL && text_number(text, max, &v) ? v : otherwise;
}

static void *
prepare(struct proc *p, const struct conf *conf)
{
	struct mta *m = mem_zalloc(sizeof(*m));

	(void)conf;
	m->proc = p;
	m->clock_base = mono_wall_ms() - mono_ms();
	m->engine = engine_new(&engine_ops, m);
	m->engine->mx_port = (uint16_t)test_number(
	    "SMTPD_TEST_MX_PORT", UINT16_MAX, TARGET_PORT);
	m->manners = manners_new();
	m->dialer = dialer_new(p);
	m->porter = porter_new(proc_base(p), m->dialer,
	    (uint32_t)test_number("SMTPD_TEST_DEADLINE", 3600000, 0),
	    &porter_ops, m);
	porter_attach(m->porter, m->engine);
	m->turn = evtimer_new(proc_base(p), on_turn, m);
	if (m->turn == NULL)
		fatal("out of memory: a timer");
	return m;
}

static unsigned
most_connections(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1 ||
	    rl.rlim_cur > CONNECTIONS + FILES_KEPT)
		return CONNECTIONS;
	return rl.rlim_cur > 2 * FILES_KEPT ? (unsigned)rl.rlim_cur - FILES_KEPT
					    : FILES_KEPT;
}

static void
configure(void *arg, const struct conf *conf)
{
	struct mta *m = arg;
	struct sockaddr_storage *before = m->own;
	size_t n;

	m->conf = conf;
	m->own = self_addresses(conf, &n);
	m->engine->most = most_connections();
	manners_configure(m->manners, conf);
	porter_configure(m->porter, conf->hostname);
	tell_time(m);
	engine_configure(m->engine, conf, m->own, n);
	free(before);
	wake(m);
}

static void
start(void *arg)
{
	struct mta *m = arg;

	m->show = (struct show_env){ m->proc, m->engine, tell_time, wake, m };
	show_start(&m->show);
	m->explains = explain_start(&m->show, m->manners);
	m->pauses = pauses_start(&m->show);
	answer_status(m->proc, on_status, m);
	answer_counter(m->proc, "delivered", &m->results[CARRY_DONE]);
	answer_counter(m->proc, "deferred", &m->results[CARRY_LATER]);
	answer_counter(m->proc, "untried", &m->results[CARRY_UNTRIED]);
	answer_counter(m->proc, "failed", &m->results[CARRY_NEVER]);
	answer_counter(m->proc, "sessions", &m->engine->counts.sessions);
	answer_counter(m->proc, "connections", &m->engine->counts.connections);
	answer_counter(m->proc, "uncertain", &m->engine->counts.uncertain);
}

static void
on_stop_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct mta *m = arg;

	(void)fd;
	(void)what;
	proc_exit(m->proc);
}

/* A reply to a whole message is worth waiting for: without it that message
 * would be sent twice. */
static void
stop(void *arg)
{
	static const struct timeval most = { STOP_MS / 1000,
		STOP_MS % 1000 * 1000 };
	struct mta *m = arg;

	m->deadline = evtimer_new(proc_base(m->proc), on_stop_deadline, m);
	if (m->deadline != NULL)
		evtimer_add(m->deadline, &most);
	m->stopping = true;
	tell_time(m);
	porter_stop(m->porter);
	wake(m);
}

static const struct handler from_spooler[] = {
	{ CARRY_TASK, "carry-task", on_task },
	{ CARRY_BODY, "carry-body", on_body },
	{ CARRY_STEER, "carry-steer", on_steer },
	{ CARRY_STEERED, "carry-steered", on_steered },
};
static const struct handler from_dns[] = {
	{ NAME_ANSWER, "name-answer", on_answer },
};

static int
on_opened(void *arg, struct message *msg)
{
	struct mta *m = arg;

	return dialer_on_opened(m->dialer, msg);
}

static const struct handler from_parent[] = {
	{ DIAL_OPENED, "dial-opened", on_opened },
};

static const struct proc_peer peers[] = {
	{ ROLE_SPOOLER, from_spooler,
	    sizeof(from_spooler) / sizeof(from_spooler[0]) },
	{ ROLE_DNS, from_dns, sizeof(from_dns) / sizeof(from_dns[0]) },
};

const struct proc_role mta_role = {
	.id = ROLE_MTA,
	.peers = peers,
	.npeers = sizeof(peers) / sizeof(peers[0]),
	.from_parent = from_parent,
	.nfrom_parent = sizeof(from_parent) / sizeof(from_parent[0]),
	.prepare = prepare,
	.start = start,
	.configure = configure,
	.stop = stop,
};

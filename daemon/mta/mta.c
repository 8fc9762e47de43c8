#include "daemon/mta/mta.h"

#include <sys/resource.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/edge/carry.h"
#include "daemon/edge/name.h"
#include "daemon/mta/dispatch.h"
#include "daemon/mta/host.h"
#include "daemon/mta/relay.h"
#include "daemon/mta/route.h"
#include "daemon/mta/self.h"
#include "daemon/proc/answer.h"
#include "daemon/proc/pending.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "lib/cli/exitcode.h"
#include "lib/mail/addr.h"
#include "lib/mail/envelope.h"
#include "lib/proto/record.h"

#define QUESTIONS 4096 /* open at the dns role */
#define CONNECTIONS 2000 /* at most, in all */
#define FILES_KEPT 64 /* descriptors that are for other things */
#define STOP_MS 1300 /* the parent gives a little more */

struct mta {
	struct proc *proc;
	const struct conf *conf;
	struct hosts *hosts;
	struct relays *relays;
	struct dispatch *dispatch;
	struct pending *questions;
	struct sockaddr_storage *own;
	uint16_t mx_port; /* 25, but for tests */
	uint32_t deadline_ms; /* of tests; 0: none */
	struct event *stopping;
	uint64_t results[CARRY_RESULTS];
};

static const char *const result_events[CARRY_RESULTS] = {
	[CARRY_DONE] = "delivered",
	[CARRY_LATER] = "deferred",
	[CARRY_UNTRIED] = "untried",
	[CARRY_NEVER] = "failed",
};

static void
tell(struct mta *m, const struct carry_outcome *o, const char *relay,
    int64_t arrived)
{
	struct peer *spooler = proc_peer(m->proc, ROLE_SPOOLER);
	char msgid[IDENT_TEXT_MAX], evpid[IDENT_TEXT_MAX];
	char status[640], remote[HOST_LABEL_MAX + 16];

	carry_outcome_put(peer_begin(spooler), o);
	peer_send(spooler, CARRY_OUTCOME);
	m->results[o->result]++;
	log_info("msgid=%s evpid=%s event=%s relay=%s remote=%s status=%s "
		 "delay=%llds",
	    ident_msgid_text(msgid, ident_msgid(o->evpid)),
	    ident_evpid_text(evpid, o->evpid), result_events[o->result], relay,
	    text_quote(remote, sizeof(remote), o->remote),
	    text_quote(status, sizeof(status), o->status),
	    (long long)(mono_wall() - arrived));
}

static void
on_outcome(void *arg, const struct transaction *t, unsigned i,
    enum carry_result result, const char *status, const char *remote)
{
	struct carry_outcome o = { .evpid = t->rcpts[i].evpid,
		.result = result,
		.status = status,
		.remote = remote };

	tell(arg, &o, t->relay->target.key, t->rcpts[i].arrived);
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
on_ask(void *arg, struct relay *r, enum name_kind kind, const char *name)
{
	struct mta *m = arg;
	struct peer *dns = proc_peer(m->proc, ROLE_DNS);
	struct name_ask ask = { .kind = kind, .name = name };

	ask.ticket = pending_park(m->questions, r);
	if (ask.ticket == 0)
		return false;
	name_ask_put(peer_begin(dns), &ask);
	peer_send(dns, NAME_ASK);
	return true;
}

static void
on_dispatch(void *arg, struct relay *r)
{
	struct mta *m = arg;

	dispatch_relay(m->dispatch, r);
}

static const struct relays_ops relays_ops = { on_ask, on_outcome, on_want,
	on_dispatch };

static int
on_answer(void *arg, struct message *msg)
{
	struct name_host hosts[NAME_HOSTS];
	struct name_answer a;
	struct mta *m = arg;
	struct relay *r;
	uint16_t i;

	if (name_answer_get(&msg->body, &a) == -1)
		return -1;
	for (i = 0; i < a.n; i++)
		if (name_host_get(&msg->body, &hosts[i]) == -1)
			return -1;
	if (unpack_done(&msg->body) == -1)
		return -1;
	r = pending_take(m->questions, a.ticket);
	if (r != NULL)
		relay_resolved(r, a.status, a.text, hosts, a.n);
	return 0;
}

static int
on_body(void *arg, struct message *msg)
{
	struct carry_body piece;
	struct mta *m = arg;

	if (carry_body_get(&msg->body, &piece) == -1)
		return -1;
	dispatch_body(m->dispatch, &piece);
	return 0;
}

/* What came in is no recipient that could be tried at all. */
static void
reject(struct mta *m, const struct envelope *e, enum carry_result result,
    const char *status)
{
	struct carry_outcome o = {
		.evpid = e->id, .result = result, .status = status, .remote = ""
	};

	tell(m, &o, "-", e->arrived);
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

static void
add_envelope(
    struct mta *m, const struct carry_task *task, const struct envelope *e)
{
	const struct conf_action *action;
	const struct conf_url *url;
	char sender[ADDR_TEXT_MAX], recipient[ADDR_TEXT_MAX];
	struct relays_rcpt rcpt = { .msgid = task->msgid,
		.size = task->size,
		.evpid = e->id,
		.arrived = e->arrived };
	struct route_target target;
	struct addr from, to;
	const char *status;

	action = e->action == NULL ? NULL : conf_action(m->conf, e->action);
	if (action == NULL || action->kind != CONF_RELAY) {
		reject(m, e, CARRY_LATER,
		    "451 4.3.5 its action is not in the configuration");
		return;
	}
	if (!parse_address(
		&from, e->sender == NULL ? "" : e->sender, &status) ||
	    !parse_address(
		&to, e->destination == NULL ? "" : e->destination, &status)) {
		reject(m, e, CARRY_NEVER, status);
		return;
	}
	url = action->relay.nurls > 0 ? &action->relay.urls[0] : NULL;
	if (!route_target(&target, url == NULL ? NULL : url->host,
		url == NULL ? 0 : url->port, to.domain, m->mx_port)) {
		reject(m, e, CARRY_NEVER,
		    "550 5.1.2 the domain is no name of a host");
		return;
	}
	rcpt.sender = addr_text(sender, &from);
	rcpt.address = addr_text(recipient, &to);
	relays_add(m->relays, &target, &rcpt);
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

static const char *
host_state(const struct host *h)
{
	if (h->live > 0)
		return "connected";
	if (h->connections > 0)
		return "connecting";
	if (host_usable_at(h, mono_wall()) > mono_ms())
		return "resting";
	return h->failures > 0 ? "failed" : "ok";
}

static void
put_host(struct answer *a, const struct host *h)
{
	struct buf *b = answer_row(a);

	record_begin(b, "host");
	record_str(b, "host", h->label);
	record_str(b, "state", host_state(h));
	record_u64(b, "connections", h->connections);
	record_u64(b, "delivered", h->delivered);
	record_u64(b, "failures", h->failures);
	record_i64(b, "last_connect", h->last_connect);
	record_i64(b, "last_error", h->last_error);
	record_str(b, "error", h->error);
	answer_send(a);
}

struct listing {
	struct mta *m;
	size_t at;
	uint32_t rows;
};

static void
free_listing(void *ctx)
{
	free(ctx);
}

static void
list_hosts(void *ctx, struct answer *a)
{
	struct listing *l = ctx;
	const struct host *h;
	uint32_t rows;

	while (!answer_full(a)) {
		h = hosts_next(l->m->hosts, &l->at);
		if (h == NULL) {
			rows = l->rows;
			free(l);
			answer_end(a, EXIT_DONE, rows, 0, "");
			return;
		}
		put_host(a, h);
		l->rows++;
	}
	answer_on_more(a, list_hosts, free_listing, l);
}

static int
on_query_hosts(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	struct listing *l;

	(void)q;
	(void)args;
	l = mem_zalloc(sizeof(*l));
	l->m = arg;
	list_hosts(l, a);
	return 0;
}

static const struct answer_entry answers[] = {
	{ QUERY_HOSTS, on_query_hosts },
};

static void
on_status(void *arg, struct buf *row)
{
	const struct mta *m = arg;
	const struct dispatch_counts *c = dispatch_counts(m->dispatch);

	record_u64(row, "connections", c->connections);
	record_u64(row, "idle", c->idle);
	record_u64(row, "waiting", m->relays->waiting);
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
	m->mx_port =
	    (uint16_t)test_number("SMTPD_TEST_MX_PORT", UINT16_MAX, ROUTE_PORT);
	m->deadline_ms =
	    (uint32_t)test_number("SMTPD_TEST_DEADLINE", 3600000, 0);
	m->hosts = hosts_new();
	m->relays = relays_new(proc_base(p), m->hosts, &relays_ops, m);
	m->dispatch = dispatch_new(proc_base(p), m->relays);
	m->questions = pending_new(QUESTIONS);
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
	struct dispatch_limits limits = { .conf = conf,
		.hostname = conf->hostname,
		.per_host = conf_limit(conf, NULL, CONF_LIMIT_HOST),
		.connections = most_connections(),
		.deadline_ms = m->deadline_ms };

	m->conf = conf;
	free(m->own);
	m->own = self_addresses(conf, &m->relays->nown);
	m->relays->own = m->own;
	dispatch_configure(m->dispatch, &limits);
}

static void
start(void *arg)
{
	struct mta *m = arg;

	answer_register(
	    m->proc, answers, sizeof(answers) / sizeof(answers[0]), m);
	answer_status(m->proc, on_status, m);
	answer_counter(m->proc, "delivered", &m->results[CARRY_DONE]);
	answer_counter(m->proc, "deferred", &m->results[CARRY_LATER]);
	answer_counter(m->proc, "untried", &m->results[CARRY_UNTRIED]);
	answer_counter(m->proc, "failed", &m->results[CARRY_NEVER]);
	answer_counter(
	    m->proc, "sessions", &dispatch_counts(m->dispatch)->sessions);
	answer_counter(
	    m->proc, "connections", &dispatch_counts(m->dispatch)->connections);
}

static void
on_stopped(void *arg)
{
	struct mta *m = arg;

	proc_exit(m->proc);
}

static void
on_stop_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	on_stopped(arg);
}

/* A reply to a whole message is worth waiting for: without it that message
 * would be sent twice. */
static void
stop(void *arg)
{
	static const struct timeval most = { STOP_MS / 1000,
		STOP_MS % 1000 * 1000 };
	struct mta *m = arg;

	m->stopping = evtimer_new(proc_base(m->proc), on_stop_deadline, m);
	if (m->stopping != NULL)
		evtimer_add(m->stopping, &most);
	dispatch_stop(m->dispatch, on_stopped, m);
}

static const struct handler from_spooler[] = {
	{ CARRY_TASK, "carry-task", on_task },
	{ CARRY_BODY, "carry-body", on_body },
};
static const struct handler from_dns[] = {
	{ NAME_ANSWER, "name-answer", on_answer },
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
	.prepare = prepare,
	.start = start,
	.configure = configure,
	.stop = stop,
};

#include "daemon/scheduler/scheduler.h"

#include <sys/time.h>

#include <event2/event.h>

#include "daemon/edge/plan.h"
#include "daemon/proc/answer.h"
#include "daemon/scheduler/agenda.h"
#include "daemon/scheduler/steer.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/proto/record.h"

#define TURN_RIPEN 256 /* envelopes */
#define TURN_BATCHES 16
#define QUEUED_MAX (64u * 1024) /* octets towards the spooler */
/* The clock is looked at no less often, for it may jump. */
#define SLEEP_MAX 30
#define SLEEP_MAX_TEST 1
#define PER_KEY_RELAY 1000
#define PER_KEY_LOCAL 20

struct scheduler {
	struct proc *proc;
	struct peer *spooler;
	struct agenda *agenda;
	struct steer *steer;
	struct event *turn;
	struct {
		uint64_t batches, taken, known, gone, again, held;
	} count;
};

static void
turn_soon(void *arg)
{
	static const struct timeval now = { 0, 0 };
	struct scheduler *s = arg;

	event_add(s->turn, &now);
}

static void
sleep_until_due(struct scheduler *s, int64_t now)
{
	int64_t due = agenda_next_due(s->agenda), most, wait;
	struct timeval tv = { 0 };

	most = mono_has_test_clock() ? SLEEP_MAX_TEST : SLEEP_MAX;
	wait = due == AGENDA_NEVER || due - now > most ? most : due - now;
	/* A second begins anywhere between two looks at the clock. */
	if (wait <= 1)
		tv.tv_usec = 100000;
	else
		tv.tv_sec = (time_t)wait;
	event_add(s->turn, &tv);
}

static void
send_due(struct scheduler *s, const struct plan_due *due)
{
	char id[IDENT_TEXT_MAX];

	plan_due_put(peer_begin(s->spooler), due);
	peer_send(s->spooler, PLAN_DUE);
	s->count.batches++;
	s->count.taken += due->n;
	trace(TRACE_SCHEDULER, "event=due kind=%s key=%08x n=%u evpid=%s",
	    due->kind == PLAN_RELAY ? "relay" : "local", due->key, due->n,
	    ident_evpid_text(id, due->evpids[0]));
}

static void
on_turn(int fd, short what, void *arg)
{
	struct scheduler *s = arg;
	int64_t now = mono_wall();
	struct plan_due due;
	unsigned batches;
	bool more;

	(void)fd;
	(void)what;
	more = agenda_ripen(s->agenda, now, TURN_RIPEN);
	for (batches = 0; batches < TURN_BATCHES; batches++) {
		if (steer_busy(s->steer) ||
		    peer_queued(s->spooler) > QUEUED_MAX ||
		    !agenda_take(s->agenda, &due))
			break;
		send_due(s, &due);
	}
	if (more || batches == TURN_BATCHES)
		turn_soon(s);
	else
		sleep_until_due(s, now);
	steer_next(s->steer);
}

static int
on_known(void *arg, struct message *m)
{
	struct scheduler *s = arg;
	struct plan_row row;

	while (unpack_more(&m->body)) {
		if (plan_row_get(&m->body, &row) == -1 ||
		    ident_msgid(row.evpid) == 0 || ident_rcpt(row.evpid) == 0)
			return -1;
		agenda_add(s->agenda, &row);
		s->count.known++;
	}
	turn_soon(s);
	return unpack_done(&m->body);
}

static int
on_settled(void *arg, struct message *m)
{
	struct scheduler *s = arg;
	struct plan_settled settled;
	char id[IDENT_TEXT_MAX];

	if (plan_settled_get(&m->body, &settled) == -1)
		return -1;
	agenda_settle(s->agenda, &settled);
	if (settled.result == PLAN_GONE)
		s->count.gone++;
	else if (settled.result == PLAN_AGAIN)
		s->count.again++;
	else
		s->count.held++;
	trace(TRACE_SCHEDULER, "evpid=%s event=settled result=%s due=%lld",
	    ident_evpid_text(id, settled.evpid),
	    settled.result == PLAN_GONE        ? "gone"
		: settled.result == PLAN_AGAIN ? "again"
					       : "held",
	    (long long)settled.due);
	turn_soon(s);
	return 0;
}

static int
on_ended(void *arg, struct message *m)
{
	struct scheduler *s = arg;

	return steer_ended(s->steer, m);
}

static int
on_pause(void *arg, struct message *m)
{
	struct scheduler *s = arg;
	struct plan_pause pause;

	if (plan_pause_get(&m->body, &pause) == -1)
		return -1;
	agenda_pause(s->agenda, pause.kind, pause.paused);
	turn_soon(s);
	return 0;
}

static int
on_hasten(void *arg, struct message *m)
{
	struct scheduler *s = arg;

	if (plan_hasten_get(&m->body) == -1)
		return -1;
	agenda_hasten(s->agenda);
	turn_soon(s);
	return 0;
}

static int
on_verb(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	struct scheduler *s = arg;

	return steer_ask(s->steer, a, q, args);
}

static const struct answer_entry answers[] = {
	{ QUERY_HOLD, on_verb },
	{ QUERY_RELEASE, on_verb },
	{ QUERY_SCHEDULE, on_verb },
	{ QUERY_REMOVE, on_verb },
};

static void
on_status(void *arg, struct buf *row)
{
	struct scheduler *s = arg;
	struct agenda_stats st;

	agenda_stats(s->agenda, &st);
	record_u64(row, "envelopes", st.envelopes);
	record_u64(row, "waiting", st.waiting);
	record_u64(row, "ready", st.ready[PLAN_RELAY] + st.ready[PLAN_LOCAL]);
	record_u64(row, "inflight_relay", st.flying[PLAN_RELAY]);
	record_u64(row, "inflight_local", st.flying[PLAN_LOCAL]);
	record_u64(row, "held", st.held);
	record_bool(row, "paused_relay", st.paused[PLAN_RELAY]);
	record_bool(row, "paused_local", st.paused[PLAN_LOCAL]);
	record_u64(row, "bytes", st.bytes);
}

static void *
prepare(struct proc *p, const struct conf *conf)
{
	struct scheduler *s = mem_zalloc(sizeof(*s));

	(void)conf;
	s->proc = p;
	s->agenda = agenda_new();
	return s;
}

static void
limit(struct scheduler *s, enum plan_kind kind, uint32_t total, uint32_t key)
{
	agenda_limit(s->agenda, kind, total, key < total ? key : total);
}

static void
configure(void *arg, const struct conf *conf)
{
	struct scheduler *s = arg;

	limit(s, PLAN_RELAY, conf->max_inflight_relay, PER_KEY_RELAY);
	limit(s, PLAN_LOCAL, conf->max_inflight_local, PER_KEY_LOCAL);
	if (s->turn != NULL)
		turn_soon(s);
}

static void
start(void *arg)
{
	struct scheduler *s = arg;

	s->spooler = proc_peer(s->proc, ROLE_SPOOLER);
	s->steer = steer_new(s->agenda, s->spooler, turn_soon, s);
	s->turn = evtimer_new(proc_base(s->proc), on_turn, s);
	if (s->turn == NULL)
		fatal("out of memory: a timer");
	peer_on_drain(s->spooler, QUEUED_MAX / 2, turn_soon, s);
	answer_register(
	    s->proc, answers, sizeof(answers) / sizeof(answers[0]), s);
	answer_status(s->proc, on_status, s);
	answer_counter(s->proc, "batches", &s->count.batches);
	answer_counter(s->proc, "attempts", &s->count.taken);
	answer_counter(s->proc, "known", &s->count.known);
	answer_counter(s->proc, "settled.gone", &s->count.gone);
	answer_counter(s->proc, "settled.again", &s->count.again);
	answer_counter(s->proc, "settled.held", &s->count.held);
	turn_soon(s);
}

static const struct handler from_spooler[] = {
	{ PLAN_KNOWN, "plan-known", on_known },
	{ PLAN_SETTLED, "plan-settled", on_settled },
	{ PLAN_ENDED, "plan-ended", on_ended },
	{ PLAN_PAUSE, "plan-pause", on_pause },
	{ PLAN_HASTEN, "plan-hasten", on_hasten },
};

static const struct proc_peer peers[] = {
	{ ROLE_SPOOLER, from_spooler,
	    sizeof(from_spooler) / sizeof(from_spooler[0]) },
};

const struct proc_role scheduler_role = {
	.id = ROLE_SCHEDULER,
	.peers = peers,
	.npeers = sizeof(peers) / sizeof(peers[0]),
	.prepare = prepare,
	.start = start,
	.configure = configure,
};

#include "daemon/mda/mda.h"

#include <sys/queue.h>

#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/edge/agent.h"
#include "daemon/edge/carry.h"
#include "daemon/mda/delivery.h"
#include "daemon/mda/ending.h"
#include "daemon/mda/place.h"
#include "daemon/proc/answer.h"
#include "lib/base/hmap.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/mail/envelope.h"
#include "lib/proto/record.h"

#define JOBS_MAX 1000 /* the scheduler gives out max_inflight_local */
#define UNTRIED_DELAY 1 /* seconds */
#define PATIENCE_MS (300 * 1000) /* for one agent */
#define GRACE_MS (10 * 1000)
#define STOP_MS 1300 /* for what runs at a stop; the parent waits 1500 */

struct job {
	TAILQ_ENTRY(job) entry; /* while it waits to be freed */
	struct mda *mda;
	uint32_t ticket; /* and the number of its body's stream */
	uint64_t evpid;
	const char *agent;
	struct delivery *delivery;
	char user[PLACE_USER_MAX];
};

struct mda {
	struct proc *proc;
	const struct conf *conf;
	struct hmap *jobs; /* by ticket */
	uint32_t last_ticket;
	TAILQ_HEAD(, job) ended; /* to be freed by reaper */
	struct event *reaper, *stop_timer;
	bool stopping;
	uint64_t delivered, later, never;
};

static const char *const agents[AGENT_KINDS] = {
	[AGENT_MAILDIR] = "maildir", [AGENT_MBOX] = "mbox"
};

static void
send_outcome(
    struct mda *mda, uint64_t evpid, const struct ending *e, const char *agent)
{
	struct peer *spooler = proc_peer(mda->proc, ROLE_SPOOLER);
	struct carry_outcome o = {
		.evpid = evpid,
		.result = e->result,
		.status = e->status,
		.remote = agent,
		.delay = e->result == CARRY_UNTRIED ? UNTRIED_DELAY : 0,
	};

	carry_outcome_put(peer_begin(spooler), &o);
	peer_send(spooler, CARRY_OUTCOME);
}

/* The one log line of a delivery, and its outcome. */
static void
settle(struct mda *mda, uint64_t evpid, const char *agent, const char *user,
    const struct ending *e)
{
	static const char *const events[CARRY_RESULTS] = {
		[CARRY_DONE] = "delivered",
		[CARRY_LATER] = "tempfail",
		[CARRY_UNTRIED] = "untried",
		[CARRY_NEVER] = "permfail",
	};
	char msgid[IDENT_TEXT_MAX], id[IDENT_TEXT_MAX];
	char who[PLACE_USER_MAX * 2], status[ENDING_STATUS_MAX * 2];

	mda->delivered += e->result == CARRY_DONE;
	mda->later += e->result == CARRY_LATER;
	mda->never += e->result == CARRY_NEVER;
	log_info("msgid=%s evpid=%s event=%s agent=%s user=%s status=%s",
	    ident_msgid_text(msgid, ident_msgid(evpid)),
	    ident_evpid_text(id, evpid), events[e->result], agent,
	    text_quote(who, sizeof(who), user),
	    text_quote(status, sizeof(status), e->status));
	send_outcome(mda, evpid, e, agent);
}

static void
job_want(void *ctx, uint64_t offset)
{
	struct job *j = ctx;
	struct peer *spooler = proc_peer(j->mda->proc, ROLE_SPOOLER);
	struct carry_want w = {
		.stream = j->ticket,
		.msgid = ident_msgid(j->evpid),
		.offset = offset,
		.max = CARRY_PIECE,
	};

	carry_want_put(peer_begin(spooler), &w);
	peer_send(spooler, CARRY_WANT);
}

static void
job_kill(void *ctx)
{
	struct job *j = ctx;
	struct peer *parent = proc_peer(j->mda->proc, ROLE_PARENT);
	struct agent_kill k = { .ticket = j->ticket };
	char id[IDENT_TEXT_MAX];

	trace(TRACE_MDA, "evpid=%s event=agent-kill",
	    ident_evpid_text(id, j->evpid));
	agent_kill_put(peer_begin(parent), &k);
	peer_send(parent, AGENT_KILL);
}

static void
job_ended(void *ctx, const struct ending *e)
{
	struct job *j = ctx;
	struct mda *mda = j->mda;

	settle(mda, j->evpid, j->agent, j->user, e);
	hmap_del(mda->jobs, j->ticket);
	TAILQ_INSERT_TAIL(&mda->ended, j, entry);
	event_active(mda->reaper, EV_TIMEOUT, 1);
}

static const struct delivery_owner job_owner = { job_want, job_kill,
	job_ended };

static void
on_reaper(int fd, short what, void *arg)
{
	struct mda *mda = arg;
	struct job *j;

	(void)fd;
	(void)what;
	while ((j = TAILQ_FIRST(&mda->ended)) != NULL) {
		TAILQ_REMOVE(&mda->ended, j, entry);
		delivery_free(j->delivery);
		free(j);
	}
	if (mda->stopping && hmap_count(mda->jobs) == 0)
		proc_exit(mda->proc);
}

static void
start_job(struct mda *mda, const struct envelope *env, enum agent_kind kind,
    const struct place *place, uint64_t size)
{
	struct peer *parent = proc_peer(mda->proc, ROLE_PARENT);
	struct job *j = mem_zalloc(sizeof(*j));
	struct agent_run run = {
		.kind = kind,
		.user = place->user,
		.path = place->path,
		.sender = env->sender != NULL ? env->sender : "",
		.recipient = env->destination,
		.size = size,
	};
	char id[IDENT_TEXT_MAX];

	do
		j->ticket = ++mda->last_ticket;
	while (j->ticket == 0 || hmap_get(mda->jobs, j->ticket) != NULL);
	j->mda = mda;
	j->evpid = env->id;
	j->agent = agents[kind];
	strlcpy(j->user, place->user, sizeof(j->user));
	j->delivery = delivery_new(proc_base(mda->proc), j->agent, &job_owner,
	    j, PATIENCE_MS, GRACE_MS);
	hmap_put(mda->jobs, j->ticket, j);
	trace(TRACE_MDA, "evpid=%s event=agent-run agent=%s ticket=%u",
	    ident_evpid_text(id, env->id), j->agent, j->ticket);
	run.ticket = j->ticket;
	agent_run_put(peer_begin(parent), &run);
	peer_send(parent, AGENT_RUN);
}

/* False, with the ending, when there is nothing to start. */
static bool
find_place(const struct mda *mda, const struct envelope *env,
    enum agent_kind *kind, struct place *place, struct ending *e)
{
	const struct conf_action *action;
	char error[PLACE_ERROR_MAX];

	action =
	    env->action == NULL ? NULL : conf_action(mda->conf, env->action);
	if (action == NULL || action->kind == CONF_RELAY) {
		ending_of_reply(e,
		    "451 4.3.5 the configuration has no such action to "
		    "deliver by");
		return false;
	}
	*kind = action->kind == CONF_MBOX ? AGENT_MBOX : AGENT_MAILDIR;
	if (place_find(place, action, env->destination, error) == -1) {
		ending_of_reply(e, error);
		return false;
	}
	return true;
}

static void
take_envelope(struct mda *mda, struct envelope *env, uint64_t size)
{
	struct place place = { .user = "" };
	enum agent_kind kind = AGENT_MAILDIR;
	struct ending e = { .result = CARRY_UNTRIED };

	if (env->destination == NULL || *env->destination == '\0')
		envelope_set(&env->destination, env->recipient);
	if (env->destination == NULL)
		envelope_set(&env->destination, "");
	if (mda->stopping || hmap_count(mda->jobs) >= JOBS_MAX) {
		strlcpy(e.status,
		    mda->stopping ? "451 4.3.2 the daemon stops"
				  : "451 4.3.2 too many deliveries",
		    sizeof(e.status));
		send_outcome(mda, env->id, &e, "");
	} else if (find_place(mda, env, &kind, &place, &e)) {
		start_job(mda, env, kind, &place, size);
	} else {
		settle(mda, env->id, "none", place.user, &e);
	}
}

static int
on_task(void *arg, struct message *m)
{
	struct mda *mda = arg;
	struct carry_task task;
	struct envelope env;
	enum envelope_result r;
	const char *text;
	size_t len;
	unsigned i;

	if (carry_task_get(&m->body, &task) == -1)
		return -1;
	for (i = 0; i < task.n; i++) {
		if (carry_text_get(&m->body, &text, &len) == -1)
			return -1;
		r = envelope_parse(&env, text, len, NULL, 0);
		if (r != ENVELOPE_BROKEN && env.id != 0)
			take_envelope(mda, &env, task.size);
		envelope_clear(&env);
		if (r == ENVELOPE_BROKEN)
			return -1;
	}
	return unpack_done(&m->body);
}

static int
on_body(void *arg, struct message *m)
{
	struct mda *mda = arg;
	struct carry_body piece;
	struct job *j;

	if (carry_body_get(&m->body, &piece) == -1)
		return -1;
	j = piece.stream == 0 ? NULL : hmap_get(mda->jobs, piece.stream);
	if (j != NULL)
		delivery_body(j->delivery, &piece);
	return 0;
}

static int
on_started(void *arg, struct message *m)
{
	struct mda *mda = arg;
	struct agent_started s;
	struct job *j;

	if (agent_started_get(&m->body, &s) == -1 ||
	    (*s.error == '\0' && m->fd == -1))
		return -1;
	j = s.ticket == 0 ? NULL : hmap_get(mda->jobs, s.ticket);
	if (j == NULL)
		return 0;
	if (*s.error != '\0') {
		delivery_not_started(j->delivery, s.error);
		return 0;
	}
	delivery_started(j->delivery, m->fd);
	m->fd = -1;
	return 0;
}

static int
on_exit_told(void *arg, struct message *m)
{
	struct mda *mda = arg;
	struct agent_exit x;
	struct job *j;

	if (agent_exit_get(&m->body, &x) == -1)
		return -1;
	j = x.ticket == 0 ? NULL : hmap_get(mda->jobs, x.ticket);
	if (j != NULL)
		delivery_exited(j->delivery, x.status);
	return 0;
}

static void
on_stop_timer(int fd, short what, void *arg)
{
	struct mda *mda = arg;

	(void)fd;
	(void)what;
	/* The parent stops the agents; their mail is tried again. */
	log_warn("event=deliveries-left n=%zu", hmap_count(mda->jobs));
	proc_exit(mda->proc);
}

static void *
prepare(struct proc *p, const struct conf *conf)
{
	struct mda *mda = mem_zalloc(sizeof(*mda));

	mda->proc = p;
	mda->conf = conf;
	mda->jobs = hmap_new();
	TAILQ_INIT(&mda->ended);
	return mda;
}

static void
configure(void *arg, const struct conf *conf)
{
	struct mda *mda = arg;

	mda->conf = conf;
}

static void
status(void *arg, struct buf *row)
{
	struct mda *mda = arg;

	record_u64(row, "deliveries", hmap_count(mda->jobs));
}

static void
start(void *arg)
{
	struct mda *mda = arg;

	mda->reaper = evtimer_new(proc_base(mda->proc), on_reaper, mda);
	mda->stop_timer = evtimer_new(proc_base(mda->proc), on_stop_timer, mda);
	if (mda->reaper == NULL || mda->stop_timer == NULL)
		fatal("out of memory: mda");
	answer_status(mda->proc, status, mda);
	answer_counter(mda->proc, "delivered", &mda->delivered);
	answer_counter(mda->proc, "tempfail", &mda->later);
	answer_counter(mda->proc, "permfail", &mda->never);
}

/* What runs is given its time, so that it is not delivered twice. */
static void
stop(void *arg)
{
	struct timeval tv = { STOP_MS / 1000, STOP_MS % 1000 * 1000 };
	struct mda *mda = arg;

	mda->stopping = true;
	event_add(mda->stop_timer, &tv);
	event_active(mda->reaper, EV_TIMEOUT, 1);
}

static const struct handler from_spooler[] = {
	{ CARRY_TASK, "carry-task", on_task },
	{ CARRY_BODY, "carry-body", on_body },
};

static const struct handler from_parent[] = {
	{ AGENT_STARTED, "agent-started", on_started },
	{ AGENT_EXIT, "agent-exit", on_exit_told },
};

static const struct proc_peer peers[] = {
	{ ROLE_SPOOLER, from_spooler,
	    sizeof(from_spooler) / sizeof(from_spooler[0]) },
};

const struct proc_role mda_role = {
	.id = ROLE_MDA,
	.peers = peers,
	.npeers = sizeof(peers) / sizeof(peers[0]),
	.prepare = prepare,
	.start = start,
	.configure = configure,
	.stop = stop,
	.from_parent = from_parent,
	.nfrom_parent = sizeof(from_parent) / sizeof(from_parent[0]),
};

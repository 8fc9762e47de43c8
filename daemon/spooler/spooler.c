#include "daemon/spooler/spooler.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/edge/carry.h"
#include "daemon/edge/plan.h"
#include "daemon/spooler/keeping.h"
#include "daemon/spooler/known.h"
#include "daemon/spooler/notify.h"
#include "daemon/spooler/receive.h"
#include "daemon/spooler/release.h"
#include "daemon/spooler/report.h"
#include "daemon/spooler/sealing.h"
#include "daemon/spooler/settle.h"
#include "daemon/spooler/timing.h"
#include "daemon/spooler/unusable.h"
#include "daemon/spooler/verbs.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "lib/compat/heap.h"

#define CLOSE_MS 2000
#define QUIET_S 2

static void *
prepare(struct proc *p, const struct conf *conf)
{
	struct spooler *s = mem_zalloc(sizeof(*s));
	struct queue_options o = { .path = conf->spool,
		.journal_size = conf->journal_size,
		.settle_ms = conf->settle_now ? UINT_MAX : 0,
		.reserve_percent = conf->reserve_percent == 0
		    ? UINT_MAX
		    : conf->reserve_percent,
		.sync_files = conf->sync_files,
		.compression = conf->compression,
		.seal = conf->seal };
	const struct passwd *pw;
	char why[512];

	s->proc = p;
	s->conf = conf;
	if (conf->privileged) {
		pw = getpwnam(role_user(ROLE_SPOOLER));
		if (pw == NULL)
			fatal("user %s does not exist: run `make users`",
			    role_user(ROLE_SPOOLER));
		o.owner = pw->pw_uid;
		o.group = pw->pw_gid;
	}
	s->compression = conf->compression;
	s->seal = conf->seal;
	s->ring = o.keys = sealing_start(s);
	s->q = queue_open(&o, why, sizeof(why));
	if (s->q == NULL)
		fatal("event=spool-unusable path=%s text=%s", conf->spool, why);
	return s;
}

/* Bodies came and went: their pages are given back once it is quiet. */
static void
on_quiet(int fd, short what, void *arg)
{
	static const struct timeval quiet = { QUIET_S, 0 };
	struct spooler *s = arg;

	(void)fd;
	(void)what;
	if (mono_ms() - s->last_results < QUIET_S * 1000 / 2)
		event_add(s->quiet, &quiet);
	else
		heap_trim();
}

static void
on_results(int fd, short what, void *arg)
{
	static const struct timeval quiet = { QUIET_S, 0 };
	struct spooler *s = arg;

	(void)fd;
	(void)what;
	s->last_results = mono_ms();
	if (!event_pending(s->quiet, EV_TIMEOUT, NULL))
		event_add(s->quiet, &quiet);
	queue_turn(s->q);
	known_flush(s);
	timing_flush();
}

static void
damaged(struct spooler *s, uint64_t evpid, const char *reason)
{
	char id[IDENT_TEXT_MAX], quoted[256];

	log_warn("evpid=%s event=damaged text=%s", ident_evpid_text(id, evpid),
	    text_quote(quoted, sizeof(quoted), reason));
	s->count.alarms++;
}

static void
add_broken(struct spooler *s, uint64_t evpid, const char *reason)
{
	damaged(s, evpid, reason);
	unusable_note(s->unusable, index_add_broken(s->index, evpid, reason));
}

/* The library says once for all that something is locked. */
static void
on_locked(void *ctx, uint64_t evpid, uint64_t size, int64_t arrived,
    const char *reason)
{
	struct spooler *s = ctx;

	index_add_locked(s->index, evpid, size, arrived, reason);
}

/* The envelopes of a message that stood for them all come one by one. */
static void
unlocked(struct spooler *s, uint64_t msgid)
{
	struct entry *en = index_find(s->index, ident_evpid(msgid, 0));

	if (en != NULL && (en->flags & ENTRY_LOCKED))
		index_remove(s->index, en);
}

static void
on_envelope(void *ctx, uint64_t evpid, enum queue_status st, const char *text,
    size_t len, uint64_t size, const char *reason)
{
	struct spooler *s = ctx;
	enum envelope_result r;
	struct envelope e;
	struct entry *en;

	if (text == NULL) {
		add_broken(s, evpid, reason);
		return;
	}
	unlocked(s, ident_msgid(evpid));
	r = envelope_parse(&e, text, len, NULL, 0);
	if (r == ENVELOPE_BROKEN || e.id != evpid) {
		add_broken(s, evpid, reason == NULL ? "unreadable" : reason);
		envelope_clear(&e);
		return;
	}
	if (st == QUEUE_DAMAGED) {
		damaged(s, evpid, reason);
		envelope_set(&e.error, reason);
	}
	en = index_add(s->index, &e, size);
	envelope_clear(&e);
	if (st == QUEUE_DAMAGED) {
		en->flags |= ENTRY_BROKEN;
		unusable_note(s->unusable, en);
	}
	verbs_apply(s, en);
	if (en->flags & ENTRY_FAILED)
		notify_failed(s, ident_msgid(evpid));
	else
		known_add(s, en);
}

/* The library has said it; here it is an alarm. */
static void
on_anomaly(void *ctx, const char *name, const char *reason)
{
	struct spooler *s = ctx;

	(void)name;
	(void)reason;
	s->count.alarms++;
}

static void
on_bulk(void *ctx, uint64_t bulk, const char *verb, bool all,
    const uint64_t *evpids, size_t n)
{
	verbs_resume(ctx, bulk, verb, all, evpids, n);
}

/* Which names the configuration lacks is said once for each action. */
static void
report_missing_actions(struct spooler *s)
{
	const char *said = NULL;
	struct index_walk w;
	struct entry *en;
	unsigned long n = 0;

	index_walk_start(s->index, &w);
	while ((en = index_walk_next(s->index, &w)) != NULL) {
		if (!(en->flags & ENTRY_NO_ACTION))
			continue;
		n++;
		if (said == en->action)
			continue;
		said = en->action;
		log_warn("event=action-missing action=%s text=queued mail "
			 "names it and waits until it is back",
		    said);
	}
	index_walk_end(s->index, &w);
	if (n > 0)
		log_warn("event=action-missing envelopes=%lu", n);
}

static void
on_loaded(void *ctx)
{
	struct spooler *s = ctx;

	s->loaded = true;
	known_flush(s);
	verbs_loaded(s);
	report_missing_actions(s);
	log_info("event=loaded envelopes=%zu", index_count(s->index));
}

static void
recall_pauses(struct spooler *s)
{
	char text[64];

	s->paused_mta = s->conf->paused_mta;
	s->paused_mda = s->conf->paused_mda;
	s->paused_smtp = s->conf->paused_smtp;
	if (queue_state_get(s->q, "pauses", text, sizeof(text)) == -1)
		return;
	s->paused_mta |= strstr(text, "mta\n") != NULL;
	s->paused_mda |= strstr(text, "mda\n") != NULL;
	s->paused_smtp |= strstr(text, "smtp\n") != NULL;
}

static void
start(void *arg)
{
	struct spooler *s = arg;
	struct queue_loader loader = { .envelope = on_envelope,
		.anomaly = on_anomaly,
		.bulk = on_bulk,
		.loaded = on_loaded,
		.locked = on_locked,
		.ctx = s };
	struct event *results;

	s->index = index_new();
	s->unusable = unusable_new();
	s->known = known_new(s);
	s->receive = receive_new(s);
	s->release = release_new(s);
	s->notify = notify_new(s);
	s->verbs = verbs_new(s);
	s->keeping = keeping_new(s);
	results = event_new(proc_base(s->proc), queue_fd(s->q),
	    EV_READ | EV_PERSIST, on_results, s);
	s->quiet = evtimer_new(proc_base(s->proc), on_quiet, s);
	if (results == NULL || s->quiet == NULL ||
	    event_add(results, NULL) == -1)
		fatal("no event for the queue");
	report_start(s);
	recall_pauses(s);
	report_pauses(s);
	timing_start(s->q);
	queue_load(s->q, &loader);
}

/* An action whose name stays and whose meaning changes takes queued mail with
 * it: that is said, never silent. */
static void
compare_actions(const struct conf *old, const struct conf *fresh)
{
	char was[512], is[512];
	const struct conf_action *a;
	size_t i;

	for (i = 0; i < old->nactions; i++) {
		a = conf_action(fresh, old->actions[i].name);
		if (a == NULL) {
			log_warn("event=action-gone action=%s",
			    old->actions[i].name);
			continue;
		}
		conf_action_text(&old->actions[i], was, sizeof(was));
		conf_action_text(a, is, sizeof(is));
		if (strcmp(was, is) != 0)
			log_warn("event=action-changed action=%s was=\"%s\" "
				 "is=\"%s\"",
			    a->name, was, is);
	}
}

static void
configure(void *arg, const struct conf *conf)
{
	struct spooler *s = arg;
	const struct conf *old = s->conf;
	struct index_walk w;
	struct entry *en;

	s->conf = conf;
	if (s->index == NULL)
		return; /* before start() */
	sealing_reload(s);
	compare_actions(old, conf);
	index_walk_start(s->index, &w);
	while ((en = index_walk_next(s->index, &w)) != NULL) {
		if ((en->flags & ENTRY_NO_ACTION) ||
		    conf_action(conf, en->action) == NULL)
			known_add(s, en);
	}
	index_walk_end(s->index, &w);
	known_flush(s);
	report_missing_actions(s);
}

static void
stop(void *arg)
{
	struct spooler *s = arg;

	/* The carriers have ended; what they said last counts. */
	peer_finish(proc_peer(s->proc, ROLE_MTA));
	peer_finish(proc_peer(s->proc, ROLE_MDA));
	queue_close(s->q, CLOSE_MS);
	proc_exit(s->proc);
}

static const struct handler from_scheduler[] = {
	{ PLAN_DUE, "plan-due", release_on_due },
	{ PLAN_VERB, "plan-verb", verbs_on_verb },
};

static const struct handler from_mta[] = {
	{ CARRY_WANT, "carry-want", release_on_want_mta },
	{ CARRY_OUTCOME, "carry-outcome", settle_on_outcome_mta },
	{ CARRY_STEER, "carry-steer", keeping_on_steer },
};

static const struct handler from_mda[] = {
	{ CARRY_WANT, "carry-want", release_on_want_mda },
	{ CARRY_OUTCOME, "carry-outcome", settle_on_outcome_mda },
};

static const struct proc_peer peers[] = {
	{ ROLE_SMTP, receive_handlers, RECEIVE_HANDLERS },
	{ ROLE_LOOKUP, notify_handlers, NOTIFY_HANDLERS },
	{ ROLE_SCHEDULER, from_scheduler,
	    sizeof(from_scheduler) / sizeof(from_scheduler[0]) },
	{ ROLE_MTA, from_mta, sizeof(from_mta) / sizeof(from_mta[0]) },
	{ ROLE_MDA, from_mda, sizeof(from_mda) / sizeof(from_mda[0]) },
};

const struct proc_role spooler_role = {
	.id = ROLE_SPOOLER,
	.spool_root = true,
	.peers = peers,
	.npeers = sizeof(peers) / sizeof(peers[0]),
	.prepare = prepare,
	.start = start,
	.configure = configure,
	.stop = stop,
};

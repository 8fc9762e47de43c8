#include "daemon/spooler/verbs.h"

#include <sys/queue.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/edge/plan.h"
#include "daemon/spooler/image.h"
#include "daemon/spooler/known.h"
#include "daemon/spooler/spooler.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "lib/cli/exitcode.h"

#define TURN_ENTRIES 64 /* looked at by the writer in a turn */
#define READS_AT_ONCE 128
#define HOLD_MAX 512

static const char *const verb_names[PLAN_VERBS] = {
	[PLAN_HOLD] = "hold",
	[PLAN_RELEASE] = "release",
	[PLAN_SCHEDULE] = "schedule",
	[PLAN_REMOVE] = "remove",
};

/* A verb that is durable and not yet written out; or awaits its flush. */
struct verb {
	TAILQ_ENTRY(verb) link;
	struct spooler *s;
	uint64_t bulk; /* 0: not flushed yet */
	enum plan_verb_kind kind;
	bool all, ready; /* ready: the writer has yet to pass all entries */
	uint32_t ticket, uid;
	char *reason;
	uint64_t *evpids;
	size_t n;
	uint32_t skipped;
	int64_t since;
};

struct verbs {
	TAILQ_HEAD(open_verbs, verb) open; /* in the order of the journal */
	struct event *writer; /* a zero timer: the next turn of writing */
	struct index_walk walk;
	bool walking;
	unsigned reading;
};

static void
verb_free(struct verb *v)
{
	free(v->reason);
	free(v->evpids);
	free(v);
}

static void
next_turn(struct spooler *s)
{
	static const struct timeval now = { 0, 0 };

	event_add(s->verbs->writer, &now);
}

/* What the verb means for one envelope, in memory. False: nothing. */
static bool
mean(struct spooler *s, enum plan_verb_kind kind, struct entry *en)
{
	if (en->flags & (ENTRY_FAILED | ENTRY_REMOVED))
		return false;
	/* Nothing can be written of it, but that it is finished. */
	if ((en->flags & ENTRY_LOCKED) &&
	    (kind != PLAN_REMOVE || ident_rcpt(en->evpid) == PLAN_WHOLE))
		return false;
	switch (kind) {
	case PLAN_HOLD:
		en->flags |= ENTRY_HELD | ENTRY_DIRTY;
		return true;
	case PLAN_RELEASE:
		if (!(en->flags & ENTRY_HELD))
			return false;
		en->flags &= (uint8_t)~ENTRY_HELD;
		en->flags |= ENTRY_DIRTY;
		return true;
	case PLAN_SCHEDULE:
		en->next_try = (uint32_t)mono_wall();
		return true;
	case PLAN_REMOVE:
		if (en->flags & ENTRY_INFLIGHT)
			return false;
		en->flags |= ENTRY_REMOVED | ENTRY_DIRTY;
		s->count.removed++;
		return true;
	case PLAN_VERBS:
		break;
	}
	return false;
}

static uint32_t
mean_all(struct verb *v)
{
	struct index_walk w;
	struct entry *en;
	uint32_t done = 0;

	index_walk_start(v->s->index, &w);
	while ((en = index_walk_next(v->s->index, &w)) != NULL)
		done += mean(v->s, v->kind, en);
	index_walk_end(v->s->index, &w);
	return done;
}

/* What was there, for the words when nothing could be done. */
struct met {
	uint32_t all, flying;
};

/* All envelopes of a message. Those in flight keep the time that the attempt
 * gives them. */
static uint32_t
mean_message(struct verb *v, uint64_t msgid, struct met *met)
{
	struct entry *en = NULL;
	uint32_t seen = 0, done = 0;

	while ((en = index_sibling(v->s->index, msgid, en)) != NULL) {
		seen++;
		met->all++;
		if ((en->flags & ENTRY_INFLIGHT) &&
		    (v->kind == PLAN_SCHEDULE || v->kind == PLAN_REMOVE))
			met->flying++;
		else
			done += mean(v->s, v->kind, en);
	}
	v->skipped += seen == 0 ? 1 : seen - done;
	return done;
}

static uint32_t
mean_some(struct verb *v, struct met *met)
{
	struct entry *en;
	uint32_t done = 0;
	size_t i;

	for (i = 0; i < v->n; i++) {
		if (ident_rcpt(v->evpids[i]) == PLAN_WHOLE) {
			done += mean_message(v, ident_msgid(v->evpids[i]), met);
			continue;
		}
		en = index_find(v->s->index, v->evpids[i]);
		met->all += en != NULL;
		if (en != NULL && mean(v->s, v->kind, en))
			done++;
		else
			v->skipped++;
	}
	return done;
}

static void
answer(struct verb *v, int status, uint32_t done, const char *text)
{
	struct peer *scheduler = proc_peer(v->s->proc, ROLE_SCHEDULER);
	struct plan_ended m = { .ticket = v->ticket,
		.status = (uint8_t)status,
		.done = done,
		.skipped = v->skipped,
		.text = text };

	plan_ended_put(peer_begin(scheduler), &m);
	peer_send(scheduler, PLAN_ENDED);
}

static void
log_verb(const struct verb *v, uint32_t done)
{
	char id[IDENT_TEXT_MAX], quoted[256];
	const char *key = "all=yes", *text = "";

	if (!v->all && ident_rcpt(v->evpids[0]) == PLAN_WHOLE) {
		key = "msgid=";
		text = ident_msgid_text(id, ident_msgid(v->evpids[0]));
	} else if (!v->all) {
		key = "evpid=";
		text = ident_evpid_text(id, v->evpids[0]);
	}
	log_info("%s%s event=%s envelopes=%u uid=%u reason=%s", key, text,
	    verb_names[v->kind], done, v->uid,
	    text_quote(quoted, sizeof(quoted), v->reason));
}

static void
answer_nothing(struct verb *v, const struct met *met)
{
	if (met->flying > 0)
		answer(v, EXIT_NOMATCH, 0, "in flight: nothing was changed");
	else if (met->all > 0)
		answer(v, EXIT_NOMATCH, 0,
		    "nothing to do: it is so already, or waits for its bounce");
	else if (v->s->loaded)
		answer(v, EXIT_NOMATCH, 0, "no such envelope ID");
	else
		answer(v, EXIT_TEMPFAIL, 0,
		    v->kind == PLAN_SCHEDULE
			? "not loaded yet: the queue is being read"
			: "the queue is being read; it is done when that "
			  "envelope is met, if there is one");
}

static void
carry_out(struct verb *v)
{
	struct met met = { 0, 0 };
	uint32_t done = v->all ? mean_all(v) : mean_some(v, &met);

	if (!v->all && done == 0) {
		answer_nothing(v, &met);
		return;
	}
	log_verb(v, done);
	answer(v, EXIT_DONE, done,
	    v->s->loaded ? "" : "and what is still being read");
}

static void
durable(void *ctx, enum queue_status st, uint64_t bulk)
{
	struct verb *v = ctx;

	if (st != QUEUE_OK) {
		answer(v, st == QUEUE_FULL ? EXIT_TEMPFAIL : EXIT_IOERR, 0,
		    "the journal could not be written; nothing was changed");
		TAILQ_REMOVE(&v->s->verbs->open, v, link);
		verb_free(v);
		return;
	}
	v->bulk = bulk;
	v->ready = true;
	carry_out(v);
	next_turn(v->s);
}

int
verbs_on_verb(void *arg, struct message *m)
{
	struct spooler *s = arg;
	struct plan_verb *pv = mem_zalloc(sizeof(*pv));
	struct verb *v;

	if (plan_verb_get(&m->body, pv) == -1) {
		free(pv);
		return -1;
	}
	v = mem_zalloc(sizeof(*v));
	v->s = s;
	v->kind = pv->verb;
	v->all = pv->all;
	v->ticket = pv->ticket;
	v->uid = pv->uid;
	v->reason = mem_strdup(pv->reason);
	v->n = pv->n;
	v->evpids = mem_zarray(v->n, sizeof(*v->evpids));
	memcpy(v->evpids, pv->evpids, v->n * sizeof(*v->evpids));
	v->since = mono_wall();
	free(pv);
	if (v->kind == PLAN_SCHEDULE) {
		/* Only a time in memory: a restart tries what is due anyway. */
		carry_out(v);
		verb_free(v);
		return 0;
	}
	TAILQ_INSERT_TAIL(&s->verbs->open, v, link);
	queue_bulk(
	    s->q, verb_names[v->kind], v->all, v->evpids, v->n, durable, v);
	return 0;
}

/* The last verb that holds, for the words in the envelope. */
static const struct verb *
holding(const struct spooler *s)
{
	const struct verb *v, *last = NULL;

	TAILQ_FOREACH(v, &s->verbs->open, link)
		if (v->kind == PLAN_HOLD && v->bulk != 0)
			last = v;
	return last;
}

static void
write_image(struct spooler *s, struct entry *en, struct envelope *e)
{
	const struct verb *v = holding(s);
	char hold[HOLD_MAX], since[TEXT_TIME_MAX];

	if (en->flags & ENTRY_HELD) {
		e->state = ENVELOPE_HELD;
		snprintf(hold, sizeof(hold), "by=uid:%u since=%s reason=%s",
		    v == NULL ? 0 : v->uid,
		    text_time(since, v == NULL ? mono_wall() : v->since),
		    v == NULL || *v->reason == '\0' ? "-" : v->reason);
		envelope_set(&e->hold, hold);
	} else {
		e->state = ENVELOPE_QUEUED;
		envelope_set(&e->hold, NULL);
	}
	e->generation++;
	image_write(s, en, e);
}

struct reading {
	struct spooler *s;
	uint64_t evpid;
};

static void
on_text(void *ctx, enum queue_status st, const char *text, size_t len)
{
	struct reading *r = ctx;
	struct spooler *s = r->s;
	struct entry *en = index_find(s->index, r->evpid);
	struct envelope e;

	free(r);
	s->verbs->reading--;
	next_turn(s);
	if (en == NULL || st != QUEUE_OK ||
	    (en->flags & (ENTRY_FAILED | ENTRY_REMOVED)))
		return; /* it failed or went meanwhile */
	if (envelope_parse(&e, text, len, NULL, 0) == ENVELOPE_OK)
		write_image(s, en, &e);
	envelope_clear(&e);
}

static void
write_out(struct spooler *s, struct entry *en)
{
	struct reading *r;
	uint64_t evpid = en->evpid;

	if (!(en->flags & ENTRY_DIRTY))
		return;
	en->flags &= (uint8_t)~ENTRY_DIRTY;
	if (en->flags & ENTRY_REMOVED) {
		queue_done(s->q, evpid, "removed by an operator", NULL, NULL);
		index_remove(s->index, en);
		return;
	}
	r = mem_zalloc(sizeof(*r));
	r->s = s;
	r->evpid = evpid;
	s->verbs->reading++;
	queue_envelope(s->q, evpid, on_text, r);
}

/* All entries were passed and all images written: these verbs are over. */
static void
finish(struct spooler *s)
{
	struct verb *v, *next;

	if (!s->loaded || s->verbs->reading > 0)
		return;
	for (v = TAILQ_FIRST(&s->verbs->open); v != NULL; v = next) {
		next = TAILQ_NEXT(v, link);
		if (v->bulk == 0 || v->ready)
			continue;
		queue_bulk_done(s->q, v->bulk);
		TAILQ_REMOVE(&s->verbs->open, v, link);
		verb_free(v);
	}
}

static bool
anything_ready(const struct spooler *s)
{
	const struct verb *v;

	TAILQ_FOREACH(v, &s->verbs->open, link)
		if (v->ready)
			return true;
	return false;
}

static void
write_message(struct spooler *s, uint64_t msgid)
{
	struct entry *en = index_sibling(s->index, msgid, NULL), *next;

	for (; en != NULL; en = next) {
		next = index_sibling(s->index, msgid, en);
		write_out(s, en);
	}
}

/* A few at once need no walk over a long queue. */
static void
write_named(struct verb *v)
{
	struct entry *en;
	size_t i;

	for (i = 0; i < v->n; i++) {
		if (ident_rcpt(v->evpids[i]) == PLAN_WHOLE) {
			write_message(v->s, ident_msgid(v->evpids[i]));
			continue;
		}
		en = index_find(v->s->index, v->evpids[i]);
		if (en != NULL)
			write_out(v->s, en);
	}
	v->ready = false;
}

static void
start_walk(struct spooler *s)
{
	struct verb *v;
	bool all = false;

	TAILQ_FOREACH(v, &s->verbs->open, link) {
		if (v->ready && !v->all)
			write_named(v);
		else if (v->ready)
			all = true;
		v->ready = false;
	}
	if (!all)
		return;
	index_walk_start(s->index, &s->verbs->walk);
	s->verbs->walking = true;
}

static void
on_writer(int fd, short what, void *arg)
{
	struct spooler *s = arg;
	struct verbs *vs = s->verbs;
	struct entry *en;
	int i;

	(void)fd;
	(void)what;
	if (!s->loaded)
		return; /* verbs_loaded() begins it */
	if (!vs->walking && anything_ready(s))
		start_walk(s);
	for (i = 0; vs->walking && i < TURN_ENTRIES; i++) {
		if (vs->reading >= READS_AT_ONCE)
			return; /* an answer comes back here */
		en = index_walk_next(s->index, &vs->walk);
		if (en == NULL) {
			index_walk_end(s->index, &vs->walk);
			vs->walking = false;
		} else {
			write_out(s, en);
		}
	}
	if (vs->walking || anything_ready(s))
		next_turn(s);
	else
		finish(s);
}

struct verbs *
verbs_new(struct spooler *s)
{
	struct verbs *vs = mem_zalloc(sizeof(*vs));

	TAILQ_INIT(&vs->open);
	vs->writer = evtimer_new(proc_base(s->proc), on_writer, s);
	if (vs->writer == NULL)
		fatal("out of memory: a timer");
	return vs;
}

void
verbs_resume(struct spooler *s, uint64_t bulk, const char *verb, bool all,
    const uint64_t *evpids, size_t n)
{
	struct verb *v;
	int kind;

	for (kind = 0; kind < PLAN_VERBS; kind++)
		if (strcmp(verb_names[kind], verb) == 0)
			break;
	if (kind == PLAN_VERBS) {
		log_warn("event=verb-unknown verb=%s text=left alone", verb);
		queue_bulk_done(s->q, bulk);
		return;
	}
	v = mem_zalloc(sizeof(*v));
	v->s = s;
	v->bulk = bulk;
	v->kind = (enum plan_verb_kind)kind;
	v->all = all;
	v->ready = true;
	v->reason = mem_strdup("");
	v->n = n;
	v->evpids = mem_zarray(n, sizeof(*v->evpids));
	if (n > 0)
		memcpy(v->evpids, evpids, n * sizeof(*v->evpids));
	v->since = mono_wall();
	TAILQ_INSERT_TAIL(&s->verbs->open, v, link);
}

static bool
names(const struct verb *v, uint64_t evpid)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (v->evpids[i] == evpid ||
		    v->evpids[i] == ident_evpid(ident_msgid(evpid), PLAN_WHOLE))
			return true;
	return false;
}

void
verbs_apply(struct spooler *s, struct entry *en)
{
	const struct verb *v;

	TAILQ_FOREACH(v, &s->verbs->open, link) {
		if (v->bulk == 0)
			continue;
		if (v->all ? queue_bulk_covers(s->q, v->bulk, en->evpid)
			   : names(v, en->evpid))
			mean(s, v->kind, en);
	}
}

void
verbs_loaded(struct spooler *s)
{
	next_turn(s);
}

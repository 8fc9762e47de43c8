#include "daemon/scheduler/steer.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/cli/exitcode.h"

#define VERBS_WAITING 256
#define VERB_IDS (1u << 20) /* of one question */

struct verb {
	TAILQ_ENTRY(verb) link;
	struct answer *answer;
	enum plan_verb_kind kind;
	bool all;
	uint32_t uid;
	char *reason;
	uint64_t *evpids;
	size_t n, at; /* at: the first that was not sent yet */
	size_t sent, sent_end; /* those that the spooler has now */
	uint32_t done, skipped;
	bool known; /* one of them stands in the agenda */
};

struct steer {
	struct agenda *agenda;
	struct peer *spooler;
	TAILQ_HEAD(verb_line, verb) waiting;
	unsigned nwaiting;
	struct verb *now; /* under way */
	uint32_t ticket; /* of what the spooler was asked last */
	uint32_t flying; /* when a verb about all began */
	void (*idle)(void *arg);
	void *arg;
};

struct steer *
steer_new(
    struct agenda *a, struct peer *spooler, void (*idle)(void *arg), void *arg)
{
	struct steer *s = mem_zalloc(sizeof(*s));

	s->agenda = a;
	s->spooler = spooler;
	s->idle = idle;
	s->arg = arg;
	TAILQ_INIT(&s->waiting);
	return s;
}

bool
steer_busy(const struct steer *s)
{
	return s->now != NULL;
}

static void
verb_free(struct verb *v)
{
	free(v->reason);
	free(v->evpids);
	free(v);
}

static void
end(struct steer *s, int status, const char *text)
{
	struct verb *v = s->now;

	s->now = NULL;
	answer_end(v->answer, status, v->done, v->skipped, text);
	verb_free(v);
	s->idle(s->arg);
}

/* All parts are done. text is the spooler's. */
static void
end_well(struct steer *s, const char *text)
{
	struct verb *v = s->now;

	if (v->done > 0)
		end(s, v->skipped > 0 ? EXIT_PARTIAL : EXIT_DONE, text);
	else if (v->skipped > 0 && v->known)
		end(s, EXIT_PARTIAL,
		    *text != '\0' ? text : "in flight: nothing was changed");
	else if (v->all && *text != '\0') /* it holds for what is yet read */
		end(s, EXIT_DONE, text);
	else if (v->all)
		end(s, EXIT_NOMATCH, "none to change");
	else
		end(s, EXIT_NOMATCH,
		    *text != '\0' ? text : "no such envelope ID");
}

/* The spooler decides about these itself, in flight or not: it says at the end
 * of the attempt what became of it. */
static bool
reaches_flying(enum plan_verb_kind kind)
{
	return kind == PLAN_HOLD || kind == PLAN_RELEASE;
}

static void
send_verb(struct steer *s, const struct plan_verb *m)
{
	plan_verb_put(peer_begin(s->spooler), m);
	peer_send(s->spooler, PLAN_VERB);
}

static struct plan_verb *
new_message(struct steer *s)
{
	struct plan_verb *m = mem_zalloc(sizeof(*m));

	if (++s->ticket == 0)
		s->ticket = 1;
	m->ticket = s->ticket;
	m->verb = s->now->kind;
	m->all = s->now->all;
	m->uid = s->now->uid;
	m->reason = s->now->reason;
	return m;
}

static uint32_t
in_flight(const struct agenda *a)
{
	struct agenda_stats st;

	agenda_stats(a, &st);
	return st.flying[PLAN_RELAY] + st.flying[PLAN_LOCAL];
}

static void
send_all(struct steer *s)
{
	struct plan_verb *m = new_message(s);

	agenda_fence(s->agenda);
	s->flying = reaches_flying(s->now->kind) ? 0 : in_flight(s->agenda);
	send_verb(s, m);
	free(m);
}

/* Of a message only whether it is known: the spooler passes over those of its
 * envelopes that are in flight. */
static enum agenda_state
state_of(const struct agenda *a, uint64_t evpid)
{
	uint64_t one;

	if (ident_rcpt(evpid) != PLAN_WHOLE)
		return agenda_find(a, evpid);
	one = agenda_of_message(a, ident_msgid(evpid));
	return one == 0 ? AGENDA_NONE : AGENDA_WAITING;
}

/* The next ids, packed to the front of their part of the list. False: there
 * are none left. */
static bool
send_some(struct steer *s)
{
	struct verb *v = s->now;
	enum agenda_state state;
	struct plan_verb *m;

	m = new_message(s);
	v->sent = v->sent_end = v->at;
	for (; v->at < v->n && m->n < PLAN_IDS; v->at++) {
		state = state_of(s->agenda, v->evpids[v->at]);
		v->known |= state != AGENDA_NONE;
		if (state == AGENDA_FLYING && !reaches_flying(v->kind)) {
			v->skipped++;
			continue;
		}
		m->evpids[m->n++] = v->evpids[v->at];
		v->evpids[v->sent_end++] = v->evpids[v->at];
	}
	if (m->n > 0)
		send_verb(s, m);
	free(m);
	return v->sent_end > v->sent;
}

void
steer_next(struct steer *s)
{
	if (s->now != NULL || TAILQ_EMPTY(&s->waiting))
		return;
	s->now = TAILQ_FIRST(&s->waiting);
	TAILQ_REMOVE(&s->waiting, s->now, link);
	s->nwaiting--;
	if (s->now->all)
		send_all(s);
	else if (!send_some(s))
		end_well(s, "");
}

static void
change_one(struct steer *s, uint64_t evpid, int64_t now)
{
	if (s->now->kind == PLAN_HOLD)
		agenda_hold(s->agenda, evpid);
	else if (s->now->kind == PLAN_RELEASE)
		agenda_release(s->agenda, evpid);
	else if (s->now->kind == PLAN_SCHEDULE)
		agenda_schedule(s->agenda, evpid, now);
	else
		agenda_remove(s->agenda, evpid);
}

/* The ring is left alone until it has been walked: a removal changes it. */
static void
change_message(struct steer *s, uint64_t msgid, int64_t now)
{
	uint64_t first = agenda_of_message(s->agenda, msgid), at = first;
	uint64_t *ids = NULL;
	size_t n = 0, i;

	while (at != 0 && (n == 0 || at != first)) {
		if ((n & (n - 1)) == 0) /* a power of two: it is full */
			ids =
			    mem_rearray(ids, n == 0 ? 1 : 2 * n, sizeof(*ids));
		ids[n++] = at;
		at = agenda_sibling(s->agenda, at);
	}
	for (i = 0; i < n; i++)
		change_one(s, ids[i], now);
	free(ids);
}

static void
change_some(struct steer *s)
{
	const struct verb *v = s->now;
	int64_t now = mono_wall();
	size_t i;

	for (i = v->sent; i < v->sent_end; i++) {
		if (ident_rcpt(v->evpids[i]) == PLAN_WHOLE)
			change_message(s, ident_msgid(v->evpids[i]), now);
		else
			change_one(s, v->evpids[i], now);
	}
}

static void
change_all(struct steer *s)
{
	if (s->now->kind == PLAN_HOLD)
		agenda_hold_all(s->agenda);
	else if (s->now->kind == PLAN_RELEASE)
		agenda_release_all(s->agenda);
	else if (s->now->kind == PLAN_SCHEDULE)
		agenda_schedule_all(s->agenda, mono_wall());
	else
		agenda_remove_all(s->agenda);
}

static void
ended_all(struct steer *s, const struct plan_ended *m)
{
	struct verb *v = s->now;

	if (m->status != EXIT_DONE) {
		agenda_unfence(s->agenda);
		end(s, m->status, m->text);
		return;
	}
	change_all(s);
	v->known = true;
	v->done = m->done;
	v->skipped = m->skipped + s->flying;
	/* Those in flight need no new time, which the spooler gave them. */
	if (v->kind == PLAN_SCHEDULE)
		v->done -= s->flying < v->done ? s->flying : v->done;
	end_well(s, m->text);
}

static void
ended_some(struct steer *s, const struct plan_ended *m)
{
	struct verb *v = s->now;

	v->done += m->done;
	v->skipped += m->skipped;
	if (m->status != EXIT_DONE && m->status != EXIT_NOMATCH) {
		end(s, m->status, m->text);
		return;
	}
	if (m->status == EXIT_DONE)
		change_some(s);
	if (!send_some(s))
		end_well(s, m->text);
}

int
steer_ended(struct steer *s, struct message *msg)
{
	struct plan_ended m;

	if (plan_ended_get(&msg->body, &m) == -1)
		return -1;
	if (s->now == NULL || m.ticket != s->ticket)
		return 0;
	trace(TRACE_SCHEDULER, "event=verb-ended status=%u done=%u skipped=%u",
	    m.status, m.done, m.skipped);
	if (s->now->all)
		ended_all(s, &m);
	else
		ended_some(s, &m);
	return 0;
}

static bool
add_id(struct verb *v, uint64_t evpid)
{
	if (v->n == VERB_IDS)
		return false;
	if ((v->n & (v->n - 1)) == 0) /* a power of two: it is full */
		v->evpids = mem_rearray(
		    v->evpids, v->n == 0 ? 1 : 2 * v->n, sizeof(*v->evpids));
	v->evpids[v->n++] = evpid;
	return true;
}

/* An envelope's id, or a message's. One that is not known here goes to the
 * spooler all the same, which may be loading still. */
static bool
add_arg(struct verb *v, const char *arg)
{
	uint64_t id;

	if (ident_evpid_parse(arg, &id))
		return add_id(v, id);
	return ident_msgid_parse(arg, &id) &&
	    add_id(v, ident_evpid(id, PLAN_WHOLE));
}

static const struct {
	enum query_what what;
	enum plan_verb_kind kind;
} kinds[] = {
	{ QUERY_HOLD, PLAN_HOLD },
	{ QUERY_RELEASE, PLAN_RELEASE },
	{ QUERY_SCHEDULE, PLAN_SCHEDULE },
	{ QUERY_REMOVE, PLAN_REMOVE },
};

static struct verb *
new_verb(struct answer *a, const struct query_ask *q)
{
	struct verb *v = mem_zalloc(sizeof(*v));
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].what == q->what)
			v->kind = kinds[i].kind;
	v->answer = a;
	v->uid = q->uid;
	v->reason = mem_strdup(q->reason);
	return v;
}

int
steer_ask(struct steer *s, struct answer *a, const struct query_ask *q,
    struct unpack *args)
{
	struct verb *v = new_verb(a, q);
	const char *arg, *bad = NULL;
	char text[128];
	uint16_t i;

	for (i = 0; i < q->n; i++) {
		arg = unpack_str(args);
		if (q->n == 1 && strcmp(arg, "all") == 0)
			v->all = true;
		else if (bad == NULL && !add_arg(v, arg))
			bad = arg;
	}
	if (unpack_done(args) == -1) {
		verb_free(v);
		return -1;
	}
	if (bad != NULL || q->n == 0 || s->nwaiting == VERBS_WAITING) {
		snprintf(text, sizeof(text), "not an ID, or too many: %.40s",
		    bad == NULL ? "" : bad);
		if (bad == NULL && q->n > 0)
			answer_end(a, EXIT_TEMPFAIL, 0, 0, "too many at once");
		else
			answer_end(a, EXIT_USAGE, 0, 0, text);
		verb_free(v);
		return 0;
	}
	TAILQ_INSERT_TAIL(&s->waiting, v, link);
	s->nwaiting++;
	s->idle(s->arg);
	return 0;
}

#include "daemon/spooler/settle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/edge/carry.h"
#include "daemon/spooler/image.h"
#include "daemon/spooler/known.h"
#include "daemon/spooler/notify.h"
#include "daemon/spooler/release.h"
#include "daemon/spooler/spooler.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "lib/mail/backoff.h"

#define LINE_MAX_LEN 1024
#define UNTRIED_MOST 86400 /* seconds a carrier may put an envelope off */
/* A clock that jumps must not expire mail that was hardly tried. */
#define TRIES_TO_EXPIRE 2

static void
done(struct spooler *s, struct entry *en, const struct carry_outcome *o)
{
	char line[LINE_MAX_LEN];
	uint64_t evpid = en->evpid;

	snprintf(line, sizeof(line), "delivered %s %s", o->remote, o->status);
	queue_done(s->q, evpid, line, NULL, NULL);
	s->count.delivered++;
	index_remove(s->index, en);
	known_outcome(s,
	    &(const struct plan_settled){
		.evpid = evpid, .result = PLAN_GONE, .destination = true });
}

/* Tells the scheduler when it is tried again, if nobody holds it. */
static void
again(struct spooler *s, const struct entry *en, const struct carry_outcome *o,
    int64_t due)
{
	const struct plan_settled m = {
		.evpid = en->evpid,
		.result = en->flags & ENTRY_HELD ? PLAN_HELD : PLAN_AGAIN,
		.due = due,
		.destination = o->destination,
	};

	known_outcome(s, &m);
}

/* Notes the attempt in the envelope: error, history, times. */
static void
note_attempt(struct envelope *e, const struct carry_outcome *o,
    const char *result, int64_t now)
{
	char line[LINE_MAX_LEN], when[TEXT_TIME_MAX], status[300], remote[80];
	char error[ENVELOPE_ERROR_MAX];

	/* Whatever the carrier sent: printable, and cut between characters. */
	text_printable(status, sizeof(status), o->status);
	text_printable(remote, sizeof(remote), o->remote);
	text_printable(error, sizeof(error), o->status);
	/* What a connection failed with names the host itself. */
	if (*remote != '\0' && strstr(o->status, o->remote) == NULL) {
		text_printable(error, ENVELOPE_ERROR_MAX - 100, o->status);
		strlcat(error, " from ", sizeof(error));
		strlcat(error, remote, sizeof(error));
	}
	envelope_set(&e->error, error);
	snprintf(line, sizeof(line), "%s %s remote=%s status=%s",
	    text_time(when, now), result, *remote == '\0' ? "-" : remote,
	    status);
	envelope_remember(e, line);
	e->tries++;
	e->last_try = now;
	e->generation++;
}

static unsigned
base_of(const struct spooler *s, const struct entry *en)
{
	return known_kind(s, en) == PLAN_RELAY ? s->conf->retry_relay
					       : s->conf->retry_local;
}

static void
later(struct spooler *s, struct entry *en, struct envelope *e,
    const struct carry_outcome *o, int64_t now)
{
	char id[IDENT_TEXT_MAX], when[TEXT_TIME_MAX];

	note_attempt(e, o, "tempfail", now);
	e->next_try = backoff_next(e->arrived, now, e->tries, base_of(s, en));
	if (o->step)
		/* The first in the row after that one. */
		e->next_try = backoff_next(
		    e->arrived, e->next_try, e->tries, base_of(s, en));
	if (e->next_try > e->expires && now < e->expires)
		e->next_try = e->expires; /* the last attempt */
	if (en->flags & ENTRY_HELD) {
		e->state = ENVELOPE_HELD;
		envelope_set(&e->hold, "reason=held while in flight");
	}
	image_write(s, en, e);
	s->count.deferred++;
	/* The carrier has logged the attempt; this is what was decided. */
	log_info("evpid=%s event=again tries=%u next=%s",
	    ident_evpid_text(id, en->evpid), e->tries,
	    text_time(when, e->next_try));
	again(s, en, o, e->next_try);
}

static void
never(struct spooler *s, struct entry *en, struct envelope *e,
    const struct carry_outcome *o, int64_t now, bool expired)
{
	char id[IDENT_TEXT_MAX];
	uint64_t evpid = en->evpid;

	note_attempt(e, o, expired ? "expired" : "permfail", now);
	e->next_try = 0;
	s->count.failed++;
	if (expired)
		s->count.expired++;
	log_info("evpid=%s event=given-up tries=%u expired=%s",
	    ident_evpid_text(id, evpid), e->tries, expired ? "yes" : "no");
	known_settled(s, evpid, PLAN_GONE, 0);
	if (*e->sender == '\0') {
		/* RFC 5321 section 4.5.5: no notice about a notice. */
		log_info("evpid=%s event=dropped text=null reverse-path", id);
		queue_done(
		    s->q, evpid, "failed, null reverse-path", NULL, NULL);
		index_remove(s->index, en);
		return;
	}
	e->state = ENVELOPE_FAILED;
	image_write(s, en, e);
	notify_failed(s, ident_msgid(evpid));
}

/* Nothing is written: it is as it was, and a restart tries it. */
static void
untried(struct spooler *s, struct entry *en, const struct carry_outcome *o,
    int64_t now)
{
	uint32_t delay = o->delay < UNTRIED_MOST ? o->delay : UNTRIED_MOST;
	char why[ENVELOPE_ERROR_MAX];

	if (*o->status != '\0') {
		text_printable(why, sizeof(why), o->status);
		index_excuse(s->index, en, why);
	}
	en->next_try = (uint32_t)(now + delay);
	again(s, en, o, en->next_try);
}

/* Of a destination that cannot be reached only a few are tried, the others wait
 * for what becomes of them; for these, too, the time is up some day. */
static bool
counts(const struct entry *en, const struct carry_outcome *o, int64_t now)
{
	return o->result == CARRY_LATER ||
	    (o->result == CARRY_UNTRIED && o->destination &&
		now >= en->expires && !(en->flags & ENTRY_HELD));
}

/* Without its message there is nothing to try: it is kept in corrupt/. */
static void
lost(struct spooler *s, struct entry *en)
{
	uint64_t evpid = en->evpid;

	queue_lost(s->q, evpid);
	index_remove(s->index, en);
	known_settled(s, evpid, PLAN_GONE, 0);
	release_forget(s, ident_msgid(evpid));
}

static int
settle(struct spooler *s, struct entry *en, const struct flight *f,
    const struct carry_outcome *o)
{
	int64_t now = mono_wall();
	struct envelope e;
	bool expired;

	en->flags &= (uint8_t)~ENTRY_INFLIGHT;
	if (o->result == CARRY_DONE) {
		done(s, en, o);
		return 0;
	}
	if ((en->flags & ENTRY_BROKEN) && o->result != CARRY_NEVER) {
		/* Its body could not be had: that is no try. */
		known_settled(s, en->evpid, PLAN_HELD, 0);
		return 0;
	}
	if (o->result == CARRY_LATER &&
	    release_lost(s, ident_msgid(en->evpid))) {
		lost(s, en);
		return 0;
	}
	if (o->result == CARRY_UNTRIED && !counts(en, o, now)) {
		untried(s, en, o, now);
		return 0;
	}
	if (envelope_parse(&e, f->text, f->len, NULL, 0) == ENVELOPE_BROKEN) {
		envelope_clear(&e);
		return -1; /* it was given out whole */
	}
	e.generation = en->generation; /* a verb may have come meanwhile */
	expired = o->result != CARRY_NEVER && now >= e.expires &&
	    e.tries + 1 >= TRIES_TO_EXPIRE;
	if (o->result != CARRY_NEVER && !expired)
		later(s, en, &e, o, now);
	else
		never(s, en, &e, o, now, expired);
	envelope_clear(&e);
	return 0;
}

static int
outcome(struct spooler *s, struct message *m, enum role from)
{
	struct carry_outcome o;
	struct flight *f;
	struct entry *en;
	int rc = 0;

	if (carry_outcome_get(&m->body, &o) == -1)
		return -1;
	f = release_land(s, o.evpid, from);
	if (f == NULL)
		return -1;
	en = index_find(s->index, o.evpid);
	if (en != NULL)
		rc = settle(s, en, f, &o);
	else
		known_settled(s, o.evpid, PLAN_GONE, 0);
	free(f);
	return rc;
}

int
settle_on_outcome_mta(void *arg, struct message *m)
{
	return outcome(arg, m, ROLE_MTA);
}

int
settle_on_outcome_mda(void *arg, struct message *m)
{
	return outcome(arg, m, ROLE_MDA);
}

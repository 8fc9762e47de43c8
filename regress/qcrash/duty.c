#include "regress/qcrash/duty.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"

#define NEVER UINT32_MAX
#define CHANGES 16

struct change {
	uint32_t generation, asked, answered;
};

struct envelope {
	uint64_t evpid;
	uint32_t finish, finished;
	uint64_t bounce; /* that ends it; 0 */
	struct change changes[CHANGES];
	unsigned count;
};

struct message {
	uint64_t msgid, size;
	unsigned rcpts;
	uint32_t submit, ack, refused;
	struct envelope *envelopes;
};

struct verb {
	uint32_t asked, answered, ended;
	bool all;
	uint32_t ids;
};

struct duty {
	struct message *messages;
	size_t count;
	struct verb verbs[OUTCOME_BULKS];
	struct change states[64];
	unsigned state_count;
	uint32_t *marks; /* when */
	uint32_t mark_count;
	char why[256];
};

struct duty *
duty_new(void)
{
	struct duty *d = mem_zalloc(sizeof(*d));
	unsigned i;

	for (i = 0; i < OUTCOME_BULKS; i++)
		d->verbs[i].asked = d->verbs[i].answered = d->verbs[i].ended =
		    NEVER;
	return d;
}

void
duty_free(struct duty *d)
{
	size_t i;

	if (d == NULL)
		return;
	for (i = 0; i < d->count; i++)
		free(d->messages[i].envelopes);
	free(d->messages);
	free(d->marks);
	free(d);
}

static struct message *
message_of(const struct duty *d, uint64_t msgid)
{
	size_t i;

	for (i = d->count; i-- > 0;)
		if (d->messages[i].msgid == msgid)
			return &d->messages[i];
	return NULL;
}

static struct envelope *
envelope_of(const struct duty *d, uint64_t evpid)
{
	struct message *m = message_of(d, ident_msgid(evpid));
	unsigned rcpt = ident_rcpt(evpid);

	return m == NULL || rcpt == 0 || rcpt > m->rcpts
	    ? NULL
	    : &m->envelopes[rcpt - 1];
}

static void
submitted(struct duty *d, uint32_t when, const uint64_t mark[3])
{
	struct message *m;
	unsigned i;

	d->messages =
	    mem_rearray(d->messages, d->count + 1, sizeof(*d->messages));
	m = &d->messages[d->count++];
	m->msgid = mark[0];
	m->rcpts = (unsigned)mark[1];
	m->size = mark[2];
	m->submit = when;
	m->ack = m->refused = NEVER;
	m->envelopes = mem_zarray(m->rcpts, sizeof(*m->envelopes));
	for (i = 0; i < m->rcpts; i++) {
		m->envelopes[i].evpid = ident_evpid(m->msgid, i + 1);
		m->envelopes[i].finish = m->envelopes[i].finished = NEVER;
	}
}

/* The bounce's answer is the end of what it reports. */
static void
acked(struct duty *d, uint32_t when, struct message *b)
{
	struct envelope *e;
	size_t i;
	unsigned j;

	b->ack = when;
	for (i = 0; i < d->count; i++) {
		for (j = 0; j < d->messages[i].rcpts; j++) {
			e = &d->messages[i].envelopes[j];
			if (e->bounce == b->msgid && e->finished > when)
				e->finished = when;
		}
	}
}

static void
envelope_mark(
    struct duty *d, uint32_t when, const char *word, const uint64_t mark[3])
{
	struct envelope *e = envelope_of(d, mark[0]);
	unsigned i;

	if (e == NULL)
		return;
	if (strcmp(word, "ends") == 0)
		e->bounce = mark[1];
	else if (strcmp(word, "finish") == 0 && e->finish > when)
		e->finish = when;
	else if (strcmp(word, "finished") == 0 && e->finished > when)
		e->finished = when;
	else if (strcmp(word, "change") == 0 && e->count < CHANGES) {
		e->changes[e->count].generation = (uint32_t)mark[1];
		e->changes[e->count].asked = when;
		e->changes[e->count++].answered = NEVER;
	} else if (strcmp(word, "changed") == 0) {
		for (i = 0; i < e->count; i++)
			if (e->changes[i].generation == mark[1] &&
			    e->changes[i].answered > when)
				e->changes[i].answered = when;
	}
}

static void
verb_mark(
    struct duty *d, uint32_t when, const char *word, const uint64_t mark[3])
{
	struct verb *v = &d->verbs[mark[0] % OUTCOME_BULKS];

	if (strcmp(word, "bulk") == 0) {
		v->asked = when;
		v->all = mark[1] != 0;
		v->ids = (uint32_t)mark[2];
	} else if (strcmp(word, "bulked") == 0)
		v->answered = when;
	else
		v->ended = when;
}

void
duty_mark(struct duty *d, uint32_t when, const struct qtrace_record *r,
    const char *word)
{
	struct message *m = message_of(d, r->mark[0]);

	d->marks = mem_rearray(d->marks, d->mark_count + 1, sizeof(*d->marks));
	d->marks[d->mark_count++] = when;
	if (strcmp(word, "submit") == 0)
		submitted(d, when, r->mark);
	else if (strcmp(word, "ack") == 0 && m != NULL)
		acked(d, when, m);
	else if (strcmp(word, "refused") == 0 && m != NULL)
		m->refused = when;
	else if (strncmp(word, "bulk", 4) == 0)
		verb_mark(d, when, word, r->mark);
	else if (strcmp(word, "state") == 0 && d->state_count < 64) {
		d->states[d->state_count].generation = (uint32_t)r->mark[0];
		d->states[d->state_count].asked = when;
		d->states[d->state_count++].answered = NEVER;
	} else if (strcmp(word, "stated") == 0 && d->state_count > 0)
		d->states[d->state_count - 1].answered = when;
	else
		envelope_mark(d, when, word, r->mark);
}

uint32_t
duty_count(const struct duty *d, uint32_t when)
{
	uint32_t low = 0, high = d->mark_count, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (d->marks[mid] <= when)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool
duty_size(const struct duty *d, uint64_t msgid, uint64_t *size)
{
	const struct message *m = message_of(d, msgid);

	if (m != NULL)
		*size = m->size;
	return m != NULL;
}

static const struct found_envelope *
found(const struct outcome *o, uint64_t evpid)
{
	uint32_t low = 0, high = o->n, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (o->found[mid].evpid == evpid)
			return &o->found[mid];
		if (o->found[mid].evpid < evpid)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static const char *
wrong(struct duty *d, const char *what, uint64_t evpid)
{
	char id[IDENT_TEXT_MAX];

	snprintf(d->why, sizeof(d->why), "%s: %s", ident_evpid_text(id, evpid),
	    what);
	return d->why;
}

/* Whether a change to it is right as it was found. */
static const char *
judge_found(struct duty *d, uint32_t when, const struct envelope *e,
    const struct found_envelope *f)
{
	uint32_t least = 1, most = 1;
	unsigned i;

	for (i = 0; i < e->count; i++) {
		const struct change *c = &e->changes[i];

		if (c->answered <= when && c->generation > least)
			least = c->generation;
		if (c->asked <= when && c->generation > most)
			most = c->generation;
	}
	if (f->status != 0)
		return wrong(d, "found, but not well", e->evpid);
	if (f->generation == 0)
		return wrong(d, "its text is not what was written", e->evpid);
	if (f->generation < least)
		return wrong(d, "an older text came back", e->evpid);
	if (f->generation > most)
		return wrong(d, "a text that was never given", e->evpid);
	if (f->body != 1)
		return wrong(d, "its body is not what was sent", e->evpid);
	return NULL;
}

static const char *
judge_covered(struct duty *d, uint32_t when, const struct message *m,
    const struct found_envelope *f, const struct outcome *o)
{
	const struct verb *v;
	unsigned i;

	for (i = 0; i < OUTCOME_BULKS; i++) {
		v = &d->verbs[i];
		if (!(o->bulks >> i & 1) || !v->all || v->asked > when)
			continue;
		if (m->ack <= v->asked && !(f->covered >> i & 1))
			return wrong(d, "a verb for all left it out", f->evpid);
		if (m->submit > v->answered && f->covered >> i & 1)
			return wrong(d, "a verb before it means it", f->evpid);
	}
	return NULL;
}

static const char *
judge_missing(struct duty *d, uint32_t when, const struct message *m,
    const struct envelope *e, const struct outcome *o)
{
	const struct message *b =
	    e->bounce == 0 ? NULL : message_of(d, e->bounce);
	unsigned i;

	if (m->ack > when || e->finish <= when || e->finished <= when)
		return NULL;
	/* Not answered yet: the bounce itself must be there instead. */
	for (i = 0; b != NULL && b->submit <= when && i < b->rcpts; i++)
		if (found(o, b->envelopes[i].evpid) != NULL)
			return NULL;
	return wrong(d, "acknowledged, not finished, and lost", e->evpid);
}

static const char *
judge_message(struct duty *d, uint32_t when, struct message *m,
    const struct outcome *o, unsigned *again)
{
	const struct found_envelope *f;
	const struct envelope *e;
	unsigned i, j, there = 0;
	const struct message *b;
	const char *why = NULL;

	for (i = 0; i < m->rcpts && why == NULL; i++) {
		e = &m->envelopes[i];
		if ((f = found(o, e->evpid)) == NULL) {
			why = judge_missing(d, when, m, e, o);
			continue;
		}
		there++;
		if (m->submit > when)
			return wrong(d, "found before it was sent", e->evpid);
		if (m->refused <= when)
			return wrong(d, "refused, and there", e->evpid);
		if (e->finished <= when)
			return wrong(
			    d, "finished for good, and back", e->evpid);
		if (e->finish <= when)
			(*again)++;
		b = e->bounce == 0 ? NULL : message_of(d, e->bounce);
		for (j = 0; b != NULL && j < b->rcpts; j++)
			if (found(o, b->envelopes[j].evpid) != NULL)
				return wrong(
				    d, "there, and bounced as well", e->evpid);
		why = judge_found(d, when, e, f);
		if (why == NULL)
			why = judge_covered(d, when, m, f, o);
	}
	if (why == NULL && m->ack > when && there != 0 && there != m->rcpts)
		return wrong(d, "half of a message", ident_evpid(m->msgid, 1));
	return why;
}

static const char *
judge_verbs(struct duty *d, uint32_t when, const struct outcome *o)
{
	const struct verb *v;
	unsigned i;
	bool there;

	for (i = 0; i < OUTCOME_BULKS; i++) {
		v = &d->verbs[i];
		there = o->bulks >> i & 1;
		if (!there && v->answered <= when && v->ended > when)
			return "a verb that was accepted is lost";
		if (there && v->asked > when)
			return "a verb that nobody gave";
		if (there && !v->all && o->bulk_ids[i] != v->ids)
			return "a verb for others than were named";
	}
	return NULL;
}

static const char *
judge_state(struct duty *d, uint32_t when, const struct outcome *o)
{
	uint64_t least = 0, most = 0;
	unsigned i;

	for (i = 0; i < d->state_count; i++) {
		if (d->states[i].answered <= when)
			least = d->states[i].generation;
		if (d->states[i].asked <= when)
			most = d->states[i].generation;
	}
	return o->state < least || o->state > most
	    ? "state/mark is not what was put there"
	    : NULL;
}

const char *
duty_judge(
    struct duty *d, uint32_t when, const struct outcome *o, unsigned *again)
{
	const char *why;
	uint32_t j;
	size_t i;

	if (o->complaint[0] != '\0')
		return o->complaint;
	for (i = 0; i < d->count; i++)
		if ((why = judge_message(d, when, &d->messages[i], o, again)) !=
		    NULL)
			return why;
	for (j = 0; j < o->n; j++)
		if (envelope_of(d, o->found[j].evpid) == NULL)
			return wrong(d, "nobody sent it", o->found[j].evpid);
	if ((why = judge_verbs(d, when, o)) != NULL)
		return why;
	return judge_state(d, when, o);
}

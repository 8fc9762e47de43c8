#include "tools/qtool/flock.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/mail/selector_envelope.h"
#include "tools/qtool/content.h"

/* One envelope, with copies of what was lent. */
struct member {
	struct view_envelope ve;
	char *text, *reason, *verb;
	struct sight s;
};

struct flock {
	struct view *view;
	int64_t now;
	bool offline, together;
	void (*judge)(void *arg, const struct sight *s,
	    const struct selector_subject *subject);
	void *arg;
	struct view_message message;
	char *reason, *codec; /* of message */
	struct member *members;
	size_t n, room;
	uint64_t open; /* the message that content is of; 0: none */
	struct content *content; /* NULL: not read, or not to be read */
	bool whole; /* with its body */
};

struct flock *
flock_new(struct view *v, int64_t now, bool offline, bool together,
    void (*judge)(void *arg, const struct sight *s,
	const struct selector_subject *subject),
    void *arg)
{
	struct flock *f = mem_zalloc(sizeof(*f));

	f->view = v;
	f->now = now;
	f->offline = offline;
	f->together = together;
	f->judge = judge;
	f->arg = arg;
	return f;
}

/* What a sight is asked through. */
struct asked {
	struct flock *f;
	const struct sight *s;
	struct selector_envelope x;
	struct selector_subject subject;
};

static bool
on_message(void *ctx, enum selector_field field, const char *header,
    struct selector_value *v)
{
	struct asked *a = ctx;
	struct flock *f = a->f;
	uint64_t msgid = ident_msgid(a->s->ve->evpid);
	bool body = field == SELECT_BODY;

	if (f->open != msgid || (body && !f->whole)) {
		content_free(f->content);
		f->content = content_open(f->view, msgid, !body);
		f->open = msgid;
		f->whole = body;
	}
	if (f->content == NULL)
		return false;
	if (body)
		v->text = content_body(f->content);
	else
		v->text = content_field(
		    f->content, field == SELECT_SUBJECT ? "Subject" : header);
	return v->text != NULL;
}

static void on_siblings(void *ctx,
    bool (*each)(void *arg, const struct selector_subject *s), void *arg);

static void
make_subject(struct asked *a, struct flock *f, const struct sight *s)
{
	const struct view_message *m = s->ve->message;

	memset(&a->x, 0, sizeof(a->x));
	a->f = f;
	a->s = s;
	a->x.envelope = &s->e;
	a->x.unread = !s->parsed;
	a->x.arrived = m->arrived;
	a->x.now = f->now;
	a->x.size = m->size;
	a->x.stored = m->stored;
	a->x.state = f->offline ? sight_shown_state(s, false) : s->state;
	a->x.comp = sight_comp(s);
	a->x.enc = sight_enc(s);
	a->x.kid = sight_kid(s);
	a->x.message = on_message;
	if (f->together)
		a->x.siblings = on_siblings;
	a->x.ctx = a;
	selector_envelope_subject(&a->x, &a->subject);
}

static void
on_siblings(void *ctx,
    bool (*each)(void *arg, const struct selector_subject *s), void *arg)
{
	struct asked *a = ctx, other;
	struct flock *f = a->f;
	size_t i;

	for (i = 0; i < f->n; i++) {
		if (f->members[i].s.removed)
			continue;
		make_subject(&other, f, &f->members[i].s);
		if (!each(arg, &other.subject))
			break;
	}
}

static void
judge(struct flock *f, const struct sight *s)
{
	struct asked a;

	make_subject(&a, f, s);
	f->judge(f->arg, s, &a.subject);
}

static char *
copy(const char *s)
{
	return s == NULL ? NULL : mem_strdup(s);
}

static void
keep_message(struct flock *f, const struct view_message *m)
{
	f->message = *m;
	f->message.reason = f->reason = copy(m->reason);
	f->message.codec = f->codec = copy(m->codec);
}

void
flock_add(struct flock *f, const struct view_envelope *ve)
{
	struct member *m;
	struct sight s;

	if (!f->together) {
		sight_read(&s, ve, f->now);
		judge(f, &s);
		sight_clear(&s);
		return;
	}
	if (f->n == f->room) {
		f->room = f->room == 0 ? 16 : f->room * 2;
		f->members = mem_rearray(f->members, f->room, sizeof(*m));
	}
	if (f->n == 0)
		keep_message(f, ve->message);
	m = &f->members[f->n++];
	memset(m, 0, sizeof(*m));
	m->ve = *ve;
	m->ve.reason = m->reason = copy(ve->reason);
	m->ve.verb = m->verb = copy(ve->verb);
	if (ve->text != NULL) {
		m->text = mem_zalloc(ve->len + 1);
		memcpy(m->text, ve->text, ve->len);
		m->ve.text = m->text;
	}
}

void
flock_flush(struct flock *f)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		f->members[i].ve.message = &f->message;
		sight_read(&f->members[i].s, &f->members[i].ve, f->now);
	}
	for (i = 0; i < f->n; i++)
		judge(f, &f->members[i].s);
	for (i = 0; i < f->n; i++) {
		sight_clear(&f->members[i].s);
		free(f->members[i].text);
		free(f->members[i].reason);
		free(f->members[i].verb);
	}
	free(f->reason);
	free(f->codec);
	f->reason = f->codec = NULL;
	f->n = 0;
}

void
flock_free(struct flock *f)
{
	if (f == NULL)
		return;
	flock_flush(f);
	content_free(f->content);
	free(f->members);
	free(f);
}

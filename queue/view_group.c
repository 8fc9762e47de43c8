#include "queue/view_group.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "queue/envfile.h"

/* One message with all that is known of it. */
struct group {
	struct view_bucket *b;
	uint64_t msgid;
	const struct view_entry *e; /* NULL: the journal knows nothing */
	struct view_item *m; /* NULL: no file */
	struct view_item *env; /* its envelopes' files */
	size_t n;
	struct view_message vm;
	char why[192];
	char *record; /* when it was needed */
	size_t record_len;
	bool record_tried;
};

static void
describe(struct group *g)
{
	struct view_message *vm = &g->vm;
	const struct message *m = NULL;

	vm->msgid = g->msgid;
	if (g->m != NULL)
		vm->file = g->m->file;
	if (g->e != NULL && g->e->put) {
		vm->where = g->e->where;
		vm->status = g->e->status;
		vm->reason = g->e->status == VIEW_WHOLE ? NULL : g->e->why;
		vm->stored = g->e->stored;
		memcpy(vm->kid, g->e->kid, sizeof(vm->kid));
		m = &g->e->m;
	} else if (g->m != NULL) {
		vm->where = VIEW_FILE;
		vm->status = vm->file.status;
		vm->reason = vm->file.reason;
		vm->stored = vm->file.stored;
		memcpy(vm->kid, g->m->kid, sizeof(vm->kid));
		if (g->m->m.msgid != 0)
			m = &g->m->m;
	} else if (g->b->dir == -1) {
		vm->status = VIEW_UNAVAILABLE;
		vm->reason = "its bucket cannot be read";
	} else {
		vm->status = VIEW_GONE;
		vm->reason = "there is no such message";
	}
	if (m == NULL)
		return;
	vm->codec = message_codec(m->codec);
	vm->arrived = m->arrived;
	vm->size = m->size;
	vm->record = m->record;
}

static const struct view_item *
file_of(const struct group *g, unsigned rcpt)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (ident_rcpt(g->env[i].id) == rcpt)
			return &g->env[i];
	return NULL;
}

/* The envelope's first form. */
static bool
rebuild(struct group *g, struct view_envelope *ve)
{
	char name[LAYOUT_NAME_MAX];
	struct codec_reader *r;
	size_t at, n;
	off_t size;
	int fd;

	if (!g->record_tried && g->m != NULL && g->m->odd == 0) {
		g->record_tried = true;
		fd = view_open_file(g->b->v, g->b->v->layout.root,
		    layout_message(name, g->msgid), &size);
		if (fd == -1)
			return false;
		r = codec_open(fd, 0, (uint64_t)size, g->b->v->keys);
		if (codec_verify(r) == CODEC_OK &&
		    codec_message(r)->msgid == g->msgid)
			g->record = view_codec_record(r, &g->record_len);
		codec_close(r);
		close(fd);
	}
	for (at = 0; g->record != NULL &&
	     (n = envfile_first(g->record + at, g->record_len - at)) > 0;
	     at += n) {
		if (envfile_id(g->record + at, n) != ve->evpid)
			continue;
		ve->where = VIEW_RECORD;
		ve->text = g->record + at;
		ve->len = n;
		ve->reason =
		    "cut short; this is its first form, from the record";
		return true;
	}
	return false;
}

static void
show_envelope(struct group *g, uint64_t evpid, const struct view_leaf *l,
    const struct view_item *i)
{
	struct view_envelope ve = { .evpid = evpid, .message = &g->vm };

	if (g->b->to->envelope == NULL)
		return;
	if (i != NULL) {
		ve.file = i->file;
		memcpy(ve.kid, i->kid, sizeof(ve.kid));
	}
	if (l != NULL) {
		ve.where = VIEW_JOURNAL;
		ve.status = l->status;
		ve.reason = l->reason;
		ve.text = l->text;
		ve.len = l->len;
		memcpy(ve.kid, l->kid, sizeof(ve.kid));
	} else {
		ve.where = VIEW_FILE;
		ve.status = i->file.status;
		ve.reason = i->file.reason;
		if (i->len > 0) {
			ve.text = g->b->text + i->at;
			ve.len = i->len;
		}
		if (ve.status == VIEW_TORN)
			(void)rebuild(g, &ve);
	}
	ve.verb = view_journal_verb(g->b->v, evpid, g->e);
	g->b->to->envelope(g->b->part, &ve);
}

/* The live ones: those of the journal and of files, in their order. */
static void
show_envelopes(struct group *g)
{
	const struct view_leaf *l = g->e == NULL ? NULL : g->e->leaf;
	const struct view_leaf *end = l == NULL ? NULL : l + g->e->leaves;
	const struct view_item *i = g->env, *last = g->env + g->n;
	uint64_t evpid;

	while (l < end || i < last) {
		if (i == last || (l < end && l->rcpt < ident_rcpt(i->id))) {
			evpid = ident_evpid(g->msgid, l->rcpt);
			if (!l->done && view_bucket_asked(g->b, evpid) &&
			    (g->vm.status != VIEW_GONE))
				show_envelope(g, evpid, l, NULL);
			l++;
		} else if (l < end && l->rcpt == ident_rcpt(i->id)) {
			if (!l->done)
				show_envelope(g, i->id, l, i);
			l++;
			i++;
		} else {
			if (i->file.there)
				show_envelope(g, i->id, NULL, i);
			i++;
		}
	}
}

static unsigned
count_live(const struct group *g)
{
	const struct view_leaf *l;
	unsigned i, n = 0;
	size_t k;

	for (i = 0; g->e != NULL && i < g->e->leaves; i++) {
		l = &g->e->leaf[i];
		n += !l->done &&
		    (g->vm.status != VIEW_GONE || file_of(g, l->rcpt) != NULL);
	}
	for (k = 0; k < g->n; k++)
		n += g->env[k].file.there &&
		    (g->e == NULL ||
			view_entry_leaf(g->e, ident_rcpt(g->env[k].id)) ==
			    NULL);
	return n;
}

static void
show_orphans(struct group *g)
{
	size_t k;

	for (k = 0; k < g->n; k++)
		if (view_bucket_still(g->b, g->env[k].id, g->env[k].id))
			view_bucket_odd(g->b, VIEW_ODD_ENVELOPE, NULL,
			    "an envelope without its message", g->env[k].id);
}

/* The journal holds it, and its recipients cannot be known. */
static void
show_unknown(struct group *g)
{
	struct view_bucket *b = g->b;
	struct view_envelope ve = { .evpid = ident_evpid(g->msgid, 0),
		.message = &g->vm,
		.where = VIEW_JOURNAL,
		.status = g->vm.status,
		.reason = g->vm.reason };

	memcpy(ve.kid, g->vm.kid, sizeof(ve.kid));
	ve.verb = view_journal_verb(b->v, ve.evpid, g->e);
	if (b->to->message != NULL)
		b->to->message(b->part, &g->vm);
	if (b->to->envelope != NULL)
		b->to->envelope(b->part, &ve);
}

/* Whether its message and its envelopes are no longer one without the other. */
static bool
came_or_went(const struct group *g, bool orphan)
{
	uint64_t message = ident_evpid(g->msgid, 0);
	struct view_bucket *b = g->b;
	bool m, e;

	do {
		m = view_bucket_still(b, message, message);
		e = view_bucket_still(b, message | 1, message | IDENT_RCPT_MAX);
		if (orphan ? !m || e : m || !e)
			return true;
	} while (view_bucket_moves(b));
	return false;
}

static void
show_group(struct group *g)
{
	uint64_t message = ident_evpid(g->msgid, 0);
	struct view_bucket *b = g->b;
	bool orphan;

	if (g->m != NULL && !g->m->file.there)
		g->m = NULL;
	describe(g);
	g->vm.envelopes = count_live(g);
	if (g->vm.envelopes == 0 && g->e != NULL && g->e->put &&
	    g->vm.status != VIEW_WHOLE && g->e->leaves == 0) {
		show_unknown(g);
		return;
	}
	if (g->vm.envelopes == 0 && (g->e != NULL || g->m == NULL))
		return; /* finished; what is left of its files will go */
	orphan = g->vm.envelopes == 0 && b->range->lo <= (message | 1) &&
	    b->range->hi >= (message | IDENT_RCPT_MAX);
	if ((g->vm.status == VIEW_GONE || orphan) && came_or_went(g, orphan))
		return;
	if (b->to->message != NULL)
		b->to->message(b->part, &g->vm);
	show_envelopes(g);
	if (orphan)
		view_bucket_odd(b, VIEW_ODD_MESSAGE, NULL,
		    "a message without any envelope", message);
	if (g->vm.status == VIEW_GONE)
		show_orphans(g);
}

/* Files and the journal, both by msgid, become one row of groups. */
void
view_group_show(struct view_bucket *b)
{
	struct view_entry *const *e = b->v->in[b->number];
	struct view_entry *const *last =
	    e == NULL ? e : e + b->v->count[b->number];
	struct view_item *i = b->items, *end = b->items + b->count;
	uint64_t msgid;

	while (i < end || e < last) {
		struct group g = { .b = b };

		msgid = i < end ? ident_msgid(i->id) : UINT64_MAX;
		if (e < last && (*e)->msgid < msgid)
			msgid = (*e)->msgid;
		g.msgid = msgid;
		if (e < last && (*e)->msgid == msgid)
			g.e = *e++;
		if (i < end && i->id == ident_evpid(msgid, 0))
			g.m = i++;
		g.env = i;
		while (i < end && ident_msgid(i->id) == msgid)
			i++;
		g.n = (size_t)(i - g.env);
		if (view_bucket_asked(b, ident_evpid(msgid, 0)))
			show_group(&g);
		free(g.record);
	}
}

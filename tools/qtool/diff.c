/*
 * diff - what differs between two spools
 *
 * Clear texts are compared, so the same mail in another form is the same mail.
 * Envelopes are matched by id; then each message that both have is read in
 * both, unless their heads hold the same digest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/cli/progress.h"
#include "lib/proto/record.h"
#include "queue/codec.h"
#include "tools/qtool/commands.h"
#include "tools/qtool/sight.h"

#define CHUNK 65536u
#define ROW_MAX (4 * ENVELOPE_TEXT_MAX)

/* One envelope of a spool. */
struct one {
	uint64_t evpid;
	char *rcpt; /* "" where it is not known */
	uint8_t digest[MESSAGE_DIGEST]; /* of its text */
	bool readable;
};

struct side {
	struct qtool *t;
	const char *path;
	struct view *view;
	struct one *all;
	size_t n, room;
};

struct diff {
	struct qtool *t;
	struct side a, b;
	bool quick;
	uint64_t differ, unknown;
};

struct part {
	struct side *s;
	struct one *all;
	size_t n, room;
	struct message_hash *hash;
};

static void *
begin(void *ctx, unsigned bucket)
{
	struct part *p = mem_zalloc(sizeof(*p));

	(void)bucket;
	p->s = ctx;
	p->hash = message_hash_new();
	return p;
}

static void
on_envelope(void *part, const struct view_envelope *ve)
{
	struct part *p = part;
	struct sight s;
	struct one *o;

	sight_read(&s, ve, p->s->t->now);
	if (!s.removed) {
		if (p->n == p->room) {
			p->room = p->room == 0 ? 256 : p->room * 2;
			p->all = mem_rearray(p->all, p->room, sizeof(*o));
		}
		o = &p->all[p->n++];
		memset(o, 0, sizeof(*o));
		o->evpid = ve->evpid;
		o->rcpt =
		    mem_strdup(s.e.recipient != NULL ? s.e.recipient : "");
		o->readable = ve->text != NULL;
		if (o->readable) {
			message_hash_add(p->hash, ve->text, ve->len);
			message_hash_end(p->hash, o->digest);
		}
	}
	sight_clear(&s);
}

static bool
end(void *ctx, void *part)
{
	struct side *s = ctx;
	struct part *p = part;

	if (p->n > 0) {
		s->all = mem_rearray(s->all, s->n + p->n, sizeof(*s->all));
		memcpy(s->all + s->n, p->all, p->n * sizeof(*s->all));
		s->n += p->n;
	}
	free(p->all);
	message_hash_free(p->hash);
	free(p);
	return true;
}

static int
open_side(struct diff *d, struct side *s, const char *path)
{
	const struct view_visitor to = {
		.begin = begin, .envelope = on_envelope, .end = end, .ctx = s
	};
	const struct view_options o = {
		.path = path, .keys = d->t->keys, .jobs = d->t->o.jobs
	};
	char err[512];

	s->t = d->t;
	s->path = path;
	s->view = view_open(&o, err, sizeof(err));
	if (s->view == NULL)
		return qtool_fail(d->t, EXIT_NOINPUT, "%s", err);
	(void)view_walk(s->view, &to, VIEW_TEXTS);
	return EXIT_DONE;
}

static void
close_side(struct side *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->all[i].rcpt);
	free(s->all);
	view_close(s->view);
}

/* sign: what a line begins with. */
static void
say(struct diff *d, char sign, const char *id, const char *rcpt,
    const char *what)
{
	char clean[2048];
	struct buf *b;

	if (d->t->o.quiet)
		return;
	if (!d->t->o.json) {
		printf("%c %-16s %s%s%s\n", sign, id,
		    text_printable(clean, sizeof(clean), rcpt),
		    rcpt[0] != '\0' && what[0] != '\0' ? ": " : "", what);
		return;
	}
	b = buf_new(ROW_MAX);
	record_begin(b, "difference");
	record_str(b, "id", id);
	record_str(b, "side",
	    sign == '-'       ? "first"
		: sign == '+' ? "second"
			      : "both");
	if (rcpt[0] != '\0')
		record_str(b, "rcpt", rcpt);
	if (what[0] != '\0')
		record_str(b, "what", what);
	(void)out_record(d->t->out, buf_data(b), buf_len(b));
	buf_free(b);
}

static void
keep_text(void *part, const struct view_envelope *ve)
{
	char **text = part;

	if (ve->text != NULL && *text == NULL)
		*text = mem_strndup(ve->text, ve->len);
}

static char *
text_of(struct side *s, uint64_t evpid)
{
	char *text = NULL;
	const struct view_visitor to = { .envelope = keep_text, .ctx = &text };

	view_find(s->view, evpid, evpid, &to, VIEW_TEXTS);
	return text;
}

static bool
has_line(const char *text, const char *line, size_t len)
{
	const char *at;

	for (at = text; *at != '\0'; at += strcspn(at, "\n") + 1)
		if (strncmp(at, line, len) == 0 && at[len] == '\n')
			return true;
	return false;
}

/* The lines of text that other lacks; the check always differs. */
static void
show_lines(char sign, const char *text, const char *other)
{
	char line[2048], clean[4096];
	size_t len;

	for (; *text != '\0'; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (strncmp(text, "check:", 6) == 0 ||
		    has_line(other, text, len))
			continue;
		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		printf("  %c %s\n", sign,
		    text_printable(clean, sizeof(clean), line));
	}
}

static void
differs(struct diff *d, const struct one *x)
{
	char *one = text_of(&d->a, x->evpid), *two = text_of(&d->b, x->evpid);
	char id[IDENT_TEXT_MAX];

	d->differ++;
	say(d, '~', ident_evpid_text(id, x->evpid), x->rcpt,
	    "its text differs");
	if (one != NULL && two != NULL && !d->t->o.quiet && !d->t->o.json) {
		show_lines('-', one, two);
		show_lines('+', two, one);
	}
	free(one);
	free(two);
}

static bool
same_octets(struct view_stream *x, struct view_stream *y, const char **why)
{
	char *one = mem_zalloc(2 * CHUNK), *two = one + CHUNK, *rx, *ry;
	size_t lx = 0, ly = 0;
	bool same;
	ssize_t n, m;

	rx = view_stream_record(x, &lx);
	ry = view_stream_record(y, &ly);
	same = rx != NULL && ry != NULL && lx == ly && memcmp(rx, ry, lx) == 0;
	*why = same ? "its octets differ" : "its record differs";
	free(rx);
	free(ry);
	while (same) {
		n = view_stream_read(x, one, CHUNK);
		m = view_stream_read(y, two, CHUNK);
		if (n == -1 || m == -1) {
			*why = view_stream_why(n == -1 ? x : y);
			same = false;
		} else if (n != m || memcmp(one, two, (size_t)n) != 0) {
			same = false;
		} else if (n == 0) {
			break;
		}
	}
	free(one);
	return same;
}

/* The digest of its head; NULL: it has none. */
static const uint8_t *
digest_of(struct view_stream *s)
{
	const struct message *m = codec_message(view_stream_codec(s));

	return (m->codec & MESSAGE_SEALED) != 0 ? NULL : m->digest;
}

static void
compare_message(struct diff *d, uint64_t msgid)
{
	struct view_message m, n;
	struct view_stream *x = view_stream_open(d->a.view, msgid, &m);
	struct view_stream *y = view_stream_open(d->b.view, msgid, &n);
	char id[IDENT_TEXT_MAX], what[320] = "";
	const char *why = NULL;

	ident_msgid_text(id, msgid);
	if (x == NULL || y == NULL) {
		if (m.status == VIEW_LOCKED || n.status == VIEW_LOCKED) {
			d->unknown++;
		} else {
			d->differ++;
			snprintf(what, sizeof(what), "the message: %s in %s",
			    x == NULL ? m.reason : n.reason,
			    x == NULL ? d->a.path : d->b.path);
			say(d, '~', id, "", what);
		}
	} else if (m.size != n.size || m.arrived != n.arrived) {
		why = m.size != n.size ? "its size differs"
				       : "its arrival differs";
	} else if (digest_of(x) == NULL || digest_of(y) == NULL ||
	    memcmp(digest_of(x), digest_of(y), MESSAGE_DIGEST) != 0) {
		if (!same_octets(x, y, &why)) {
			snprintf(what, sizeof(what), "the message: %s", why);
			why = what;
		} else {
			why = NULL;
		}
	}
	if (why != NULL) {
		d->differ++;
		say(d, '~', id, "", why);
	}
	view_stream_close(x);
	view_stream_close(y);
}

/* Both sides in the order of ids. */
static void
compare(struct diff *d, struct progress *bar)
{
	struct one *a = d->a.all, *b = d->b.all;
	struct one *ea = a + d->a.n, *eb = b + d->b.n;
	char id[IDENT_TEXT_MAX];
	uint64_t msgid = 0;

	while (a < ea || b < eb) {
		if (b == eb || (a < ea && a->evpid < b->evpid)) {
			d->differ++;
			say(d, '-', ident_evpid_text(id, a->evpid), a->rcpt,
			    "");
			a++;
		} else if (a == ea || b->evpid < a->evpid) {
			d->differ++;
			say(d, '+', ident_evpid_text(id, b->evpid), b->rcpt,
			    "");
			b++;
		} else {
			if (!a->readable || !b->readable)
				d->unknown++;
			else if (memcmp(a->digest, b->digest,
				     sizeof(a->digest)) != 0)
				differs(d, a);
			if (ident_msgid(a->evpid) != msgid && !d->quick)
				compare_message(d, ident_msgid(a->evpid));
			msgid = ident_msgid(a->evpid);
			a++;
			b++;
		}
		progress_add(bar, 1, 0);
	}
}

enum {
	OPT_QUICK = QTOOL_OPTION_FIRST
};

static const struct option longs[] = {
	{ "quick", no_argument, NULL, OPT_QUICK },
	{ NULL, 0, NULL, 0 },
};

int
diff_run(struct qtool *t, int argc, char *argv[])
{
	struct diff d = { .t = t };
	struct progress *bar;
	int opt, code;

	while ((opt = qtool_getopt(t, argc, argv, "", longs)) != -1) {
		if (opt != OPT_QUICK)
			return EXIT_USAGE;
		d.quick = true;
	}
	code = qtool_keys(t);
	if (code == EXIT_DONE)
		code = open_side(&d, &d.a, argv[optind]);
	if (code == EXIT_DONE)
		code = open_side(&d, &d.b, argv[optind + 1]);
	if (code != EXIT_DONE)
		goto out;
	qtool_begin(t, OUT_LIST);
	bar = progress_new(
	    stderr, "diff", d.a.n > d.b.n ? d.a.n : d.b.n, !t->o.quiet);
	compare(&d, bar);
	progress_free(bar);
	code = d.differ > 0 ? EXIT_NOMATCH
	    : d.unknown > 0 ? EXIT_PARTIAL
			    : EXIT_DONE;
	if (t->o.json)
		(void)qtool_end(t, code, d.differ, d.unknown, "");
	if (d.unknown > 0)
		qtool_note(t,
		    "%llu could not be compared: a key is not at hand",
		    (unsigned long long)d.unknown);
out:
	close_side(&d.a);
	close_side(&d.b);
	return code;
}

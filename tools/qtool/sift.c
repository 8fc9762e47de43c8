#include "tools/qtool/sift.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/cli/progress.h"
#include "lib/mail/selector.h"
#include "tools/qtool/flock.h"

#define PREFIX_MIN 6
#define IDS_APART 200 /* more than these: one walk over all */
#define LINE_LEN 4096

/* In rising order, one that holds others before them. */
struct named {
	uint64_t lo, hi; /* evpids */
	char *text; /* as it was given; NULL: from the selector */
	size_t within; /* the place, counted from 1, of what holds it; 0 */
	_Atomic bool found;
};

struct sift {
	struct qtool *t;
	struct buf *text; /* of the selector, so far */
	struct buf *shown; /* as it was understood */
	struct selector *selector; /* NULL: all */
	struct named *ids;
	size_t n;
	bool given_ids; /* by the caller, not by the selector */
	bool explain, offline;
	const struct sift_visitor *to;
	bool bar_wanted;
	struct progress *bar;
};

struct part {
	struct sift *f;
	void *inner;
	struct flock *flock; /* NULL: each envelope by itself */
	struct sift_sums sums;
};

struct sift *
sift_new(struct qtool *t)
{
	struct sift *f = mem_zalloc(sizeof(*f));

	f->t = t;
	f->text = buf_new(2 * SELECTOR_TEXT_MAX);
	f->shown = buf_new(8 * SELECTOR_TEXT_MAX);
	return f;
}

void
sift_free(struct sift *f)
{
	size_t i;

	if (f == NULL)
		return;
	for (i = 0; i < f->n; i++)
		free(f->ids[i].text);
	free(f->ids);
	f->t->selector = NULL;
	buf_free(f->text);
	buf_free(f->shown);
	selector_free(f->selector);
	free(f);
}

static int
complain(struct sift *f, const char *text, const struct selector_error *e)
{
	struct buf *b = buf_new(4 * SELECTOR_TEXT_MAX);
	int code;

	if (f->t->o.json) {
		code = qtool_fail(f->t, EXIT_USAGE, "%s: %s", text, e->text);
	} else {
		selector_complain(text, e, b);
		fflush(stdout);
		fprintf(stderr, "qtool: EX_USAGE: %s%s", buf_text(b),
		    buf_len(b) > 0 && buf_text(b)[buf_len(b) - 1] == '\n'
			? ""
			: "\n");
		code = EXIT_USAGE;
	}
	buf_free(b);
	return code;
}

int
sift_option(struct sift *f, int opt)
{
	struct selector_error e;

	if (opt == SIFT_EXPLAIN) {
		f->explain = true;
		return 1;
	}
	if (opt >= 256 || strchr("froyeSRw", opt) == NULL)
		return 0;
	if (selector_sugar((char)opt, optarg, f->text, &e) == 0)
		return 1;
	(void)complain(f, optarg, &e);
	return -1;
}

static void
add_id(struct sift *f, uint64_t lo, uint64_t hi, const char *text)
{
	f->ids = mem_rearray(f->ids, f->n + 1, sizeof(*f->ids));
	memset(&f->ids[f->n], 0, sizeof(*f->ids));
	f->ids[f->n].lo = lo;
	f->ids[f->n].hi = hi;
	if (text != NULL)
		f->ids[f->n].text = mem_strdup(text);
	f->n++;
}

/* An id, or its beginning. */
static bool
take_id(struct sift *f, const char *text)
{
	size_t len = strlen(text);
	unsigned open;
	uint64_t id;

	if (len < PREFIX_MIN || len > IDENT_EVPID_DIGITS ||
	    strspn(text, "0123456789abcdef") != len)
		return false;
	open = (unsigned)(IDENT_EVPID_DIGITS - len) * 4;
	id = strtoull(text, NULL, 16) << open;
	add_id(f, id, open == 0 ? id : id | ((UINT64_C(1) << open) - 1), text);
	f->given_ids = true;
	return true;
}

/* NUL or newline between them. */
static int
read_ids(struct sift *f)
{
	char line[LINE_LEN];
	size_t n = 0;
	int c;

	f->given_ids = true;
	do {
		c = getchar();
		if (c != EOF && c != '\n' && c != '\0') {
			if (n < sizeof(line) - 1)
				line[n++] = (char)c;
			continue;
		}
		line[n] = '\0';
		line[strcspn(line, " \t\r")] = '\0';
		n = 0;
		if (line[0] != '\0' && !take_id(f, line))
			return qtool_fail(f->t, EXIT_USAGE,
			    "'%.64s' from standard input is no id", line);
	} while (c != EOF);
	return EXIT_DONE;
}

static int
parse(struct sift *f)
{
	struct selector_error e;
	const uint64_t *ids;
	size_t i, n;

	if (buf_len(f->text) == 0)
		return EXIT_DONE;
	f->selector = selector_parse(buf_text(f->text), f->t->now, &e);
	if (f->selector == NULL)
		return complain(f, buf_text(f->text), &e);
	selector_print(f->selector, f->shown);
	f->t->selector = buf_text(f->shown);
	f->offline = selector_has_word(f->selector, SELECT_STATE, "offline") ||
	    selector_has_word(f->selector, SELECT_MSG_STATE, "offline");
	n = f->n > 0 ? 0 : selector_ids(f->selector, &ids);
	for (i = 0; i < n; i++)
		add_id(f, ids[i],
		    ident_rcpt(ids[i]) == 0 ? ids[i] | IDENT_RCPT_MAX : ids[i],
		    NULL);
	return EXIT_DONE;
}

static int
by_range(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	return x->hi > y->hi ? -1 : x->hi < y->hi;
}

/* Ids and their beginnings hold each other, or have nothing in common. */
static void
sort_ids(struct sift *f)
{
	size_t i, at = 0;

	if (f->n > 1)
		qsort(f->ids, f->n, sizeof(*f->ids), by_range);
	for (i = 0; i < f->n; i++) {
		while (at > 0 && f->ids[at - 1].hi < f->ids[i].lo)
			at = f->ids[at - 1].within;
		f->ids[i].within = at;
		at = i + 1;
	}
}

/* Whether what is there so far could be all: "tries =" could not. */
static bool
is_whole(const struct sift *f, const char *text)
{
	struct selector_error e;
	struct selector *s = selector_parse(text, f->t->now, &e);

	selector_free(s);
	return s != NULL;
}

/* The words of a selector, which need not be one argument. */
static int
take_words(struct sift *f, int argc, char *argv[])
{
	struct buf *b = buf_new(SELECTOR_TEXT_MAX);
	int i, code = EXIT_DONE;

	for (i = 0; i < argc && code == EXIT_DONE; i++) {
		if (strcmp(argv[i], "-") == 0) {
			code = read_ids(f);
			continue;
		}
		/* A number behind an operator is no id. */
		if ((buf_len(b) == 0 || is_whole(f, buf_text(b))) &&
		    take_id(f, argv[i]))
			continue;
		if ((buf_len(b) > 0 && buf_puts(b, " ") == -1) ||
		    buf_puts(b, argv[i]) == -1)
			code = qtool_fail(
			    f->t, EXIT_USAGE, "the selector is too long");
	}
	if (code == EXIT_DONE && buf_len(b) > 0 &&
	    buf_putf(f->text, buf_len(f->text) > 0 ? " && (%s)" : "%s",
		buf_text(b)) == -1)
		code = qtool_fail(f->t, EXIT_USAGE, "the selector is too long");
	buf_free(b);
	return code;
}

int
sift_arguments(struct sift *f, int argc, char *argv[], bool must)
{
	int code;

	if (f->explain)
		f->t->o.jobs = 1; /* or some would not be counted */
	code = take_words(f, argc, argv);
	if (code == EXIT_DONE && must && buf_len(f->text) == 0 && !f->given_ids)
		code = qtool_fail(f->t, EXIT_USAGE,
		    "which? name ids or a selector; the word all names all");
	if (code == EXIT_DONE)
		code = parse(f);
	sort_ids(f);
	return code;
}

void
sift_bar(struct sift *f)
{
	f->bar_wanted = true;
}

bool
sift_explains(const struct sift *f)
{
	return f->explain;
}

bool
sift_is_all(const struct sift *f)
{
	return !f->given_ids && f->n == 0 &&
	    (f->selector == NULL || selector_is_all(f->selector));
}

/* Whether it is one of those ids, each of which must name something. */
static bool
is_named(struct sift *f, uint64_t evpid)
{
	size_t lo = 0, hi = f->n, mid;
	bool named = false;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (f->ids[mid].lo <= evpid)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo > 0; lo = f->ids[lo - 1].within)
		if (evpid <= f->ids[lo - 1].hi) {
			f->ids[lo - 1].found = true;
			named = true;
		}
	return named;
}

static void
judge(void *arg, const struct sight *s, const struct selector_subject *subject)
{
	struct part *p = arg;
	struct sift *f = p->f;

	if (s->removed)
		return;
	if (f->given_ids && !is_named(f, s->ve->evpid))
		return;
	p->sums.seen++;
	if (f->selector != NULL && !selector_is_all(f->selector) &&
	    !selector_match(f->selector, subject))
		return;
	p->sums.matched++;
	if (strcmp(s->state, "locked") == 0) {
		p->sums.locked++;
		memcpy(p->sums.kid, sight_kid(s), sizeof(p->sums.kid));
	}
	f->to->sight(p->inner, s);
}

static void *
begin(void *ctx, unsigned bucket)
{
	struct sift *f = ctx;
	struct part *p = mem_zalloc(sizeof(*p));

	(void)bucket;
	p->f = f;
	p->inner = f->to->begin(f->to->ctx);
	p->flock = flock_new(f->t->view, f->t->now, f->offline && !f->t->busy,
	    f->selector != NULL && selector_needs_siblings(f->selector), judge,
	    p);
	return p;
}

static void
on_message(void *part, const struct view_message *m)
{
	struct part *p = part;

	(void)m;
	flock_flush(p->flock);
}

static void
on_envelope(void *part, const struct view_envelope *ve)
{
	struct part *p = part;

	flock_add(p->flock, ve);
}

struct walk {
	struct sift *f;
	struct sift_sums *sums;
};

static bool
end(void *ctx, void *part)
{
	struct walk *w = ctx;
	struct part *p = part;
	bool more;

	flock_free(p->flock);
	w->sums->seen += p->sums.seen;
	w->sums->matched += p->sums.matched;
	w->sums->locked += p->sums.locked;
	if (p->sums.kid[0] != '\0')
		memcpy(w->sums->kid, p->sums.kid, sizeof(w->sums->kid));
	progress_add(w->f->bar, p->sums.seen, 0);
	more = w->f->to->end(w->f->to->ctx, p->inner);
	free(p);
	return more;
}

static void *
walk_begin(void *ctx, unsigned bucket)
{
	struct walk *w = ctx;

	return begin(w->f, bucket);
}

/* What the selector needs to be read. */
static unsigned
needs(const struct sift *f)
{
	static const enum selector_field of_heads[] = { SELECT_STATE,
		SELECT_HELD, SELECT_PAUSED, SELECT_SIZE, SELECT_STORED,
		SELECT_ENC, SELECT_COMP, SELECT_KID, SELECT_MSG_SIZE,
		SELECT_MSG_STATE };
	size_t i;

	if (f->selector == NULL || selector_is_all(f->selector))
		return 0;
	for (i = 0; i < sizeof(of_heads) / sizeof(of_heads[0]); i++)
		if (selector_uses(f->selector, of_heads[i]))
			return VIEW_TEXTS | VIEW_HEADS;
	return VIEW_TEXTS;
}

static int
found_all(const struct sift *f)
{
	size_t i;

	for (i = 0; f->given_ids && i < f->n; i++)
		if (!f->ids[i].found)
			return qtool_fail(f->t, EXIT_NOINPUT, "no envelope %s",
			    f->ids[i].text);
	return EXIT_DONE;
}

/* Reads what the ids name, nothing twice; whole messages when a test is about
 * all their envelopes. */
static void
find(struct sift *f, const struct view_visitor *visitor, unsigned want)
{
	bool whole =
	    f->selector != NULL && selector_needs_siblings(f->selector);
	uint64_t lo, hi, done = 0;
	size_t i;

	for (i = 0; i < f->n; i++) {
		lo = f->ids[i].lo;
		hi = f->ids[i].hi;
		if (whole) {
			lo &= ~(uint64_t)IDENT_RCPT_MAX;
			hi |= IDENT_RCPT_MAX;
		}
		if (hi > done)
			view_find(f->t->view, lo, hi, visitor, want);
		if (hi > done)
			done = hi;
	}
}

int
sift_walk(struct sift *f, const struct sift_visitor *to, unsigned want,
    struct sift_sums *sums)
{
	struct walk w = { f, sums };
	const struct view_visitor visitor = { .begin = walk_begin,
		.message = on_message,
		.envelope = on_envelope,
		.end = end,
		.ctx = &w };

	memset(sums, 0, sizeof(*sums));
	f->to = to;
	f->bar = progress_new(
	    stderr, f->t->command->words, 0, f->bar_wanted && !f->t->o.quiet);
	want |= needs(f);
	if (f->n > IDS_APART || (f->n == 0 && !f->given_ids))
		(void)view_walk(f->t->view, &visitor, want);
	else
		find(f, &visitor, want);
	progress_free(f->bar);
	f->bar = NULL;
	if (sums->locked > 0)
		qtool_note(f->t,
		    "%llu %s locked: the key %s is not at hand (--keyring)",
		    (unsigned long long)sums->locked,
		    sums->locked == 1 ? "envelope is" : "envelopes are",
		    sums->kid);
	return found_all(f);
}

void
sift_explain(struct sift *f, const struct sift_sums *sums)
{
	struct buf *b = buf_new(16 * SELECTOR_TEXT_MAX);

	if (f->selector != NULL)
		selector_explain(f->selector, b);
	fwrite(buf_data(b), 1, buf_len(b), stdout);
	printf("%llu of %llu envelopes match; %s\n",
	    (unsigned long long)sums->matched, (unsigned long long)sums->seen,
	    (needs(f) & VIEW_HEADS) != 0 ? "envelopes and heads were read"
		: needs(f) != 0          ? "envelopes were read"
					 : "nothing had to be read");
	buf_free(b);
}

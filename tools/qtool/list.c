/*
 * list - envelopes, a line each
 *
 * Threads make records bucket by bucket; they are printed as they come, in the
 * order of ids, unless another order is asked for: then all are kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "tools/qtool/commands.h"
#include "tools/qtool/rows.h"
#include "tools/qtool/sift.h"

enum shape {
	SHAPE_ROWS,
	SHAPE_IDS,
	SHAPE_COUNT
};

struct list {
	struct qtool *t;
	enum shape shape;
	char separator; /* behind ids */
	uint64_t most; /* rows; UINT64_MAX: all */
	uint64_t shown;
	struct rows *rows;
};

struct part {
	struct list *l;
	struct rows_part *rows;
	uint64_t *ids;
	size_t n, room;
};

static void *
begin(void *ctx)
{
	struct part *p = mem_zalloc(sizeof(*p));

	p->l = ctx;
	if (p->l->shape == SHAPE_ROWS)
		p->rows = rows_part_new();
	return p;
}

static void
on_sight(void *part, const struct sight *s)
{
	struct part *p = part;

	switch (p->l->shape) {
	case SHAPE_ROWS:
		rows_part_add(p->rows, s, p->l->t->busy);
		break;
	case SHAPE_IDS:
		if (p->n == p->room) {
			p->room = p->room == 0 ? 256 : p->room * 2;
			p->ids = mem_rearray(p->ids, p->room, sizeof(*p->ids));
		}
		p->ids[p->n++] = s->ve->evpid;
		break;
	case SHAPE_COUNT:
		break;
	}
}

static bool
end(void *ctx, void *part)
{
	struct list *l = ctx;
	struct part *p = part;
	char id[IDENT_TEXT_MAX];
	size_t i;

	if (p->rows != NULL)
		l->shown += rows_add(l->rows, p->rows, l->most - l->shown);
	for (i = 0; i < p->n && l->shown < l->most; i++, l->shown++) {
		fputs(ident_evpid_text(id, p->ids[i]), stdout);
		putchar(l->separator);
	}
	free(p->ids);
	free(p);
	return ferror(stdout) == 0 && l->shown < l->most;
}

enum {
	OPT_SORT = QTOOL_OPTION_FIRST,
	OPT_FIELDS,
	OPT_COUNT,
	OPT_WIDE
};

static const struct option longs[] = {
	{ "sort", required_argument, NULL, OPT_SORT },
	{ "fields", required_argument, NULL, OPT_FIELDS },
	{ "ids", no_argument, NULL, 'i' },
	{ "count", no_argument, NULL, OPT_COUNT },
	{ "wide", no_argument, NULL, OPT_WIDE },
	SIFT_LONGS,
	{ NULL, 0, NULL, 0 },
};

struct asked {
	const char *sort, *fields;
	bool wide;
};

/* 0, or an exit code. */
static int
take_option(struct list *l, struct sift *f, int opt, struct asked *a)
{
	switch (opt) {
	case 'i':
		l->shape = SHAPE_IDS;
		return 0;
	case '0':
		l->shape = SHAPE_IDS;
		l->separator = '\0';
		return 0;
	case 'n':
		if (text_number(optarg, UINT64_MAX >> 1, &l->most))
			return 0;
		return qtool_fail(l->t, EXIT_USAGE, "-n takes a number");
	case OPT_COUNT:
		l->shape = SHAPE_COUNT;
		return 0;
	case OPT_SORT:
		a->sort = optarg;
		return 0;
	case OPT_FIELDS:
		a->fields = optarg;
		return 0;
	case OPT_WIDE:
		a->wide = true;
		return 0;
	default:
		return opt != '?' && sift_option(f, opt) == 1 ? 0 : EXIT_USAGE;
	}
}

static int
finish(struct list *l, struct sift *f, const struct sift_sums *sums, int code)
{
	struct qtool *t = l->t;
	uint64_t matched;

	if (sift_explains(f)) {
		sift_explain(f, sums);
		return code;
	}
	if (l->shape == SHAPE_COUNT && !t->o.json)
		printf("%llu\n", (unsigned long long)sums->matched);
	if (l->shape == SHAPE_ROWS)
		rows_show(l->rows, l->most);
	if (code != EXIT_DONE)
		return code; /* with its object, which ended the stream */
	matched = l->shown == l->most ? l->shown : sums->matched;
	if (l->shape == SHAPE_ROWS || t->o.json)
		(void)qtool_end(t, EXIT_DONE, t->o.json ? matched : 0, 0, "");
	return EXIT_DONE;
}

int
list_run(struct qtool *t, int argc, char *argv[])
{
	struct list l = { .t = t, .separator = '\n', .most = UINT64_MAX };
	const struct sift_visitor to = { begin, on_sight, end, &l };
	struct sift *f = sift_new(t);
	struct asked a = { .sort = NULL };
	struct sift_sums sums;
	int opt, code = 0;

	while (code == 0 &&
	    (opt = qtool_getopt(t, argc, argv, SIFT_LETTERS "in:0", longs)) !=
		-1)
		code = take_option(&l, f, opt, &a);
	if (code == 0)
		code = sift_arguments(f, argc - optind, argv + optind, false);
	if (code == 0)
		code = qtool_open(t);
	if (code != 0)
		goto out;
	if (sift_explains(f))
		l.shape = SHAPE_COUNT;
	l.rows = rows_new(t, a.sort, a.fields, a.wide, &code);
	if (l.rows == NULL)
		goto out;
	/* Not between rows that go to the same terminal. */
	if (!isatty(STDOUT_FILENO))
		sift_bar(f);
	code = sift_walk(
	    f, &to, l.shape != SHAPE_ROWS ? 0 : rows_want(l.rows), &sums);
	code = finish(&l, f, &sums, code);
out:
	rows_free(l.rows);
	sift_free(f);
	return code;
}

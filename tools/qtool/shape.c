/*
 * shape - how old envelopes are, by domain or another field
 *
 * A row a kind, a column an age. The first column holds what is younger than
 * --first, each further one reaches twice as far (or, --linear, as far again),
 * the last has no end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/proto/record.h"
#include "tools/qtool/commands.h"
#include "tools/qtool/facet.h"
#include "tools/qtool/kinds.h"
#include "tools/qtool/sift.h"

#define BUCKETS 10
#define BUCKETS_MAX 30
#define FIRST_S 300
#define TOP 20
#define ROW_MAX 65536
#define NAME_WIDTH 17

struct shape {
	struct qtool *t;
	struct facet by;
	unsigned buckets; /* that have an end */
	int64_t first; /* seconds */
	bool linear;
	uint64_t top;
	struct kinds *all;
};

struct part {
	struct shape *s;
	struct kinds *kinds;
};

static void *
begin(void *ctx)
{
	struct part *p = mem_zalloc(sizeof(*p));

	p->s = ctx;
	p->kinds = kinds_new(p->s->buckets + 2);
	return p;
}

/* Where bucket i ends. */
static int64_t
bound(const struct shape *s, unsigned i)
{
	return s->linear ? s->first * (int64_t)(i + 1) : s->first << i;
}

static void
on_sight(void *part, const struct sight *si)
{
	struct part *p = part;
	struct shape *s = p->s;
	int64_t arrived = si->parsed ? si->e.arrived : si->ve->message->arrived;
	char key[FACET_TEXT];
	uint64_t *counts;
	unsigned i = 0;

	facet_text(&s->by, s->t, si, key);
	counts = kinds_of(p->kinds, key);
	while (i < s->buckets && s->t->now - arrived >= bound(s, i))
		i++;
	counts[0]++;
	counts[1 + i]++;
}

static bool
end(void *ctx, void *part)
{
	struct shape *s = ctx;
	struct part *p = part;

	kinds_merge(s->all, p->kinds);
	free(p);
	return true;
}

/* A bound as a column's head: minutes, or with its unit. */
static void
label(const struct shape *s, unsigned i, char text[16])
{
	int64_t b = bound(s, i < s->buckets ? i : s->buckets - 1);

	snprintf(text, 16, "%lld%s%s",
	    (long long)(s->first % 60 == 0 ? b / 60 : b),
	    s->first % 60 == 0 ? "" : "s", i < s->buckets ? "" : "+");
}

static void
show_head(const struct shape *s)
{
	char text[16];
	unsigned i;

	printf("%*s %6s", NAME_WIDTH, "", "T");
	for (i = 0; i <= s->buckets; i++) {
		label(s, i, text);
		printf(" %5s", text);
	}
	putchar('\n');
}

static void
show_row(struct shape *s, const char *name, const uint64_t *counts)
{
	char clean[FACET_TEXT], text[16];
	struct buf *b;
	unsigned i;

	if (!s->t->o.json) {
		text_printable(clean, sizeof(clean), name);
		/* A name that is too long has the line to itself. */
		printf("%*s%s", NAME_WIDTH, clean,
		    strlen(clean) > NAME_WIDTH ? "\n                  " : " ");
		for (i = 0; i < s->buckets + 2; i++)
			printf(i == 0 ? "%6llu" : " %5llu",
			    (unsigned long long)counts[i]);
		putchar('\n');
		return;
	}
	b = buf_new(ROW_MAX);
	record_begin(b, "shape");
	record_str(b, s->by.name, name);
	record_u64(b, "count", counts[0]);
	for (i = 0; i <= s->buckets; i++) {
		snprintf(
		    text, sizeof(text), "lt_%llds", (long long)bound(s, i));
		record_u64(b, i < s->buckets ? text : "older", counts[1 + i]);
	}
	(void)out_record(s->t->out, buf_data(b), buf_len(b));
	buf_free(b);
}

static void
add(uint64_t *to, const uint64_t *counts, unsigned n)
{
	while (n-- > 0)
		to[n] += counts[n];
}

static void
show(struct shape *s)
{
	const struct kinds_row *k = kinds_sorted(s->all);
	uint64_t total[BUCKETS_MAX + 2] = { 0 }, other[BUCKETS_MAX + 2] = { 0 };
	size_t i, n = kinds_count(s->all);
	char name[48];

	for (i = 0; i < n; i++)
		add(total, k[i].counts, s->buckets + 2);
	if (!s->t->o.json) {
		show_head(s);
		show_row(s, "TOTAL", total);
	}
	for (i = 0; i < n; i++) {
		if (s->top == 0 || i < s->top || s->t->o.json)
			show_row(s, k[i].key, k[i].counts);
		else
			add(other, k[i].counts, s->buckets + 2);
	}
	if (other[0] == 0)
		return;
	snprintf(name, sizeof(name), "[other %zu]", n - (size_t)s->top);
	show_row(s, name, other);
}

enum {
	OPT_BY = QTOOL_OPTION_FIRST,
	OPT_TOP,
	OPT_BUCKETS,
	OPT_FIRST,
	OPT_LINEAR
};

static const struct option longs[] = {
	{ "by", required_argument, NULL, OPT_BY },
	{ "top", required_argument, NULL, OPT_TOP },
	{ "buckets", required_argument, NULL, OPT_BUCKETS },
	{ "first", required_argument, NULL, OPT_FIRST },
	{ "linear", no_argument, NULL, OPT_LINEAR },
	SIFT_LONGS,
	{ NULL, 0, NULL, 0 },
};

static int
take_option(struct shape *s, struct sift *f, int opt)
{
	uint64_t n;

	switch (opt) {
	case OPT_BY:
		return facet_parse(&s->by, s->t, optarg);
	case OPT_TOP:
		if (text_number(optarg, SIZE_MAX >> 1, &s->top))
			return 0;
		return qtool_fail(s->t, EXIT_USAGE, "--top takes a number");
	case OPT_BUCKETS:
		if (!text_number(optarg, BUCKETS_MAX, &n) || n < 2)
			return qtool_fail(s->t, EXIT_USAGE,
			    "--buckets takes a number from 2 to %d",
			    BUCKETS_MAX);
		s->buckets = (unsigned)n - 1;
		return 0;
	case OPT_FIRST:
		if (text_span_parse(optarg, &s->first) && s->first > 0 &&
		    s->first < 1000000000)
			return 0;
		return qtool_fail(
		    s->t, EXIT_USAGE, "--first takes a time: 5m, 1h");
	case OPT_LINEAR:
		s->linear = true;
		return 0;
	default:
		return opt != '?' && sift_option(f, opt) == 1 ? 0 : EXIT_USAGE;
	}
}

int
shape_run(struct qtool *t, int argc, char *argv[])
{
	struct shape s = {
		.t = t, .buckets = BUCKETS - 1, .first = FIRST_S, .top = TOP
	};
	const struct sift_visitor to = { begin, on_sight, end, &s };
	struct sift *f = sift_new(t);
	struct sift_sums sums;
	int opt, code = facet_parse(&s.by, t, "rcpt.domain");

	while (code == 0 &&
	    (opt = qtool_getopt(t, argc, argv, SIFT_LETTERS, longs)) != -1)
		code = take_option(&s, f, opt);
	if (code == 0)
		code = sift_arguments(f, argc - optind, argv + optind, false);
	if (code == 0)
		code = qtool_open(t);
	if (code != 0)
		goto out;
	s.all = kinds_new(s.buckets + 2);
	qtool_begin(t, OUT_LIST);
	sift_bar(f);
	code = sift_walk(f, &to, VIEW_TEXTS | facet_want(&s.by), &sums);
	if (sift_explains(f))
		sift_explain(f, &sums);
	else
		show(&s);
	if (code == EXIT_DONE && t->o.json)
		(void)qtool_end(t, EXIT_DONE, sums.matched, 0, "");
out:
	kinds_free(s.all);
	sift_free(f);
	return code;
}

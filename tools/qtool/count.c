/*
 * count - how many envelopes, in all or by fields
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

#define BY_MAX 8
#define KEY_MAX (BY_MAX * FACET_TEXT)
#define ROW_MAX (2 * KEY_MAX)
#define APART '\001' /* between the fields of a key; no field has it */

struct count {
	struct qtool *t;
	struct facet by[BY_MAX];
	size_t n;
	uint64_t top; /* 0: all */
	struct kinds *all;
};

struct part {
	struct count *c;
	struct kinds *kinds;
	char key[KEY_MAX];
};

static void *
begin(void *ctx)
{
	struct part *p = mem_zalloc(sizeof(*p));

	p->c = ctx;
	if (p->c->n > 0)
		p->kinds = kinds_new(1);
	return p;
}

static void
on_sight(void *part, const struct sight *s)
{
	struct part *p = part;
	struct count *c = p->c;
	size_t i, at = 0;

	if (c->n == 0)
		return;
	for (i = 0; i < c->n; i++) {
		if (i > 0)
			p->key[at++] = APART;
		facet_text(&c->by[i], c->t, s, p->key + at);
		at += strlen(p->key + at);
	}
	++*kinds_of(p->kinds, p->key);
}

static bool
end(void *ctx, void *part)
{
	struct count *c = ctx;
	struct part *p = part;

	if (p->kinds != NULL)
		kinds_merge(c->all, p->kinds);
	free(p);
	return true;
}

static void
show_object(struct count *c, const char *key, uint64_t n)
{
	struct buf *b = buf_new(ROW_MAX);
	char value[FACET_TEXT];
	size_t i, len;

	record_begin(b, "count");
	record_u64(b, "count", n);
	for (i = 0; i < c->n; i++) {
		len = strcspn(key, "\001");
		snprintf(value, sizeof(value), "%.*s", (int)len, key);
		record_str(b, c->by[i].name, value);
		key += len + (key[len] == APART);
	}
	(void)out_record(c->t->out, buf_data(b), buf_len(b));
	buf_free(b);
}

static void
show_line(const char *key, uint64_t n)
{
	char line[KEY_MAX], clean[2 * FACET_TEXT];
	size_t i;

	snprintf(line, sizeof(line), "%s", key);
	for (i = 0; line[i] != '\0'; i++)
		if (line[i] == APART)
			line[i] = ' ';
	printf("%9llu  %s\n", (unsigned long long)n,
	    text_printable(clean, sizeof(clean), line));
}

static void
show(struct count *c)
{
	const struct kinds_row *k = kinds_sorted(c->all);
	size_t i, n = kinds_count(c->all);
	uint64_t others = 0;

	if (!c->t->o.json) {
		printf("%9s ", "COUNT");
		for (i = 0; i < c->n; i++)
			printf(" %s", c->by[i].name);
		putchar('\n');
	}
	for (i = 0; i < n; i++) {
		if (c->top != 0 && i >= c->top)
			others += k[i].counts[0];
		else if (c->t->o.json)
			show_object(c, k[i].key, k[i].counts[0]);
		else
			show_line(k[i].key, k[i].counts[0]);
	}
	if (others > 0 && !c->t->o.json)
		printf("%9llu  [other %zu]\n", (unsigned long long)others,
		    n - (size_t)c->top);
}

/* 0, or an exit code. */
static int
read_fields(struct count *c, const char *names)
{
	char name[FACET_NAME];
	size_t len;
	int code;

	for (; *names != '\0'; names += len + (names[len] == ',')) {
		len = strcspn(names, ",");
		if (c->n == BY_MAX)
			return qtool_fail(c->t, EXIT_USAGE,
			    "--by takes at most %d fields", BY_MAX);
		snprintf(name, sizeof(name), "%.*s", (int)len, names);
		code = facet_parse(&c->by[c->n], c->t, name);
		if (code != EXIT_DONE)
			return code;
		c->n++;
	}
	return EXIT_DONE;
}

enum {
	OPT_BY = QTOOL_OPTION_FIRST,
	OPT_TOP
};

static const struct option longs[] = {
	{ "by", required_argument, NULL, OPT_BY },
	{ "top", required_argument, NULL, OPT_TOP },
	SIFT_LONGS,
	{ NULL, 0, NULL, 0 },
};

static int
take_option(struct count *c, struct sift *f, int opt)
{
	if (opt == OPT_BY)
		return read_fields(c, optarg);
	if (opt == OPT_TOP) {
		if (text_number(optarg, SIZE_MAX >> 1, &c->top))
			return 0;
		return qtool_fail(c->t, EXIT_USAGE, "--top takes a number");
	}
	return opt != '?' && sift_option(f, opt) == 1 ? 0 : EXIT_USAGE;
}

static int
finish(struct count *c, struct sift *f, const struct sift_sums *sums, int code)
{
	if (sift_explains(f)) {
		sift_explain(f, sums);
		return code;
	}
	if (c->n > 0)
		show(c);
	else if (!c->t->o.json)
		printf("%llu\n", (unsigned long long)sums->matched);
	if (code == EXIT_DONE && c->t->o.json)
		(void)qtool_end(c->t, EXIT_DONE, sums->matched, 0, "");
	return code;
}

int
count_run(struct qtool *t, int argc, char *argv[])
{
	struct count c = { .t = t };
	const struct sift_visitor to = { begin, on_sight, end, &c };
	struct sift *f = sift_new(t);
	struct sift_sums sums;
	unsigned want = 0;
	int opt, code = 0;
	size_t i;

	while (code == 0 &&
	    (opt = qtool_getopt(t, argc, argv, SIFT_LETTERS, longs)) != -1)
		code = take_option(&c, f, opt);
	if (code == 0)
		code = sift_arguments(f, argc - optind, argv + optind, false);
	if (code == 0)
		code = qtool_open(t);
	if (code != 0)
		goto out;
	for (i = 0; i < c.n; i++)
		want |= facet_want(&c.by[i]);
	c.all = kinds_new(1);
	qtool_begin(t, OUT_LIST);
	sift_bar(f);
	code = sift_walk(f, &to, want, &sums);
	code = finish(&c, f, &sums, code);
out:
	kinds_free(c.all);
	sift_free(f);
	return code;
}

/*
 * verify - what is wrong with the spool, a line each
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "lib/proto/record.h"
#include "tools/qtool/commands.h"
#include "tools/qtool/sift.h"
#include "tools/qtool/surveyor.h"

#define ROW_MAX 8192

enum {
	OPT_LEVEL = 256,
	OPT_SINCE,
	OPT_REPORT
};

static const struct option longs[] = {
	{ "level", required_argument, NULL, OPT_LEVEL },
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "report", required_argument, NULL, OPT_REPORT },
	SIFT_LONGS,
	{ NULL, 0, NULL, 0 },
};

struct verify {
	struct qtool *t;
	struct surveyor s;
	FILE *report; /* NULL: none */
	struct out *copy; /* to it */
	uint64_t counts[PROBLEM_CLASSES];
};

static void
put(struct verify *v, const struct buf *row)
{
	(void)out_record(v->t->out, buf_data(row), buf_len(row));
	if (v->copy != NULL)
		(void)out_record(v->copy, buf_data(row), buf_len(row));
}

static void
put_problems(struct verify *v, const struct problems *p, struct buf *row)
{
	size_t i;

	for (i = 0; i < p->n; i++) {
		v->counts[p->at[i].class]++;
		buf_reset(row);
		record_begin(row, "problem");
		record_str(row, "class", problem_code(p->at[i].class));
		record_str(row, "name", problem_name(p->at[i].class));
		record_str(row, "file", p->at[i].file);
		record_str(row, "reason", p->at[i].reason);
		if (p->at[i].kid[0] != '\0')
			record_str(row, "kid", p->at[i].kid);
		put(v, row);
	}
}

static void
put_summary(
    struct verify *v, const struct problems *p, uint64_t ms, struct buf *row)
{
	const struct survey_stats *s = &v->s.stats;
	unsigned i;

	buf_reset(row);
	record_begin(row, "verified");
	record_u64(row, "files", s->files);
	record_u64(row, "messages", s->messages);
	record_u64(row, "envelopes", s->envelopes);
	record_u64(row, "covered", s->covered);
	record_u64(row, "problems", p->n);
	for (i = 0; i < PROBLEM_CLASSES; i++)
		if (v->counts[i] > 0)
			record_u64(row, problem_code((enum problem_class)i),
			    v->counts[i]);
	record_u64(row, "read_bytes", s->octets);
	record_u64(row, "elapsed_ms", ms);
	put(v, row);
}

static int
read_options(struct verify *v, int argc, char *argv[])
{
	int64_t span;
	int opt;

	while (
	    (opt = qtool_getopt(v->t, argc, argv, SIFT_LETTERS, longs)) != -1) {
		switch (opt) {
		case OPT_LEVEL:
			if (!survey_level_parse(optarg, &v->s.level))
				return qtool_fail(v->t, EXIT_USAGE,
				    "--level takes names, parse or deep");
			break;
		case OPT_SINCE:
			if (text_span_parse(optarg, &span))
				v->s.since = v->t->now - span;
			else if (!text_time_parse(optarg, &v->s.since))
				return qtool_fail(v->t, EXIT_USAGE,
				    "--since takes 2h, or a time as "
				    "2026-11-22T13:21:09Z");
			break;
		case OPT_REPORT:
			v->report = fopen(optarg, "we");
			if (v->report == NULL)
				return qtool_fail(v->t, EXIT_CANTCREAT,
				    "%s: %s", optarg, strerror(errno));
			break;
		default:
			if (surveyor_option(&v->s, opt) != EXIT_DONE)
				return EXIT_USAGE;
			break;
		}
	}
	return EXIT_DONE;
}

static int
end_report(struct verify *v, uint64_t n)
{
	struct out_end end = { .done = n, .text = "" };

	if (v->copy == NULL)
		return EXIT_DONE;
	out_finish(v->copy, &end);
	return ferror(v->report) != 0 ? EXIT_IOERR : EXIT_DONE;
}

static int
verify(struct verify *v, int argc, char *argv[])
{
	struct buf *row = buf_new(ROW_MAX);
	struct problems p = { 0 };
	uint64_t begun = mono_ms();
	struct out_options o = { .form = OUT_JSON,
		.to = v->report,
		.now = v->t->now,
		.host = "",
		.command = "verify" };
	int code;

	code = surveyor_open(&v->s, v->t);
	if (code == EXIT_DONE)
		code = surveyor_select(&v->s, argc, argv);
	if (code == EXIT_DONE)
		code = surveyor_run(&v->s, &p);
	if (code == EXIT_DONE) {
		qtool_begin(v->t, OUT_LIST);
		if (v->report != NULL)
			v->copy = out_new(&o);
		put_problems(v, &p, row);
		put_summary(v, &p, mono_ms() - begun, row);
		code = end_report(v, p.n);
		(void)qtool_end(v->t, code, p.n, 0, "");
		if (code == EXIT_DONE && p.n > 0)
			code = EXIT_NOMATCH;
	}
	problems_clear(&p);
	buf_free(row);
	return code;
}

int
verify_run(struct qtool *t, int argc, char *argv[])
{
	struct verify v = { .t = t,
		.s = { .t = t, .level = SURVEY_DEEP, .what = "verify" } };
	int code = read_options(&v, argc, argv);

	if (code == EXIT_DONE)
		code = verify(&v, argc - optind, argv + optind);
	surveyor_close(&v.s);
	out_free(v.copy);
	if (v.report != NULL && fclose(v.report) == EOF)
		code = qtool_fail(
		    t, EXIT_IOERR, "the report: %s", strerror(errno));
	return code;
}

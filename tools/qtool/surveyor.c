#include "tools/qtool/surveyor.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/conf/conf.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/cli/progress.h"
#include "tools/qtool/sift.h"

#define LOOKS 4 /* at what a daemon at work is changing */
#define PAUSE_MS 60

bool
survey_level_parse(const char *word, enum survey_level *level)
{
	static const char *const names[] = { "names", "parse", "deep" };
	unsigned i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(word, names[i]) == 0) {
			*level = (enum survey_level)i;
			return true;
		}
	return false;
}

static void
on_conf_error(void *ctx, const char *line)
{
	qtool_note(ctx, "%s", line);
}

int
surveyor_open(struct surveyor *s, struct qtool *t)
{
	int code;

	s->t = t;
	code = qtool_open(t);
	if (code != EXIT_DONE)
		return code;
	if (t->o.conf == NULL) {
		if (t->o.verbose)
			qtool_note(t,
			    "actions are not looked up (Q13): no "
			    "configuration is given by -c");
		return EXIT_DONE;
	}
	s->conf = conf_load(t->o.conf, on_conf_error, t);
	if (s->conf == NULL)
		return qtool_fail(t, EXIT_CONFIG, "%s has errors", t->o.conf);
	return EXIT_DONE;
}

void
surveyor_close(struct surveyor *s)
{
	free(s->msgids);
	conf_free(s->conf);
	sift_free(s->sift);
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void
surveyor_narrow(struct surveyor *s, uint64_t msgid)
{
	if (s->n == s->room) {
		s->room = s->room == 0 ? 64 : s->room * 2;
		s->msgids = mem_rearray(s->msgids, s->room, sizeof(*s->msgids));
	}
	s->msgids[s->n++] = msgid;
	s->narrow = true;
}

int
surveyor_option(struct surveyor *s, int opt)
{
	if (s->sift == NULL)
		s->sift = sift_new(s->t);
	s->sifted = true;
	return opt != '?' && sift_option(s->sift, opt) == 1 ? EXIT_DONE
							    : EXIT_USAGE;
}

static void *
begin_part(void *ctx)
{
	(void)ctx;
	return mem_zalloc(sizeof(struct surveyor));
}

static void
on_sight(void *part, const struct sight *sight)
{
	surveyor_narrow(part, ident_msgid(sight->ve->evpid));
}

static bool
end_part(void *ctx, void *part)
{
	struct surveyor *s = ctx, *from = part;
	size_t i;

	for (i = 0; i < from->n; i++)
		if (s->n == 0 || s->msgids[s->n - 1] != from->msgids[i])
			surveyor_narrow(s, from->msgids[i]);
	free(from->msgids);
	free(from);
	return true;
}

static int
sift_out(struct surveyor *s, int argc, char *argv[])
{
	const struct sift_visitor to = { begin_part, on_sight, end_part, s };
	struct sift_sums sums;
	int code;

	if (argc == 0 && !s->sifted)
		return EXIT_DONE;
	if (s->sift == NULL)
		s->sift = sift_new(s->t);
	code = sift_arguments(s->sift, argc, argv, false);
	if (code != EXIT_DONE || (sift_is_all(s->sift) && !s->narrow))
		return code;
	s->narrow = true;
	return sift_walk(s->sift, &to, 0, &sums);
}

int
surveyor_select(struct surveyor *s, int argc, char *argv[])
{
	const char *base;
	int i, left = 0, code;
	uint64_t id;

	for (i = 0; i < argc; i++) {
		base = strrchr(argv[i], '/');
		if (base == NULL || strpbrk(argv[i], " =~<>!()") != NULL) {
			argv[left++] = argv[i];
			continue;
		}
		(void)inspect_name(base + 1, &id);
		if (id == 0)
			return qtool_fail(s->t, EXIT_USAGE,
			    "%s is no file of a message or an envelope",
			    argv[i]);
		surveyor_narrow(s, ident_msgid(id));
	}
	code = sift_out(s, left, argv);
	if (s->n > 1)
		qsort(s->msgids, s->n, sizeof(*s->msgids), by_value);
	return code;
}

static bool
covers(void *ctx, uint64_t evpid)
{
	struct surveyor *s = ctx;

	return view_covers(s->t->view, evpid);
}

static bool
mentions(void *ctx, uint64_t msgid)
{
	struct surveyor *s = ctx;

	return view_mentions(s->t->view, msgid);
}

bool
surveyor_wants(const struct surveyor *s, uint64_t msgid)
{
	return s->n > 0 &&
	    bsearch(&msgid, s->msgids, s->n, sizeof(msgid), by_value) != NULL;
}

static bool
wanted(void *ctx, uint64_t msgid)
{
	return surveyor_wants(ctx, msgid);
}

static bool
has_action(void *ctx, const char *name)
{
	struct surveyor *s = ctx;

	return conf_action(s->conf, name) != NULL;
}

struct shown {
	struct surveyor *s;
	struct progress *bar;
	struct survey_stats last;
};

static void
show(void *ctx, const struct survey_stats *now)
{
	struct shown *w = ctx;

	progress_total(w->bar,
	    now->buckets == 0 ? 0 : now->files * LAYOUT_BUCKETS / now->buckets);
	progress_add(
	    w->bar, now->files - w->last.files, now->octets - w->last.octets);
	w->last = *now;
}

static void
look(struct surveyor *s, struct problems *p, struct survey_stats *stats)
{
	struct shown w = { .s = s };
	struct survey_options o = {
		.layout = view_layout(s->t->view),
		.known = { .now = s->t->now,
		    .owner = view_layout(s->t->view)->owner,
		    .action = s->conf == NULL ? NULL : has_action,
		    .ctx = s },
		.keys = s->t->keys,
		.level = s->level,
		.jobs = s->t->o.jobs,
		.since = s->since,
		.covers = covers,
		.mentions = mentions,
		.wanted = s->narrow ? wanted : NULL,
		.progress = show,
		.ctx = s,
		.progress_ctx = &w,
	};

	if (s->n > 1)
		qsort(s->msgids, s->n, sizeof(*s->msgids), by_value);
	w.bar = progress_new(stderr, s->what, 0, !s->t->o.quiet);
	survey(&o, p, stats);
	progress_free(w.bar);
}

/* Takes the problems of messages out, and narrows to these messages. */
static void
narrow_to(struct surveyor *s, struct problems *p)
{
	const char *base;
	size_t i = 0;
	uint64_t id;

	s->n = 0;
	while (i < p->n) {
		base = strrchr(p->at[i].file, '/');
		id = 0;
		if (base != NULL && strncmp(p->at[i].file, "queue/", 6) == 0)
			(void)inspect_name(base + 1, &id);
		if (id == 0) {
			i++;
			continue;
		}
		surveyor_narrow(s, ident_msgid(id));
		problems_drop(p, i);
	}
}

int
surveyor_run(struct surveyor *s, struct problems *p)
{
	const struct timespec pause = { 0, PAUSE_MS * 1000000L };
	struct survey_stats again;
	uint64_t *given;
	size_t n;
	bool narrow;
	unsigned i;
	int code;

	look(s, p, &s->stats);
	if (!s->t->busy)
		return EXIT_DONE;
	given = s->msgids;
	n = s->n;
	narrow = s->narrow;
	s->msgids = NULL;
	s->n = s->room = 0;
	for (i = 1; i < LOOKS && p->n > 0; i++) {
		narrow_to(s, p);
		if (s->n == 0)
			break;
		nanosleep(&pause, NULL);
		view_close(s->t->view);
		s->t->view = NULL;
		if ((code = qtool_open(s->t)) != EXIT_DONE)
			return code;
		look(s, p, &again);
	}
	free(s->msgids);
	s->msgids = given;
	s->n = s->room = n;
	s->narrow = narrow;
	problems_sort(p);
	return EXIT_DONE;
}

/*
 * repair - mends what verify finds
 *
 * Surveys, plans, acts, and looks again at the messages it touched until there
 * is nothing left to do: mending one file can show what is wrong with the next.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/proto/record.h"
#include "tools/qtool/beside.h"
#include "tools/qtool/commands.h"
#include "tools/qtool/mender.h"
#include "tools/qtool/surveyor.h"

#define ROW_MAX 8192
#define ROUNDS 8

enum {
	OPT_FIX = 256,
	OPT_QUARANTINE,
	OPT_ADOPT,
	OPT_YES,
	OPT_DRY,
	OPT_LEVEL
};

static const struct option longs[] = {
	{ "fix", required_argument, NULL, OPT_FIX },
	{ "quarantine", required_argument, NULL, OPT_QUARANTINE },
	{ "adopt", no_argument, NULL, OPT_ADOPT },
	{ "yes", no_argument, NULL, OPT_YES },
	{ "dry-run", no_argument, NULL, OPT_DRY },
	{ "level", required_argument, NULL, OPT_LEVEL },
	{ NULL, 0, NULL, 0 },
};

struct repair {
	struct qtool *t;
	struct surveyor s;
	struct mender m;
	struct mend_rules rules;
	struct layout layout; /* with the lock */
	const char *quarantine;
	bool yes;
	int lock;
	uint64_t done, left, failed;
	struct buf *row;
};

/* Q01,clock,... */
static bool
read_classes(struct mend_rules *r, char *list)
{
	enum problem_class c;
	char *word;

	memset(r->fix, 0, sizeof(r->fix));
	while ((word = strsep(&list, ",")) != NULL) {
		if (!problem_class_parse(word, &c))
			return false;
		r->fix[c] = true;
	}
	return true;
}

static int
read_options(struct repair *r, int argc, char *argv[])
{
	int opt;

	while ((opt = qtool_getopt(r->t, argc, argv, "", longs)) != -1) {
		switch (opt) {
		case OPT_FIX:
			if (!read_classes(&r->rules, optarg))
				return qtool_fail(r->t, EXIT_USAGE,
				    "--fix takes classes, as Q05,Q12");
			break;
		case OPT_QUARANTINE:
			r->quarantine = optarg;
			break;
		case OPT_ADOPT:
			r->rules.adopt = true;
			break;
		case OPT_YES:
			r->yes = true;
			break;
		case OPT_DRY:
			r->yes = false;
			break;
		case OPT_LEVEL:
			if (!survey_level_parse(optarg, &r->s.level))
				return qtool_fail(r->t, EXIT_USAGE,
				    "--level takes names, parse or deep");
			break;
		default:
			return EXIT_USAGE;
		}
	}
	return EXIT_DONE;
}

static void
put_mend(struct repair *r, const struct mend *what, enum mender_result rc,
    const char *said)
{
	static const char *const results[] = { "done", "left", "failed" };
	const struct problem *p = what->why;

	buf_reset(r->row);
	record_begin(r->row, "mend");
	record_str(r->row, "class", problem_code(p->class));
	record_str(r->row, "name", problem_name(p->class));
	record_str(r->row, "file", p->file);
	record_str(r->row, "reason", p->reason);
	record_str(r->row, "act", mend_name(what->act));
	record_str(r->row, "how", said);
	record_str(r->row, "result",
	    rc == MENDER_DONE && r->m.dry ? "would" : results[rc]);
	(void)out_record(r->t->out, buf_data(r->row), buf_len(r->row));
}

/* Missing keys: whatever else is wrong, that comes first. */
static int
stop_for_keys(struct repair *r, const struct problems *p)
{
	uint64_t n = 0;
	const char *kid = "";
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->at[i].class == PROBLEM_WRONG_KEY) {
			kid = p->at[i].kid;
			n++;
		}
	if (n == 0 || !r->rules.fix[PROBLEM_WRONG_KEY])
		return EXIT_DONE;
	return qtool_fail(r->t, EXIT_CONFIG,
	    "%llu files are sealed by a key that is not at hand (%s); nothing "
	    "was changed: give the key ring that has it with --keyring, or "
	    "name "
	    "with --fix what is to be mended without it",
	    (unsigned long long)n, kid);
}

static void
touch(struct repair *r, const char *file)
{
	const char *base = strrchr(file, '/');
	uint64_t id = 0;

	if (base != NULL)
		(void)inspect_name(base + 1, &id);
	if (id != 0)
		surveyor_narrow(&r->s, ident_msgid(id));
}

/* What is left alone is told once, in the first round. */
static size_t
act(struct repair *r, const struct problems *p, bool first)
{
	struct mend *plan;
	size_t n = mend_plan(p, &r->rules, &plan), i, acted = 0;
	enum mender_result rc;
	char said[MENDER_SAID];

	r->s.n = 0;
	r->s.narrow = true;
	for (i = 0; i < n; i++) {
		rc = mender_do(&r->m, &plan[i], said);
		if (rc == MENDER_LEFT && !first)
			continue;
		put_mend(r, &plan[i], rc, said);
		if (rc == MENDER_DONE) {
			r->done++;
			acted++;
			touch(r, plan[i].why->file);
		} else if (rc == MENDER_LEFT)
			r->left++;
		else
			r->failed++;
	}
	free(plan);
	return acted;
}

/*
 * Without these two a spool cannot even be opened. Who holds the lock holds it
 * all the same.
 */
static void
free_top(struct repair *r)
{
	static const char *const names[] = { "VERSION", "LOCK" };
	int root = open(r->t->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat top, st;
	bool done = true;
	size_t i;

	if (root == -1 || fstat(root, &top) == -1)
		goto out;
	for (i = 0; i < 2; i++) {
		if (fstatat(root, names[i], &st, AT_SYMLINK_NOFOLLOW) == -1 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (st.st_uid != top.st_uid && geteuid() == 0)
			done = fchownat(root, names[i], top.st_uid, top.st_gid,
				   AT_SYMLINK_NOFOLLOW) == 0;
		if ((st.st_mode & 07777) != 0600)
			done = fchmodat(root, names[i], 0600, 0) == 0 && done;
	}
	if (!done)
		qtool_note(r->t, "VERSION and LOCK: %s", strerror(errno));
out:
	if (root != -1)
		close(root);
}

/* The view was opened before the lock was had: what it saw may be old. */
static int
open_locked(struct repair *r)
{
	int code = qtool_lock(r->t, &r->lock);

	if (code != EXIT_DONE)
		return code;
	view_close(r->t->view);
	r->t->view = NULL;
	if ((code = qtool_open(r->t)) != EXIT_DONE)
		return code;
	r->t->busy = false; /* it is us */
	beside_sweep(view_layout(r->t->view));
	return EXIT_DONE;
}

static int
open_quarantine(struct repair *r)
{
	struct stat there, here;

	if (r->quarantine == NULL)
		return EXIT_DONE;
	if (mkdir(r->quarantine, 0700) == -1 && errno != EEXIST)
		return qtool_fail(r->t, EXIT_CANTCREAT, "%s: %s", r->quarantine,
		    strerror(errno));
	r->m.aside = open(r->quarantine, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->m.aside == -1 || fstat(r->m.aside, &there) == -1 ||
	    fstat(r->layout.root, &here) == -1)
		return qtool_fail(r->t, EXIT_CANTCREAT, "%s: %s", r->quarantine,
		    strerror(errno));
	if (there.st_dev != here.st_dev)
		return qtool_fail(r->t, EXIT_CANTCREAT,
		    "%s is not on the file system of the spool", r->quarantine);
	r->m.aside_name = r->quarantine;
	return EXIT_DONE;
}

static int
start(struct repair *r)
{
	int code = qtool_spool(r->t);

	if (code == EXIT_DONE && r->yes)
		free_top(r);
	if (code == EXIT_DONE)
		code = surveyor_open(&r->s, r->t);
	if (code == EXIT_DONE && r->yes)
		code = open_locked(r);
	if (code != EXIT_DONE)
		return code;
	r->layout = *view_layout(r->t->view);
	r->layout.lock = r->lock;
	r->layout.chown = geteuid() == 0 && r->layout.owner != 0;
	r->m.layout = &r->layout;
	r->m.keys = r->t->keys;
	r->m.now = r->t->now;
	r->m.dry = !r->yes;
	return open_quarantine(r);
}

static int
finish(struct repair *r)
{
	char text[200];
	int code = r->failed > 0 ? EXIT_IOERR
	    : r->left > 0        ? EXIT_PARTIAL
				 : EXIT_DONE;

	if (r->done + r->left + r->failed == 0)
		snprintf(text, sizeof(text), "nothing to mend");
	else
		snprintf(text, sizeof(text),
		    "%llu %s, %llu left to a person, %llu failed%s",
		    (unsigned long long)r->done,
		    r->yes ? "mended" : "would be mended",
		    (unsigned long long)r->left, (unsigned long long)r->failed,
		    r->yes || r->done == 0 ? ""
					   : "; nothing was changed, "
					     "--yes does it");
	/* Without a row the end prints it. */
	if (!r->t->o.json && out_count(r->t->out) > 0)
		printf("%s\n", text);
	return qtool_end(r->t, code, r->done, r->left + r->failed, text);
}

static int
repair(struct repair *r)
{
	struct problems p = { 0 };
	unsigned round;
	int code;

	code = start(r);
	if (code != EXIT_DONE)
		return code;
	for (round = 0; round < ROUNDS; round++) {
		if ((code = surveyor_run(&r->s, &p)) != EXIT_DONE)
			break;
		if (round == 0) {
			if ((code = stop_for_keys(r, &p)) != EXIT_DONE)
				break;
			qtool_begin(r->t, OUT_LIST);
		}
		if (act(r, &p, round == 0) == 0 || r->m.dry || r->failed > 0)
			break;
		problems_clear(&p);
	}
	problems_clear(&p);
	if (code != EXIT_DONE)
		return code;
	if (r->yes && r->done > 0 && mender_sync(&r->m) == -1)
		return qtool_fail(
		    r->t, EXIT_IOERR, "flushing: %s", strerror(errno));
	return finish(r);
}

int
repair_run(struct qtool *t, int argc, char *argv[])
{
	struct repair r = { .t = t,
		.s = { .t = t, .level = SURVEY_DEEP, .what = "repair" },
		.m = { .aside = -1 },
		.lock = -1 };
	unsigned i;
	int code;

	for (i = 0; i < PROBLEM_CLASSES; i++)
		r.rules.fix[i] = true;
	r.row = buf_new(ROW_MAX);
	code = read_options(&r, argc, argv);
	if (code == EXIT_DONE)
		code = repair(&r);
	surveyor_close(&r.s);
	buf_free(r.row);
	if (r.m.aside != -1)
		close(r.m.aside);
	if (r.lock != -1)
		close(r.lock);
	return code;
}

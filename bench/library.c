/*
 * library - what the queue library and the selector cost, and the disk's limit
 *
 *   library [--dir DIR] [--quick] [--tabs] [disk|commit|tree|forms|selector]...
 *
 * Everything in one run, on one disk: so the ratios stand when the figures
 * wander. A commit is bounded by a small write that is flushed, settling by
 * making as many files, a walk by reading them.
 */
#include <err.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/lib/asking.h"
#include "bench/lib/figure.h"
#include "bench/lib/forms.h"
#include "bench/lib/letters.h"
#include "bench/lib/limit.h"
#include "lib/base/log.h"
#include "lib/base/mono.h"
#include "queue/view.h"

#define BODY 4096
#define JOURNAL (256u << 20)
#define JOURNAL_USED (128u << 20) /* of it, by one measurement */
#define ENVELOPE 600 /* octets, about */
#define FLUSHES 2000
#define CREATIONS 4000
#define TREE 20000 /* messages of the tree */
#define TREE_WAITING 100

struct library {
	struct figure out;
	char dir[PATH_MAX];
	unsigned scale;
	double overwrite, write_files; /* the disk's, a second; 0: not known */
};

static unsigned
scaled(const struct library *l, unsigned n)
{
	return n / l->scale;
}

static double
per_second(double n, uint64_t us)
{
	return n * 1e6 / (double)(us > 0 ? us : 1);
}

static void
spool_path(const struct library *l, char path[PATH_MAX + 8])
{
	snprintf(path, PATH_MAX + 8, "%s/spool", l->dir);
}

static void
disk(struct library *l)
{
	figure_section(&l->out, "the disk alone");
	figure_put(&l->out, "create, write 4 KiB, fsync",
	    limit_create(l->dir, scaled(l, FLUSHES), BODY, 1), "/s", 0, NULL);
	l->write_files =
	    limit_create(l->dir, scaled(l, CREATIONS * 4), BODY / 2, 0);
	figure_put(&l->out, "create, write 2 KiB; flushed together",
	    l->write_files, "/s", 0, NULL);
	l->overwrite = limit_overwrite(l->dir, scaled(l, FLUSHES), BODY);
	figure_put(
	    &l->out, "overwrite 4 KiB, fdatasync", l->overwrite, "/s", 0, NULL);
	figure_put(&l->out, "overwrite 64 KiB, fdatasync",
	    limit_overwrite(l->dir, scaled(l, FLUSHES), 16 * BODY), "/s", 0,
	    NULL);
}

/* Nothing settles meanwhile: only the journal is written. */
static void
commit_one(struct library *l, unsigned waiting, unsigned recipients)
{
	char path[PATH_MAX + 8], name[64];
	struct queue_options o = { .path = path,
		.journal_size = JOURNAL,
		.settle_ms = 600000,
		.body_cap = JOURNAL };
	unsigned n = scaled(l, waiting == 1 ? FLUSHES : 20 * FLUSHES);
	unsigned most = JOURNAL_USED / (BODY + recipients * ENVELOPE * 2);
	struct letters *s;
	size_t len;
	uint64_t us;

	if (n > most)
		n = most;
	spool_path(l, path);
	s = letters_open(&o, BODY);
	us = letters_send(s, n, recipients, waiting);
	letters_close(s, 0);
	limit_remove_tree(path);
	len = (size_t)snprintf(name, sizeof(name), "%u waiting, %u recipient%s",
	    waiting, recipients, recipients == 1 ? "" : "s");
	figure_put(&l->out, name, per_second(n, us), "/s", l->overwrite,
	    "overwrite 4 KiB, fdatasync");
	snprintf(name + len, sizeof(name) - len, ": envelopes");
	if (recipients > 1)
		figure_put(&l->out, name,
		    per_second((double)n * recipients, us), "/s", 0, NULL);
}

static void
commit(struct library *l)
{
	static const unsigned waiting[] = { 1, 20, 100 },
			      recipients[] = { 1, 10, 100 };
	size_t i, k;

	figure_section(&l->out, "commit of 4 KiB messages, until durable");
	for (i = 0; i < 3; i++) {
		/* Anew each time: what else the disk does comes and goes. */
		l->overwrite =
		    limit_overwrite(l->dir, scaled(l, FLUSHES), BODY);
		for (k = 0; k < 3; k++)
			commit_one(l, waiting[i], recipients[k]);
	}
}

/* A view's walk; returns envelopes. */
static void
on_seen(void *part, const struct view_envelope *e)
{
	(void)e;
	++*(unsigned *)part;
}

static double
walk(const char *path, unsigned want)
{
	struct view_options o = { .path = path, .jobs = 1 };
	unsigned n = 0;
	struct view_visitor to = { .envelope = on_seen, .ctx = &n };
	uint64_t start = mono_us();
	char why[256];
	struct view *v = view_open(&o, why, sizeof(why));

	if (v == NULL)
		errx(1, "%s", why);
	view_walk(v, &to, want);
	view_close(v);
	return per_second(n, mono_us() - start);
}

static void
tree(struct library *l)
{
	char path[PATH_MAX + 8];
	struct queue_options o = { .path = path, .settle_ms = UINT_MAX };
	unsigned n = scaled(l, TREE);
	struct letters *s;
	double files;
	uint64_t us;

	if (l->write_files <= 0)
		disk(l);
	spool_path(l, path);
	figure_section(&l->out, "the tree: one recipient a message, warm");
	s = letters_open(&o, BODY);
	us = letters_send(s, n, 1, TREE_WAITING);
	us += letters_sync(s);
	letters_close(s, 60000);
	figure_put(&l->out, "commit and settle, files", per_second(2.0 * n, us),
	    "/s", l->write_files, "create; flushed together");
	files = limit_read_tree(path);
	figure_put(
	    &l->out, "read the same files, one thread", files, "/s", 0, NULL);
	o.workers = 2;
	s = letters_open(&o, BODY);
	n = letters_loaded(s, &us);
	letters_close(s, 1000);
	figure_put(&l->out, "open and load, envelopes", per_second(n, us), "/s",
	    files / 2, "reading both files");
	figure_put(&l->out, "view: texts of envelopes, one thread",
	    walk(path, VIEW_TEXTS), "/s", files / 2, "reading both files");
	figure_put(&l->out, "view: and heads of messages",
	    walk(path, VIEW_TEXTS | VIEW_HEADS), "/s", files / 2,
	    "reading both files");
	limit_remove_tree(path);
}

static void
forms(struct library *l)
{
	figure_section(&l->out, "forms of a message of 64 KiB, one thread");
	forms_measure(&l->out, 64u << 10, scaled(l, 8000));
	figure_section(&l->out, "forms of a message of 4 KiB");
	forms_measure(&l->out, 4u << 10, scaled(l, 40000));
}

static void
selector(struct library *l)
{
	figure_section(&l->out, "selector, one thread");
	asking_measure(&l->out, scaled(l, 1000000));
}

static const struct {
	const char *name;
	void (*run)(struct library *l);
} sections[] = {
	{ "disk", disk },
	{ "commit", commit },
	{ "tree", tree },
	{ "forms", forms },
	{ "selector", selector },
};
#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

static void
usage(void)
{
	errx(2,
	    "usage: library [--dir DIR] [--quick] [--tabs] "
	    "[disk] [commit] [tree] [forms] [selector]");
}

static const char *
options(struct library *l, int argc, char *argv[])
{
	static const struct option longs[] = {
		{ "dir", required_argument, NULL, 'd' },
		{ "quick", no_argument, NULL, 'q' },
		{ "tabs", no_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	const char *dir = ".";
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'd')
			dir = optarg;
		else if (c == 'q')
			l->scale = 10;
		else if (c == 't')
			l->out.tabs = true;
		else
			usage();
	}
	return dir;
}

static bool
run(struct library *l, const char *name)
{
	size_t i;

	for (i = 0; i < SECTIONS; i++)
		if (strcmp(sections[i].name, name) == 0) {
			sections[i].run(l);
			return true;
		}
	return false;
}

int
main(int argc, char *argv[])
{
	struct library l = { .scale = 1 };
	const char *dir;
	size_t i;

	log_open("library", true);
	dir = options(&l, argc, argv);
	if (snprintf(l.dir, sizeof(l.dir), "%s/library-XXXXXX", dir) >=
		(int)sizeof(l.dir) ||
	    mkdtemp(l.dir) == NULL)
		err(1, "%s", dir);
	for (i = 0; optind == argc && i < SECTIONS; i++)
		sections[i].run(&l);
	for (; optind < argc; optind++)
		if (!run(&l, argv[optind]))
			usage();
	limit_remove_tree(l.dir);
	return 0;
}

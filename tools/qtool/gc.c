/*
 * gc - frees what nobody needs: never mail, never what was set aside
 *
 * Old temporaries; in incoming/ what no record of the journal refers to; a
 * reason in corrupt/ whose file is gone; the older log of what was finished,
 * once nothing it names can still be in a backup worth restoring.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/proto/record.h"
#include "tools/qtool/commands.h"
#include "tools/qtool/inspect.h"
#include "tools/qtool/places.h"

#define ROW_MAX 4096
#define FILE_MAX 640
#define FINISHED_LIFE (6 * 86400) /* seconds since it was written last */

enum {
	OPT_DRY = 256
};

static const struct option longs[] = {
	{ "dry-run", no_argument, NULL, OPT_DRY },
	{ NULL, 0, NULL, 0 },
};

struct gc {
	struct qtool *t;
	const struct layout *l;
	bool dry;
	int lock;
	uint64_t files, octets, failed;
	struct buf *row;
};

static void
drop(struct gc *g, const char *file, const struct stat *st, const char *why)
{
	bool gone = g->dry || unlinkat(g->l->root, file, 0) == 0;

	if (gone) {
		g->files++;
		g->octets += (uint64_t)st->st_size;
	} else
		g->failed++;
	buf_reset(g->row);
	record_begin(g->row, "garbage");
	record_str(g->row, "file", file);
	record_str(g->row, "reason", why);
	record_u64(g->row, "size_bytes", (uint64_t)st->st_size);
	record_str(g->row, "result",
	    !gone        ? "failed"
		: g->dry ? "would"
			 : "removed");
	(void)out_record(g->t->out, buf_data(g->row), buf_len(g->row));
}

static bool
ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), n = strlen(end);

	return len > n && strcmp(name + len - n, end) == 0;
}

/* NULL: it stays. */
static const char *
judge(struct gc *g, const char *dir, const char *name, const struct stat *st)
{
	bool old = st->st_mtime + INSPECT_TEMP_AGE < g->t->now;
	char file[FILE_MAX];
	struct stat other;
	uint64_t id;

	if (strncmp(dir, "queue", 5) == 0)
		return inspect_name(name, &id) == INSPECT_TEMP && old
		    ? "a temporary file that was never put in place"
		    : NULL;
	if (strcmp(dir, "state") == 0) {
		if (ends_with(name, ".new") && old)
			return "a temporary file that was never put in place";
		if (strcmp(name, "finished.1") == 0 &&
		    st->st_mtime + FINISHED_LIFE < g->t->now)
			return "what it names was finished long ago";
		return NULL;
	}
	if (strcmp(dir, "incoming") == 0) {
		if (!old)
			return NULL;
		if (inspect_name(name, &id) == INSPECT_MESSAGE &&
		    view_mentions(g->t->view, id >> 16))
			return NULL;
		return "never acknowledged, no record refers to it";
	}
	if (!ends_with(name, ".why"))
		return NULL;
	snprintf(
	    file, sizeof(file), "corrupt/%.*s", (int)strlen(name) - 4, name);
	if (fstatat(g->l->root, file, &other, AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ENOENT)
		return NULL;
	return "the reason of a file that is not there any more";
}

static void
look_in(struct gc *g, const char *dir)
{
	char file[FILE_MAX];
	const char *why;
	struct stat st;
	char **names;
	size_t n, i;

	names = places_names(g->l, dir, &n);
	for (i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%.64s/%.255s", dir, names[i]);
		if (fstatat(g->l->root, file, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
		    !S_ISREG(st.st_mode))
			continue;
		if ((why = judge(g, dir, names[i], &st)) != NULL)
			drop(g, file, &st, why);
	}
	places_free(names, n);
}

static int
collect(struct gc *g)
{
	char name[LAYOUT_NAME_MAX], text[160];
	unsigned i;

	qtool_begin(g->t, OUT_LIST);
	g->l = view_layout(g->t->view);
	look_in(g, "incoming");
	look_in(g, "state");
	look_in(g, "corrupt");
	for (i = 0; i < LAYOUT_BUCKETS; i++)
		look_in(g, layout_bucket_name(name, i));
	snprintf(text, sizeof(text), "%llu files, %llu octets %s",
	    (unsigned long long)g->files, (unsigned long long)g->octets,
	    g->dry ? "would be freed" : "freed");
	if (!g->t->o.json && out_count(g->t->out) > 0)
		printf("%s\n", text);
	return qtool_end(g->t, g->failed > 0 ? EXIT_IOERR : EXIT_DONE, g->files,
	    g->failed, text);
}

/* The view was opened before the lock was had: what it saw may be old. */
static int
start(struct gc *g)
{
	int code = qtool_open(g->t);

	if (code != EXIT_DONE || g->dry)
		return code;
	if ((code = qtool_lock(g->t, &g->lock)) != EXIT_DONE)
		return code;
	view_close(g->t->view);
	g->t->view = NULL;
	return qtool_open(g->t);
}

int
gc_run(struct qtool *t, int argc, char *argv[])
{
	struct gc g = { .t = t, .lock = -1 };
	int opt, code;

	while ((opt = qtool_getopt(t, argc, argv, "", longs)) != -1) {
		if (opt != OPT_DRY)
			return EXIT_USAGE;
		g.dry = true;
	}
	g.row = buf_new(ROW_MAX);
	code = start(&g);
	if (code == EXIT_DONE)
		code = collect(&g);
	buf_free(g.row);
	if (g.lock != -1)
		close(g.lock);
	return code;
}

/*
 * key rotate, key retire - a key takes over; a key is no longer needed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "lib/cli/progress.h"
#include "lib/proto/record.h"
#include "tools/qtool/atrest.h"
#include "tools/qtool/census.h"
#include "tools/qtool/commands.h"
#include "tools/qtool/ringfile.h"
#include "tools/qtool/rotate.h"
#include "tools/qtool/settings.h"

#define ROW_MAX 4096
#define TROUBLES 20 /* told by name */

enum {
	OPT_TO = 256,
	OPT_RESUME
};

static const struct option rotate_longs[] = {
	{ "to", required_argument, NULL, OPT_TO },
	{ "resume", no_argument, NULL, OPT_RESUME },
	{ NULL, 0, NULL, 0 },
};

struct work {
	struct qtool *t;
	struct progress *bar;
	unsigned troubles;
};

static void
trouble(void *ctx, const char *file, const char *why)
{
	struct work *w = ctx;

	if (w->troubles++ >= TROUBLES)
		return;
	progress_clear(w->bar);
	qtool_note(w->t, "%s: %s%s", file, why,
	    w->troubles == TROUBLES ? " (and others, not named)" : "");
}

static void
bar(void *ctx, uint64_t files)
{
	*(uint64_t *)ctx += files;
}

/* The ring as its file now is. */
static int
set_state(struct qtool *t, const char *kid, enum key_state state)
{
	char *path = settings_ring(t->o.keyring, t->o.conf), err[512];
	int code = EXIT_DONE;

	if (path == NULL ||
	    ringfile_set(path, kid, state, err, sizeof(err)) == -1)
		code = qtool_fail(t, EXIT_CONFIG, "%s",
		    path == NULL ? "no key ring is named" : err);
	free(path);
	return code;
}

static int
result(struct qtool *t, const struct rotated *d, const char *kid, uint64_t ms)
{
	struct buf *row = buf_new(ROW_MAX);
	uint64_t left = d->locked + d->damaged + d->failed;
	char text[256];

	record_begin(row, "rotated");
	record_str(row, "kid", kid);
	record_u64(row, "messages", d->messages);
	record_u64(row, "texts", d->texts);
	record_u64(row, "already", d->already);
	record_u64(row, "locked", d->locked);
	record_u64(row, "damaged", d->damaged);
	record_u64(row, "failed", d->failed);
	record_u64(row, "elapsed_ms", ms);
	(void)out_record(t->out, buf_data(row), buf_len(row));
	buf_free(row);
	snprintf(text, sizeof(text),
	    "%llu files got key %s, %llu had no need, %llu were left",
	    (unsigned long long)(d->messages + d->texts), kid,
	    (unsigned long long)d->already, (unsigned long long)left);
	return qtool_end(t,
	    d->failed > 0  ? EXIT_IOERR
		: left > 0 ? EXIT_PARTIAL
			   : EXIT_DONE,
	    d->messages + d->texts, left, text);
}

static int
rotate_to(struct qtool *t, const char *kid)
{
	struct work w = { .t = t };
	struct rotation r = { .trouble = trouble, .ctx = &w };
	uint64_t begun = mono_ms(), files = 0;
	struct census *c;
	struct rotated d;
	struct atrest a;
	int code = atrest_open(&a, t);

	if (code == EXIT_DONE && keyring_find(t->keys, kid) == NULL)
		code = qtool_fail(t, EXIT_CONFIG,
		    "the key ring has no key %s; qtool key new makes one", kid);
	/* New mail is sealed by it from the next start on. */
	if (code == EXIT_DONE)
		code = set_state(t, kid, KEY_ACTIVE);
	if (code == EXIT_DONE) {
		c = mem_zalloc(sizeof(*c));
		census_take(c, &a.layout, t->o.jobs, bar, &files);
		free(c);
		r.layout = &a.layout;
		r.keys = t->keys;
		r.to = keyring_find(t->keys, kid);
		r.jobs = t->o.jobs;
		w.bar = r.bar =
		    progress_new(stderr, "key rotate", files, !t->o.quiet);
		rotate(&r, &d);
		progress_free(w.bar);
		qtool_begin(t, OUT_LIST);
		code = result(t, &d, kid, mono_ms() - begun);
	}
	atrest_close(&a);
	return code;
}

int
keyrotate_run(struct qtool *t, int argc, char *argv[])
{
	const char *kid = NULL;
	int opt;

	while ((opt = qtool_getopt(t, argc, argv, "", rotate_longs)) != -1) {
		/* A rotation that was cut off is taken up in any case. */
		if (opt == OPT_RESUME)
			continue;
		if (opt != OPT_TO)
			return EXIT_USAGE;
		kid = optarg;
	}
	if (kid == NULL)
		return qtool_fail(t, EXIT_USAGE, "say --to which key");
	return rotate_to(t, kid);
}

int
keyretire_run(struct qtool *t, int argc, char *argv[])
{
	const struct census_kid *k;
	struct census *c = NULL;
	struct atrest a = { .lock = -1 };
	uint64_t files = 0;
	const char *kid;
	int code;

	if (qtool_getopt(t, argc, argv, "", NULL) != -1)
		return EXIT_USAGE;
	kid = argv[optind];
	code = atrest_open(&a, t);
	if (code == EXIT_DONE && keyring_find(t->keys, kid) == NULL)
		code = qtool_fail(
		    t, EXIT_CONFIG, "the key ring has no key %s", kid);
	if (code == EXIT_DONE && keyring_active(t->keys) != NULL &&
	    strcmp(keyring_active(t->keys)->kid, kid) == 0)
		code = qtool_fail(t, EXIT_REFUSED,
		    "key %s seals new mail: qtool key rotate --to another "
		    "first",
		    kid);
	if (code == EXIT_DONE) {
		c = mem_zalloc(sizeof(*c));
		census_take(c, &a.layout, t->o.jobs, bar, &files);
		k = census_find(c, kid);
		if (census_objects(k) > 0)
			code = qtool_fail(t, EXIT_REFUSED,
			    "%llu objects need key %s (%llu messages, %llu "
			    "envelopes, %llu elsewhere; one is %s): qtool key "
			    "rotate --to another first",
			    (unsigned long long)census_objects(k), kid,
			    (unsigned long long)k->messages,
			    (unsigned long long)k->envelopes,
			    (unsigned long long)k->elsewhere, k->example);
		free(c);
	}
	if (code == EXIT_DONE)
		code = set_state(t, kid, KEY_RETIRED);
	if (code == EXIT_DONE) {
		qtool_begin(t, OUT_LIST);
		code = qtool_end(t, EXIT_DONE, 1, 0,
		    "retired: nothing needs it; its line may go from the ring");
	}
	atrest_close(&a);
	return code;
}

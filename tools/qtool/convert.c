/*
 * convert - compression and encryption on or off, for what is in the queue
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "lib/cli/progress.h"
#include "lib/proto/record.h"
#include "queue/codec.h"
#include "tools/qtool/atrest.h"
#include "tools/qtool/commands.h"
#include "tools/qtool/places.h"
#include "tools/qtool/rewrite.h"
#include "tools/qtool/sift.h"
#include "tools/qtool/surveyor.h"

#define ROW_MAX 4096
#define TROUBLES 20 /* told by name */

enum {
	OPT_COMP = 256,
	OPT_ENC,
	OPT_RATE,
	OPT_RESUME
};

static const struct option longs[] = {
	{ "comp", required_argument, NULL, OPT_COMP },
	{ "enc", required_argument, NULL, OPT_ENC },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "resume", no_argument, NULL, OPT_RESUME },
	SIFT_LONGS,
	{ NULL, 0, NULL, 0 },
};

struct convert {
	struct qtool *t;
	struct surveyor s; /* for what is meant */
	struct rewriting r;
	bool seal;
	const char *kid; /* NULL: the active one */
	unsigned troubles;
};

/* none, zstd or zstd:LEVEL */
static bool
read_comp(struct convert *c, const char *word)
{
	uint64_t level = 1;

	c->r.set_comp = true;
	c->r.level = 0;
	if (strcmp(word, "none") == 0)
		return true;
	if (strncmp(word, "zstd", 4) != 0 ||
	    (word[4] != '\0' &&
		(word[4] != ':' ||
		    !text_number(word + 5, CODEC_LEVEL_MAX, &level) ||
		    level == 0)))
		return false;
	c->r.level = (int)level;
	return true;
}

/* none, aes-256-gcm or aes-256-gcm:KID */
static bool
read_enc(struct convert *c, const char *word)
{
	static const char name[] = "aes-256-gcm";
	size_t n = sizeof(name) - 1;

	c->r.set_enc = true;
	c->seal = strcmp(word, "none") != 0;
	c->kid = NULL;
	if (!c->seal)
		return true;
	if (strncmp(word, name, n) != 0 || (word[n] != '\0' && word[n] != ':'))
		return false;
	if (word[n] == ':')
		c->kid = word + n + 1;
	return true;
}

/* 500 or 500/s */
static bool
read_rate(struct convert *c, const char *word)
{
	char digits[24];
	size_t n = strspn(word, "0123456789");

	if (n == 0 || n >= sizeof(digits) ||
	    (word[n] != '\0' && strcmp(word + n, "/s") != 0))
		return false;
	memcpy(digits, word, n);
	digits[n] = '\0';
	return text_number(digits, 1000000000, &c->r.rate) && c->r.rate > 0;
}

static int
read_options(struct convert *c, int argc, char *argv[])
{
	int opt;

	while (
	    (opt = qtool_getopt(c->t, argc, argv, SIFT_LETTERS, longs)) != -1) {
		switch (opt) {
		case OPT_COMP:
			if (!read_comp(c, optarg))
				return qtool_fail(c->t, EXIT_USAGE,
				    "--comp takes none, zstd or zstd:1 to "
				    "zstd:%d",
				    CODEC_LEVEL_MAX);
			break;
		case OPT_ENC:
			if (!read_enc(c, optarg))
				return qtool_fail(c->t, EXIT_USAGE,
				    "--enc takes none, aes-256-gcm or "
				    "aes-256-gcm:KID");
			break;
		case OPT_RATE:
			if (!read_rate(c, optarg))
				return qtool_fail(c->t, EXIT_USAGE,
				    "--rate takes a number of files a second");
			break;
		case OPT_RESUME:
			/* What is done already is skipped in any case. */
			break;
		default:
			if (surveyor_option(&c->s, opt) != EXIT_DONE)
				return EXIT_USAGE;
			break;
		}
	}
	if (!c->r.set_comp && !c->r.set_enc)
		return qtool_fail(c->t, EXIT_USAGE,
		    "say --comp none|zstd[:LEVEL], --enc "
		    "none|aes-256-gcm[:KID], or both");
	return EXIT_DONE;
}

static int
find_key(struct convert *c)
{
	if (!c->seal)
		return EXIT_DONE;
	c->r.key = c->kid == NULL
	    ? c->t->keys == NULL ? NULL : keyring_active(c->t->keys)
	    : keyring_find(c->t->keys, c->kid);
	if (c->r.key != NULL)
		return EXIT_DONE;
	return qtool_fail(c->t, EXIT_CONFIG, "%s%s",
	    c->t->keys == NULL   ? "no key ring is named: say --keyring FILE"
		: c->kid == NULL ? "the key ring has no active key"
				 : "the key ring has no key ",
	    c->t->keys == NULL || c->kid == NULL ? "" : c->kid);
}

static void
trouble(void *ctx, const char *file, const char *why)
{
	struct convert *c = ctx;

	if (c->troubles++ >= TROUBLES)
		return;
	progress_clear(c->r.bar);
	qtool_note(c->t, "%s: %s%s", file, why,
	    c->troubles == TROUBLES ? " (and others, not named)" : "");
}

static bool
wanted(void *ctx, uint64_t msgid)
{
	const struct convert *c = ctx;

	return surveyor_wants(&c->s, msgid);
}

static uint64_t
count_files(const struct layout *l)
{
	char dir[LAYOUT_NAME_MAX];
	uint64_t files = 0;
	unsigned i;
	char **names;
	size_t n;

	for (i = 0; i < LAYOUT_BUCKETS; i++) {
		names = places_names(l, layout_bucket_name(dir, i), &n);
		places_free(names, n);
		files += n;
	}
	return files;
}

static int
result(struct convert *c, const struct rewritten *d, uint64_t ms)
{
	uint64_t left = d->locked + d->damaged + d->failed;
	struct buf *row = buf_new(ROW_MAX);
	char text[200];

	qtool_begin(c->t, OUT_LIST);
	record_begin(row, "converted");
	record_u64(row, "messages", d->messages);
	record_u64(row, "texts", d->texts);
	record_u64(row, "already", d->already);
	record_u64(row, "locked", d->locked);
	record_u64(row, "damaged", d->damaged);
	record_u64(row, "failed", d->failed);
	record_u64(row, "before_bytes", d->before);
	record_u64(row, "after_bytes", d->after);
	record_u64(row, "elapsed_ms", ms);
	(void)out_record(c->t->out, buf_data(row), buf_len(row));
	buf_free(row);
	snprintf(text, sizeof(text),
	    "%llu files rewritten, %llu had the form, %llu were left",
	    (unsigned long long)(d->messages + d->texts),
	    (unsigned long long)d->already, (unsigned long long)left);
	return qtool_end(c->t,
	    d->failed > 0  ? EXIT_IOERR
		: left > 0 ? EXIT_PARTIAL
			   : EXIT_DONE,
	    d->messages + d->texts, left, text);
}

static int
convert(struct convert *c, int argc, char *argv[])
{
	struct rewritten d;
	struct atrest a;
	uint64_t begun;
	int code = atrest_open(&a, c->t);

	if (code == EXIT_DONE)
		code = surveyor_select(&c->s, argc, argv);
	if (code == EXIT_DONE)
		code = find_key(c);
	if (code == EXIT_DONE) {
		begun = mono_ms();
		c->r.layout = &a.layout;
		c->r.keys = c->t->keys;
		c->r.jobs = c->t->o.jobs;
		c->r.wanted = c->s.narrow ? wanted : NULL;
		c->r.trouble = trouble;
		c->r.ctx = c;
		c->r.bar = progress_new(stderr, "convert",
		    c->s.narrow ? 0 : count_files(&a.layout), !c->t->o.quiet);
		rewrite(&c->r, &d);
		progress_free(c->r.bar);
		code = result(c, &d, mono_ms() - begun);
	}
	atrest_close(&a);
	return code;
}

int
convert_run(struct qtool *t, int argc, char *argv[])
{
	struct convert c = { .t = t, .s = { .t = t } };
	int code = read_options(&c, argc, argv);

	if (code == EXIT_DONE)
		code = convert(&c, argc - optind, argv + optind);
	surveyor_close(&c.s);
	return code;
}

/*
 * key list, key test - which keys there are, what they seal, and that they open
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/cli/progress.h"
#include "lib/proto/record.h"
#include "queue/codec.h"
#include "queue/envfile.h"
#include "tools/qtool/census.h"
#include "tools/qtool/commands.h"

#define ROW_MAX 4096
#define SAMPLE UINT64_C(0x0123456789ab)

static void
bar(void *ctx, uint64_t files)
{
	progress_add(ctx, files, 0);
}

static void
count(struct qtool *t, struct census *c)
{
	struct progress *p = progress_new(stderr, "key list", 0, !t->o.quiet);

	census_take(c, view_layout(t->view), t->o.jobs, bar, p);
	progress_free(p);
}

/* key is NULL for one that the ring lacks. */
static void
put_key(struct qtool *t, const struct key *key, const struct census_kid *k,
    const char *kid, const char *test, struct buf *row)
{
	buf_reset(row);
	record_begin(row, "key");
	record_str(row, "kid", kid);
	record_str(
	    row, "state", key == NULL ? "missing" : key_state_name(key->state));
	record_i64(row, "created", key == NULL ? 0 : key->created);
	record_u64(row, "messages", k == NULL ? 0 : k->messages);
	record_u64(row, "envelopes", k == NULL ? 0 : k->envelopes);
	record_u64(row, "elsewhere", k == NULL ? 0 : k->elsewhere);
	record_i64(row, "oldest", k == NULL ? 0 : k->oldest);
	if (test != NULL)
		record_str(row, "test", test);
	(void)out_record(t->out, buf_data(row), buf_len(row));
}

/* Seals and opens a few words both ways. */
static bool
sample_fits(const struct keyring *r, const struct key *key)
{
	static const char text[] = "spool-envelope: 1\n";
	uint8_t data_key[SEAL_DATA_KEY], again[SEAL_DATA_KEY];
	char slot[SEAL_SLOT + 1], kid[KEYRING_KID + 1];
	struct buf *sealed = buf_new(4096), *clear = buf_new(4096);
	bool fits;

	fits = seal_data_key(data_key) == 0 &&
	    seal_wrap(key, SAMPLE, data_key, slot) == 0 &&
	    seal_unwrap(r, SAMPLE, slot, again, kid) == SEAL_OK &&
	    memcmp(data_key, again, sizeof(again)) == 0 &&
	    seal_text(key, "test", SAMPLE, 1, text, sizeof(text), sealed) ==
		0 &&
	    seal_open_text(r, "test", buf_text(sealed), buf_len(sealed), clear,
		NULL, kid) == SEAL_OK &&
	    buf_len(clear) == sizeof(text) &&
	    memcmp(buf_data(clear), text, sizeof(text)) == 0;
	seal_wipe(data_key, sizeof(data_key));
	seal_wipe(again, sizeof(again));
	buf_free(sealed);
	buf_free(clear);
	return fits;
}

/* What stands in the spool and names the key: a message or a text. */
static bool
opens(const struct qtool *t, const char *file)
{
	const struct layout *l = view_layout(t->view);
	char *data = mem_zarray(ENVFILE_STORED_MAX, 1);
	struct buf *clear = buf_new(ENVFILE_MAX);
	struct codec_reader *r = NULL;
	bool opened = false;
	struct stat st;
	ssize_t n;
	int fd;

	fd = openat(l->root, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd != -1 && fstat(fd, &st) == 0 &&
	    (n = pread(fd, data, ENVFILE_STORED_MAX, 0)) > 0) {
		if (envfile_is_sealed(data, (size_t)n))
			opened = envfile_unwrap(t->keys, data, (size_t)n, clear,
				     NULL, NULL) == ENVFILE_WHOLE;
		else {
			r = codec_open(fd, 0, (uint64_t)st.st_size, t->keys);
			opened = codec_state(r) == CODEC_OK &&
			    codec_verify(r) == CODEC_OK;
			codec_close(r);
		}
	}
	if (fd != -1)
		close(fd);
	buf_free(clear);
	free(data);
	return opened;
}

static int
missing(struct qtool *t, const struct census *c, struct buf *row, bool test)
{
	unsigned i;
	int n = 0;

	for (i = 0; i < c->n; i++) {
		if (keyring_find(t->keys, c->kids[i].kid) != NULL)
			continue;
		put_key(t, NULL, &c->kids[i], c->kids[i].kid,
		    test ? "not in the key ring" : NULL, row);
		n++;
	}
	return n;
}

static int
run(struct qtool *t, bool test)
{
	struct census *c = mem_zalloc(sizeof(*c));
	struct buf *row = buf_new(ROW_MAX);
	size_t n = t->keys == NULL ? 0 : keyring_count(t->keys), i;
	const struct census_kid *k;
	const struct key *key;
	const char *result;
	int bad = 0, lacking;

	count(t, c);
	qtool_begin(t, OUT_LIST);
	for (i = 0; i < n; i++) {
		key = keyring_at(t->keys, i);
		k = census_find(c, key->kid);
		result = NULL;
		if (test && !sample_fits(t->keys, key))
			result = "does not open what it sealed";
		else if (test && k != NULL && !opens(t, k->example))
			result = "does not open what names it";
		bad += result != NULL;
		if (test && result == NULL)
			result = k == NULL ? "sealed and opened a sample"
					   : "sealed and opened a sample, "
					     "opened an object";
		put_key(t, key, k, key->kid, result, row);
	}
	lacking = missing(t, c, row, test);
	bad += lacking;
	buf_free(row);
	(void)qtool_end(t, bad > 0 && test ? EXIT_CONFIG : EXIT_DONE, n, 0, "");
	if (lacking > 0)
		qtool_note(t, "keys are missing: what they seal stays locked");
	free(c);
	return bad > 0 && test ? EXIT_CONFIG : EXIT_DONE;
}

static int
start(struct qtool *t, int argc, char *argv[], bool test)
{
	int code;

	if (qtool_getopt(t, argc, argv, "", NULL) != -1)
		return EXIT_USAGE;
	code = qtool_open(t);
	return code == EXIT_DONE ? run(t, test) : code;
}

int
keylist_run(struct qtool *t, int argc, char *argv[])
{
	return start(t, argc, argv, false);
}

int
keytest_run(struct qtool *t, int argc, char *argv[])
{
	return start(t, argc, argv, true);
}

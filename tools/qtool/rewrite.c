#include "tools/qtool/rewrite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/cli/progress.h"
#include "queue/codec.h"
#include "queue/envfile.h"
#include "tools/qtool/beside.h"
#include "tools/qtool/buckets.h"
#include "tools/qtool/inspect.h"
#include "tools/qtool/places.h"

#define BATCH 192 /* files that share a flush */
#define CHUNK 262144u

struct run {
	const struct rewriting *r;
	pthread_mutex_t lock;
	struct rewritten done;
	uint64_t begun, files; /* for the rate */
};

/* What a thread keeps for itself. */
struct hand {
	struct run *run;
	struct beside *beside;
	struct codec_writer *writer;
	char *data, *other;
	struct buf *clear, *stored;
	struct rewritten done;
};

static void
trouble(struct hand *h, const char *file, const char *why)
{
	pthread_mutex_lock(&h->run->lock);
	h->run->r->trouble(h->run->r->ctx, file, why);
	pthread_mutex_unlock(&h->run->lock);
}

static void
failed(struct hand *h, const char *file, int error)
{
	h->done.failed++;
	trouble(h, file, strerror(error));
}

static int
open_file(struct hand *h, const char *file, uint64_t *size)
{
	int fd = openat(h->run->r->layout->root, file,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	*size = 0;
	if (fd != -1 && fstat(fd, &st) == 0) {
		*size = (uint64_t)st.st_size;
		if (!S_ISREG(st.st_mode)) {
			close(fd);
			errno = ELOOP; /* not ours to rewrite */
			fd = -1;
		}
	}
	return fd;
}

/* Both streams, octet by octet; the last piece comes when all is verified. */
static bool
same_stream(struct hand *h, struct codec_reader *a, struct codec_reader *b)
{
	const struct message *x = codec_message(a), *y = codec_message(b);
	uint64_t at, total = message_clear(x);
	size_t n, m;

	if (x->msgid != y->msgid || x->arrived != y->arrived ||
	    x->record != y->record || x->size != y->size ||
	    codec_verify(b) != CODEC_OK)
		return false;
	for (at = 0; at < total; at += n) {
		if (codec_read(a, at, h->data, CHUNK, &n) != CODEC_OK ||
		    codec_read(b, at, h->other, CHUNK, &m) != CODEC_OK ||
		    n != m || n == 0 || memcmp(h->data, h->other, n) != 0)
			return false;
	}
	return true;
}

static bool
same_message(struct hand *h, int from, uint64_t was, int to, uint64_t is)
{
	struct codec_reader *a = codec_open(from, 0, was, h->run->r->keys),
			    *b = codec_open(to, 0, is, h->run->r->keys);
	bool same = codec_state(a) == CODEC_OK && codec_state(b) == CODEC_OK &&
	    same_stream(h, a, b);

	codec_close(a);
	codec_close(b);
	return same;
}

/* Reads a stored text and opens it into h->clear. */
static enum envfile_state
read_text(struct hand *h, int fd, size_t *len, char kid[KEYRING_KID + 1])
{
	ssize_t n = 1;

	*len = 0;
	while (n > 0 && *len < ENVFILE_STORED_MAX) {
		n = pread(
		    fd, h->data + *len, ENVFILE_STORED_MAX - *len, (off_t)*len);
		*len += n > 0 ? (size_t)n : 0;
	}
	buf_reset(h->clear);
	return envfile_unwrap(
	    h->run->r->keys, h->data, *len, h->clear, NULL, kid);
}

static bool
same_text(struct hand *h, int from, int to)
{
	char kid[KEYRING_KID + 1];
	size_t len, was;

	if (read_text(h, from, &len, kid) != ENVFILE_WHOLE)
		return false;
	was = buf_len(h->clear);
	memcpy(h->other, buf_data(h->clear), was);
	return read_text(h, to, &len, kid) == ENVFILE_WHOLE &&
	    buf_len(h->clear) == was &&
	    memcmp(h->other, buf_data(h->clear), was) == 0;
}

/* What stands beside says the same as what it is to replace. */
static bool
is_same(void *ctx, const char *file, const char *temp)
{
	struct hand *h = ctx;
	uint64_t was, is, id;
	int from, to;
	bool same = false;

	from = open_file(h, file, &was);
	to = open_file(h, temp, &is);
	if (from != -1 && to != -1) {
#ifdef POSIX_FADV_DONTNEED
		/* From the disk, where it lets us. */
		(void)posix_fadvise(to, 0, 0, POSIX_FADV_DONTNEED);
#endif
		if (inspect_name(strrchr(file, '/') + 1, &id) ==
		    INSPECT_MESSAGE)
			same = same_message(h, from, was, to, is);
		else
			same = same_text(h, from, to);
	}
	if (from != -1)
		close(from);
	if (to != -1)
		close(to);
	if (same) {
		h->done.before += was;
		h->done.after += is;
	} else
		errno = EBADMSG;
	return same;
}

static void
settle(struct hand *h)
{
	size_t n = beside_count(h->beside), done;
	const char *file;

	if (n == 0)
		return;
	done = beside_settle(h->beside, is_same, h, &file);
	if (done == n)
		return;
	h->done.failed += n - done - 1;
	failed(h, file, errno);
}

/* The form it shall have; false: it has it. */
static bool
wanted_form(struct hand *h, const struct codec_reader *r, struct codec_form *f)
{
	const struct rewriting *w = h->run->r;
	unsigned codec = codec_message(r)->codec;
	bool zstd = (codec & MESSAGE_ZSTD) != 0;
	const char *kid = codec_kid(r, 0);

	f->level = w->set_comp ? w->level : zstd ? 1 : 0;
	f->key = w->set_enc  ? w->key
	    : kid[0] != '\0' ? keyring_find(w->keys, kid)
			     : NULL;
	if (zstd != (f->level > 0) ||
	    ((codec & MESSAGE_SEALED) != 0) != (f->key != NULL))
		return true;
	/* Sealed by another key it is rewritten; rotation is cheaper. */
	return f->key != NULL && strcmp(f->key->kid, kid) != 0;
}

static bool
readable(struct hand *h, const char *file, enum codec_result rc,
    const struct codec_reader *r)
{
	switch (rc) {
	case CODEC_OK:
		return true;
	case CODEC_NO_KEY:
	case CODEC_WRONG_KEY:
		h->done.locked++;
		break;
	case CODEC_DAMAGED:
	case CODEC_FAILED:
		h->done.damaged++;
		break;
	}
	trouble(h, file, codec_why(r));
	return false;
}

static void
take_message(struct hand *h, const char *file)
{
	struct codec_reader *r;
	struct codec_form form;
	enum codec_result rc;
	uint64_t size;
	int fd, to = -1;

	if ((fd = open_file(h, file, &size)) == -1) {
		if (errno != ELOOP && errno != ENOENT)
			failed(h, file, errno);
		return;
	}
	r = codec_open(fd, 0, size, h->run->r->keys);
	if (!readable(h, file, codec_state(r), r))
		goto out;
	if (!wanted_form(h, r, &form)) {
		h->done.already++;
		goto out;
	}
	if (!readable(h, file, codec_verify(r), r))
		goto out;
	if ((to = beside_open(h->beside, file)) == -1) {
		failed(h, file, errno);
		goto out;
	}
	rc = codec_convert(r, h->writer, &form, to);
	close(to);
	if (rc != CODEC_OK) {
		failed(h, file, errno);
		beside_drop(h->beside);
	} else
		h->done.messages++;
out:
	codec_close(r);
	close(fd);
}

static void
take_text(struct hand *h, const char *file, uint64_t evpid)
{
	const struct rewriting *w = h->run->r;
	char kid[KEYRING_KID + 1];
	enum envfile_state state;
	uint64_t size;
	size_t len;
	int fd;

	if (!w->set_enc)
		return;
	if ((fd = open_file(h, file, &size)) == -1) {
		if (errno != ELOOP && errno != ENOENT)
			failed(h, file, errno);
		return;
	}
	state = read_text(h, fd, &len, kid);
	close(fd);
	if (state != ENVFILE_WHOLE) {
		if (state == ENVFILE_NO_KEY || state == ENVFILE_WRONG_KEY)
			h->done.locked++;
		else
			h->done.damaged++;
		trouble(h, file, envfile_reason(state));
		return;
	}
	if (strcmp(kid, w->key == NULL ? "" : w->key->kid) == 0) {
		h->done.already++;
		return;
	}
	buf_reset(h->stored);
	if (envfile_wrap(w->key, evpid, buf_text(h->clear), buf_len(h->clear),
		h->stored) == -1 ||
	    beside_put(
		h->beside, file, buf_data(h->stored), buf_len(h->stored)) == -1)
		failed(h, file, errno);
	else
		h->done.texts++;
}

/* Waits until there may be one more. */
static void
pace(struct run *run)
{
	struct timespec t;
	uint64_t due, now;

	if (run->r->rate == 0)
		return;
	pthread_mutex_lock(&run->lock);
	due = run->begun + run->files++ * 1000 / run->r->rate;
	pthread_mutex_unlock(&run->lock);
	if ((now = mono_ms()) >= due)
		return;
	t.tv_sec = (time_t)((due - now) / 1000);
	t.tv_nsec = (long)((due - now) % 1000) * 1000000L;
	nanosleep(&t, NULL);
}

static void
take_bucket(void *ctx, void *own, unsigned bucket)
{
	char dir[LAYOUT_NAME_MAX], file[LAYOUT_NAME_MAX + 264];
	struct run *run = ctx;
	struct hand *h = own;
	enum inspect_kind kind;
	uint64_t id;
	size_t n, i;
	char **names;

	names =
	    places_names(run->r->layout, layout_bucket_name(dir, bucket), &n);
	for (i = 0; i < n; i++) {
		kind = inspect_name(names[i], &id);
		if (id == 0 || layout_bucket(ident_msgid(id)) != bucket ||
		    (run->r->wanted != NULL &&
			!run->r->wanted(run->r->ctx, ident_msgid(id))))
			continue;
		pace(run);
		snprintf(file, sizeof(file), "%s/%s", dir, names[i]);
		if (kind == INSPECT_MESSAGE)
			take_message(h, file);
		else
			take_text(h, file, id);
		if (beside_count(h->beside) == BATCH)
			settle(h);
		if (run->r->bar != NULL)
			progress_add(run->r->bar, 1, 0);
	}
	places_free(names, n);
}

static void *
begin(void *ctx)
{
	struct hand *h = mem_zalloc(sizeof(*h));

	h->run = ctx;
	h->beside = beside_new(h->run->r->layout);
	h->writer = codec_writer_new();
	h->data = mem_zarray(CHUNK, 1);
	h->other = mem_zarray(CHUNK, 1);
	h->clear = buf_new(ENVFILE_MAX);
	h->stored = buf_new(ENVFILE_STORED_MAX);
	return h;
}

static void
end(void *ctx, void *own)
{
	struct run *run = ctx;
	struct hand *h = own;

	settle(h);
	pthread_mutex_lock(&run->lock);
	run->done.messages += h->done.messages;
	run->done.texts += h->done.texts;
	run->done.already += h->done.already;
	run->done.locked += h->done.locked;
	run->done.damaged += h->done.damaged;
	run->done.failed += h->done.failed;
	run->done.before += h->done.before;
	run->done.after += h->done.after;
	pthread_mutex_unlock(&run->lock);
	beside_free(h->beside);
	codec_writer_free(h->writer);
	buf_free(h->clear);
	buf_free(h->stored);
	free(h->data);
	free(h->other);
	free(h);
}

void
rewrite(const struct rewriting *r, struct rewritten *done)
{
	struct run run = { .r = r, .begun = mono_ms() };
	struct buckets_work w = {
		.begin = begin, .bucket = take_bucket, .end = end, .ctx = &run
	};

	pthread_mutex_init(&run.lock, NULL);
	buckets_run(r->jobs, &w);
	if (beside_sync(r->layout) == -1) {
		r->trouble(r->ctx, "queue", strerror(errno));
		run.done.failed++;
	} else if (r->key != NULL && beside_renew_journal(r->layout) == -1) {
		r->trouble(r->ctx, "journal", strerror(errno));
		run.done.failed++;
	}
	pthread_mutex_destroy(&run.lock);
	*done = run.done;
}

#include "tools/qtool/rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/cli/progress.h"
#include "queue/envfile.h"
#include "tools/qtool/beside.h"
#include "tools/qtool/buckets.h"
#include "tools/qtool/places.h"
#include "tools/qtool/slots.h"

#define BATCH 192 /* files that share a flush */
#define FILE_MAX 640

struct run {
	const struct rotation *r;
	pthread_mutex_t lock;
	struct rotated done;
};

/* A message whose slots are being changed. */
struct pending {
	struct slots slots;
	char file[FILE_MAX];
};

/* What a thread keeps for itself. */
struct hand {
	struct run *run;
	struct pending *pending;
	size_t n;
	struct beside *beside;
	char *data;
	struct buf *clear, *sealed;
	struct rotated done;
};

static void
trouble(struct hand *h, const char *file, const char *why)
{
	pthread_mutex_lock(&h->run->lock);
	h->run->r->trouble(h->run->r->ctx, file, why);
	pthread_mutex_unlock(&h->run->lock);
}

static void
locked(struct hand *h, const char *file, const char *kid)
{
	char why[80];

	h->done.locked++;
	snprintf(
	    why, sizeof(why), "sealed by key %s, which is not at hand", kid);
	trouble(h, file, why);
}

static void
failed(struct hand *h, const char *file, int error)
{
	h->done.failed++;
	trouble(h, file, strerror(error));
}

static int
flush(struct hand *h)
{
	size_t i;

#ifdef __linux__
	if (h->n > 8)
		return beside_sync(h->run->r->layout);
#endif
	for (i = 0; i < h->n; i++)
		if (fdatasync(h->pending[i].slots.fd) == -1)
			return -1;
	return 0;
}

static void
forget(struct hand *h, size_t i)
{
	close(h->pending[i].slots.fd);
	h->pending[i] = h->pending[--h->n];
}

/* Every step of all of them, a flush between two steps. The last one needs
 * none: the slot it empties is not missed. */
static void
settle_messages(struct hand *h)
{
	unsigned step;
	int error;
	size_t i;

	for (step = 0; step < SLOTS_STEPS && h->n > 0; step++) {
		for (i = 0; i < h->n;) {
			struct slots *s = &h->pending[i].slots;

			if (s->step == step && slots_step(s) == -1) {
				failed(h, h->pending[i].file, errno);
				forget(h, i);
			} else
				i++;
		}
		if (step + 1 == SLOTS_STEPS || flush(h) == 0)
			continue;
		error = errno;
		while (h->n > 0) {
			failed(h, h->pending[0].file, error);
			forget(h, 0);
		}
	}
	h->done.messages += h->n;
	while (h->n > 0)
		forget(h, 0);
}

/* Takes fd. */
static void
take_message(struct hand *h, const char *file, int fd)
{
	const struct rotation *r = h->run->r;
	struct pending *p = &h->pending[h->n];

	switch (slots_begin(&p->slots, fd, r->keys, r->to)) {
	case SLOTS_BEGUN:
		snprintf(p->file, sizeof(p->file), "%s", file);
		if (++h->n == BATCH)
			settle_messages(h);
		return;
	case SLOTS_NOTHING:
		h->done.already++;
		break;
	case SLOTS_NO_KEY:
		locked(h, file, p->slots.kid);
		break;
	case SLOTS_DAMAGED:
		h->done.damaged++;
		trouble(h, file, p->slots.why);
		break;
	}
	close(fd);
}

/* Reads a stored text and opens it into h->clear. */
static enum envfile_state
read_text(struct hand *h, const char *file, uint64_t *evpid,
    char kid[KEYRING_KID + 1])
{
	size_t len = 0;
	ssize_t n = 1;
	int fd;

	kid[0] = '\0';
	fd = openat(h->run->r->layout->root, file,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	while (fd != -1 && n > 0 && len < ENVFILE_STORED_MAX) {
		n = read(fd, h->data + len, ENVFILE_STORED_MAX - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (fd != -1)
		close(fd);
	buf_reset(h->clear);
	return envfile_unwrap(
	    h->run->r->keys, h->data, len, h->clear, evpid, kid);
}

/* What was written beside says the same, by the new key. */
static bool
is_same(void *ctx, const char *file, const char *temp)
{
	struct hand *h = ctx;
	char kid[KEYRING_KID + 1], *was;
	uint64_t evpid;
	size_t len;
	bool same;

	if (read_text(h, file, &evpid, kid) != ENVFILE_WHOLE)
		return false;
	len = buf_len(h->clear);
	was = mem_zarray(len + 1, 1);
	memcpy(was, buf_data(h->clear), len);
	same = read_text(h, temp, &evpid, kid) == ENVFILE_WHOLE &&
	    strcmp(kid, h->run->r->to->kid) == 0 && buf_len(h->clear) == len &&
	    memcmp(was, buf_data(h->clear), len) == 0;
	free(was);
	if (!same)
		errno = EBADMSG;
	return same;
}

static void
settle_texts(struct hand *h)
{
	size_t n = beside_count(h->beside), done;
	const char *file;

	if (n == 0)
		return;
	done = beside_settle(h->beside, is_same, h, &file);
	h->done.texts += done;
	if (done < n) {
		h->done.failed += n - done - 1;
		failed(h, file, errno);
	}
}

static void
take_text(struct hand *h, const char *file)
{
	const struct rotation *r = h->run->r;
	char kid[KEYRING_KID + 1];
	uint64_t evpid;

	switch (read_text(h, file, &evpid, kid)) {
	case ENVFILE_WHOLE:
		break;
	case ENVFILE_NO_KEY:
	case ENVFILE_WRONG_KEY:
		locked(h, file, kid);
		return;
	case ENVFILE_TORN:
	case ENVFILE_EDITED:
		h->done.damaged++;
		trouble(h, file, "a sealed text that was damaged");
		return;
	}
	if (kid[0] == '\0' || strcmp(kid, r->to->kid) == 0) {
		h->done.already++;
		return;
	}
	buf_reset(h->sealed);
	if (envfile_wrap(r->to, evpid, buf_text(h->clear), buf_len(h->clear),
		h->sealed) == -1 ||
	    beside_put(
		h->beside, file, buf_data(h->sealed), buf_len(h->sealed)) == -1)
		failed(h, file, errno);
	else if (beside_count(h->beside) == BATCH)
		settle_texts(h);
}

static void
take(struct hand *h, const char *file)
{
	char start[MESSAGE_HEAD];
	struct stat st;
	ssize_t n;
	int fd;

	fd = openat(h->run->r->layout->root, file,
	    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd == -1) {
		/* A link or a directory is not ours to seal. */
		if (errno != ELOOP && errno != EISDIR && errno != ENXIO)
			failed(h, file, errno);
		return;
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		close(fd);
		return;
	}
	n = pread(fd, start, sizeof(start), 0);
	if (n > 0 && envfile_is_sealed(start, (size_t)n)) {
		close(fd);
		take_text(h, file);
	} else if (n > 17 && memcmp(start, "spoolkit-message ", 17) == 0)
		take_message(h, file, fd);
	else {
		h->done.already++;
		close(fd);
	}
}

static bool
take_elsewhere(void *ctx, const char *file)
{
	take(ctx, file);
	return true;
}

static void *
begin(void *ctx)
{
	struct hand *h = mem_zalloc(sizeof(*h));

	h->run = ctx;
	h->pending = mem_zarray(BATCH, sizeof(*h->pending));
	h->beside = beside_new(h->run->r->layout);
	h->data = mem_zarray(ENVFILE_STORED_MAX, 1);
	h->clear = buf_new(ENVFILE_MAX);
	h->sealed = buf_new(ENVFILE_STORED_MAX);
	return h;
}

static void
end(void *ctx, void *own)
{
	struct run *run = ctx;
	struct hand *h = own;

	settle_messages(h);
	settle_texts(h);
	pthread_mutex_lock(&run->lock);
	run->done.messages += h->done.messages;
	run->done.texts += h->done.texts;
	run->done.already += h->done.already;
	run->done.locked += h->done.locked;
	run->done.damaged += h->done.damaged;
	run->done.failed += h->done.failed;
	pthread_mutex_unlock(&run->lock);
	beside_free(h->beside);
	buf_free(h->clear);
	buf_free(h->sealed);
	free(h->pending);
	free(h->data);
	free(h);
}

static void
take_bucket(void *ctx, void *own, unsigned bucket)
{
	char dir[LAYOUT_NAME_MAX], file[LAYOUT_NAME_MAX + 264];
	struct run *run = ctx;
	size_t n, i;
	char **names;

	names =
	    places_names(run->r->layout, layout_bucket_name(dir, bucket), &n);
	for (i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", dir, names[i]);
		take(own, file);
		if (run->r->bar != NULL)
			progress_add(run->r->bar, 1, 0);
	}
	places_free(names, n);
}

void
rotate(const struct rotation *r, struct rotated *done)
{
	struct run run = { .r = r };
	struct buckets_work w = {
		.begin = begin, .bucket = take_bucket, .end = end, .ctx = &run
	};
	struct hand *h;

	pthread_mutex_init(&run.lock, NULL);
	buckets_run(r->jobs, &w);
	h = begin(&run);
	places_elsewhere(r->layout, take_elsewhere, h);
	end(&run, h);
	if (beside_sync(r->layout) == -1) {
		r->trouble(r->ctx, "queue", strerror(errno));
		run.done.failed++;
	} else if (beside_renew_journal(r->layout) == -1) {
		r->trouble(r->ctx, "journal", strerror(errno));
		run.done.failed++;
	}
	pthread_mutex_destroy(&run.lock);
	*done = run.done;
}

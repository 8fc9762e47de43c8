#include "tools/qtool/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "tools/qtool/places.h"

#define FILE_MAX 320
#define OLD_JOURNAL "incoming/journal.new"
#define MANY 8 /* one flush of everything is cheaper than so many */

struct pair {
	char file[FILE_MAX], temp[FILE_MAX];
};

struct beside {
	const struct layout *l;
	struct pair *pairs;
	size_t n, room;
	char failed[FILE_MAX];
};

struct beside *
beside_new(const struct layout *l)
{
	struct beside *b = mem_zalloc(sizeof(*b));

	b->l = l;
	return b;
}

void
beside_free(struct beside *b)
{
	if (b == NULL)
		return;
	while (b->n > 0)
		beside_drop(b);
	free(b->pairs);
	free(b);
}

size_t
beside_count(const struct beside *b)
{
	return b->n;
}

void
beside_drop(struct beside *b)
{
	(void)unlinkat(b->l->root, b->pairs[--b->n].temp, 0);
}

int
beside_open(struct beside *b, const char *file)
{
	const char *base = strrchr(file, '/');
	struct pair *p;
	int fd;

	if (b->n == b->room) {
		b->room = b->room == 0 ? 16 : b->room * 2;
		b->pairs = mem_rearray(b->pairs, b->room, sizeof(*b->pairs));
	}
	p = &b->pairs[b->n];
	snprintf(p->file, sizeof(p->file), "%s", file);
	/* Names of corrupt/ and trash/ may be the same. */
	snprintf(p->temp, sizeof(p->temp), "incoming/%.200s.%zu.new",
	    base == NULL ? file : base + 1, b->n);
	/* Left by one that was killed. */
	(void)unlinkat(b->l->root, p->temp, 0);
	if ((fd = layout_open_write(b->l, p->temp, true)) != -1)
		b->n++;
	return fd;
}

int
beside_put(struct beside *b, const char *file, const void *data, size_t len)
{
	int fd = beside_open(b, file), rc, error;

	if (fd == -1)
		return -1;
	rc = layout_write_all(fd, data, len);
	error = errno;
	if (close(fd) == -1 && rc == 0) {
		rc = -1;
		error = errno;
	}
	if (rc == -1) {
		beside_drop(b);
		errno = error;
	}
	return rc;
}

int
beside_sync(const struct layout *l)
{
#ifdef __linux__
	return syncfs(l->root);
#else
	/* There is none that tells; what counts was flushed by itself. */
	(void)l;
	sync();
	return 0;
#endif
}

static int
sync_file(const struct layout *l, const char *name, int flags)
{
	int fd = openat(l->root, name, flags | O_NOFOLLOW | O_CLOEXEC), rc;

	if (fd == -1)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

static int
sync_temps(const struct beside *b)
{
	size_t i;

#ifdef __linux__
	if (b->n > MANY)
		return syncfs(b->l->root);
#endif
	for (i = 0; i < b->n; i++)
		if (sync_file(b->l, b->pairs[i].temp, O_RDONLY) == -1)
			return -1;
	return 0;
}

/* The directories of what was put in place. */
static int
sync_dirs(const struct beside *b)
{
	char dir[FILE_MAX], last[FILE_MAX] = "";
	size_t i;

#ifdef __linux__
	if (b->n > MANY)
		return syncfs(b->l->root);
#endif
	for (i = 0; i < b->n; i++) {
		snprintf(dir, sizeof(dir), "%s", b->pairs[i].file);
		*strrchr(dir, '/') = '\0';
		if (strcmp(dir, last) == 0)
			continue;
		if (sync_file(b->l, dir, O_RDONLY | O_DIRECTORY) == -1)
			return -1;
		memcpy(last, dir, sizeof(last));
	}
	return 0;
}

/* Zeros over it, where the file system writes in place. */
static void
wipe(const struct layout *l, const char *name)
{
	static const char zeros[65536];
	struct stat st;
	off_t at;
	int fd = openat(l->root, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		for (at = 0; at < st.st_size; at += (off_t)sizeof(zeros))
			if (pwrite(fd, zeros, sizeof(zeros), at) == -1)
				break;
		(void)fsync(fd);
	}
	if (fd != -1)
		close(fd);
	(void)unlinkat(l->root, name, 0);
}

static void
wipe_journal(const struct layout *l)
{
	char name[FILE_MAX];
	char **names;
	size_t n, i;

	names = places_names(l, OLD_JOURNAL, &n);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), OLD_JOURNAL "/%s", names[i]);
		wipe(l, name);
	}
	places_free(names, n);
	(void)unlinkat(l->root, OLD_JOURNAL, AT_REMOVEDIR);
}

int
beside_renew_journal(const struct layout *l)
{
	/* In one step: half a journal could bring back what was finished. */
	if (renameat(l->root, "journal", l->root, OLD_JOURNAL) == -1 ||
	    mkdirat(l->root, "journal", 0700) == -1 ||
	    (l->chown &&
		fchownat(l->root, "journal", l->owner, l->group,
		    AT_SYMLINK_NOFOLLOW) == -1) ||
	    sync_file(l, ".", O_RDONLY | O_DIRECTORY) == -1)
		return -1;
	wipe_journal(l);
	return 0;
}

void
beside_sweep(const struct layout *l)
{
	char name[FILE_MAX];
	char **names;
	size_t n, i, len;

	names = places_names(l, "incoming", &n);
	for (i = 0; i < n; i++) {
		len = strlen(names[i]);
		if (len < 4 || strcmp(names[i] + len - 4, ".new") != 0)
			continue;
		snprintf(name, sizeof(name), "incoming/%s", names[i]);
		if (strcmp(name, OLD_JOURNAL) == 0)
			wipe_journal(l);
		else
			(void)unlinkat(l->root, name, 0);
	}
	places_free(names, n);
}

size_t
beside_settle(struct beside *b,
    bool (*same)(void *ctx, const char *file, const char *temp), void *ctx,
    const char **failed)
{
	size_t done = 0, i;
	int error = 0;

	*failed = b->failed;
	if (b->n > 0)
		snprintf(b->failed, sizeof(b->failed), "%s", b->pairs[0].file);
	if (sync_temps(b) == -1) {
		error = errno;
		while (b->n > 0)
			beside_drop(b);
		errno = error;
		return 0;
	}
	for (i = 0; i < b->n; i++) {
		struct pair *p = &b->pairs[i];

		if ((same == NULL || same(ctx, p->file, p->temp)) &&
		    renameat(b->l->root, p->temp, b->l->root, p->file) == 0) {
			done++;
			continue;
		}
		error = errno;
		snprintf(b->failed, sizeof(b->failed), "%s", p->file);
		(void)unlinkat(b->l->root, p->temp, 0);
	}
	if (sync_dirs(b) == -1)
		error = errno;
	b->n = 0;
	errno = error;
	return done;
}

#include "queue/ring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/fs.h>
#endif

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

enum state {
	FREE,
	STALE, /* free once its file has been made anew */
	RENEWING,
	CURRENT,
	LIVE
};

struct slot {
	int fd;
	unsigned file; /* its name */
	enum state state;
	bool headed; /* head is that of the file */
	const char *odd; /* why something was lost in it, or NULL */
	bool failed;
	struct journal_segment head;
	uint64_t last; /* seq of its last record */
	uint64_t valid; /* when failed: of its last flushed one */
	uint64_t size;
	uint64_t used; /* octets, while current */
};

struct ring {
	pthread_mutex_t lock;
	struct slot slots[RING_SLOTS];
	unsigned count;
	uint64_t size; /* of a segment */
	uint64_t next; /* segment number */
	uint64_t run;
	const struct layout *layout;
};

static int
read_head(struct slot *s)
{
	char *block = mem_zalloc(JOURNAL_BLOCK);
	ssize_t n = pread(s->fd, block, JOURNAL_BLOCK, 0), i;

	/* What is not there of it is zeros. */
	s->headed =
	    n > 0 && journal_segment_parse(&s->head, block, JOURNAL_BLOCK);
	for (i = 0; i < n && block[i] == 0; i++)
		;
	/* A file gets its name when it is whole, and a head is written before
	 * anything else. */
	if (n == 0)
		s->odd = "it is empty";
	else if (n > 0 && !s->headed && i < n)
		s->odd = "its head cannot be read";
	free(block);
	return n == -1 ? -1 : 0;
}

static int
add_file(struct ring *r, unsigned file, bool reading)
{
	struct slot *s = &r->slots[r->count];
	char name[LAYOUT_NAME_MAX];
	struct stat st;

	if (r->count == RING_SLOTS) {
		errno = ENFILE;
		return -1;
	}
	memset(s, 0, sizeof(*s));
	s->file = file;
	layout_segment(name, file);
	s->fd = reading ? layout_open_read(r->layout, name, NULL)
			: layout_open_write(r->layout, name, false);
	if (s->fd == -1)
		return -1;
	if (fstat(s->fd, &st) == -1 || read_head(s) == -1) {
		close(s->fd);
		return -1;
	}
	s->size = (uint64_t)st.st_size;
	if (s->headed && s->size < s->head.size)
		s->odd = "it is cut short";
	s->state =
	    reading || (s->size == r->size && s->odd == NULL) ? FREE : STALE;
	r->count++;
	return 0;
}

/* A file that was not finished, or one of whose two names a power cut kept the
 * old one as well: nothing trusts a file with two. */
static void
sweep_unfinished(const struct layout *l, DIR *dir)
{
	char name[LAYOUT_NAME_MAX + 256];
	struct dirent *entry;
	size_t len;

	while ((entry = readdir(dir)) != NULL) {
		len = strlen(entry->d_name);
		if (len < 5 || strcmp(entry->d_name + len - 4, ".new") != 0)
			continue;
		snprintf(name, sizeof(name), "journal/%s", entry->d_name);
		(void)unlinkat(l->root, name, 0);
	}
	rewinddir(dir);
}

struct ring *
ring_open(const struct layout *l, uint64_t size, char *err, size_t errlen)
{
	struct ring *r = mem_zalloc(sizeof(*r));
	struct dirent *entry;
	DIR *dir = NULL;
	uint64_t file;
	int fd;

	pthread_mutex_init(&r->lock, NULL);
	r->layout = l;
	r->size = size;
	r->run = ident_random64();
	if ((fd = layout_open_dir(l, "journal")) == -1 ||
	    (dir = fdopendir(fd)) == NULL) {
		snprintf(err, errlen, "journal: %s", strerror(errno));
		if (fd != -1)
			close(fd);
		ring_close(r);
		return NULL;
	}
	sweep_unfinished(l, dir);
	while ((entry = readdir(dir)) != NULL) {
		if (!text_number(entry->d_name, 9999, &file))
			continue;
		if (add_file(r, (unsigned)file, false) == -1) {
			snprintf(err, errlen, "journal/%u: %s", (unsigned)file,
			    layout_reason(errno));
			closedir(dir);
			ring_close(r);
			return NULL;
		}
	}
	closedir(dir);
	return r;
}

struct ring *
ring_open_reading(const struct layout *l, char *err, size_t errlen)
{
	struct ring *r = mem_zalloc(sizeof(*r));
	struct dirent *entry;
	DIR *dir = NULL;
	uint64_t file;
	int fd;

	pthread_mutex_init(&r->lock, NULL);
	r->layout = l;
	err[0] = '\0';
	if ((fd = layout_open_dir(l, "journal")) == -1 ||
	    (dir = fdopendir(fd)) == NULL) {
		snprintf(err, errlen, "journal: %s", strerror(errno));
		if (fd != -1)
			close(fd);
		return r;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (text_number(entry->d_name, 9999, &file) &&
		    add_file(r, (unsigned)file, true) == -1)
			snprintf(err, errlen, "journal/%u: %s", (unsigned)file,
			    layout_reason(errno));
	}
	closedir(dir);
	return r;
}

/* Zeros on the disk, so that later flushes change no metadata. */
static int
write_zeros(int fd, uint64_t size)
{
	const size_t chunk = 256 * 1024;
	char *zeros = mem_zalloc(chunk);
	uint64_t at = 0;
	ssize_t n;

#if defined(__linux__) && defined(FS_NOCOW_FL)
	int flags;

	/* Copy-on-write would move the blocks at every flush. */
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags |= FS_NOCOW_FL;
		(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
#endif
	while (at < size) {
		n = pwrite(fd, zeros,
		    size - at < chunk ? (size_t)(size - at) : chunk, (off_t)at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (uint64_t)n;
	}
	free(zeros);
	return at == size ? fsync(fd) : -1;
}

static int
make_file(struct ring *r, unsigned file)
{
	char name[LAYOUT_NAME_MAX], to[LAYOUT_NAME_MAX];
	int fd, error;

	/* The old one goes first: there may be no room for both. */
	layout_segment(to, file);
	if (unlinkat(r->layout->root, to, 0) == -1 && errno != ENOENT)
		return -1;
	/* A name that never stood for less than the whole file: so one that
	 * does has lost something. */
	snprintf(name, sizeof(name), "%.32s.new", to);
	(void)unlinkat(r->layout->root, name, 0);
	if ((fd = layout_open_write(r->layout, name, true)) == -1)
		return -1;
	if (write_zeros(fd, r->size) == 0 &&
	    renameat(r->layout->root, name, r->layout->root, to) == 0)
		return fd;
	error = errno;
	close(fd);
	(void)unlinkat(r->layout->root, name, 0);
	errno = error;
	return -1;
}

static int
flush_dir(struct ring *r)
{
	int fd = layout_open_dir(r->layout, "journal"), rc;

	if (fd == -1)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

int
ring_fill(struct ring *r, unsigned segments, char *err, size_t errlen)
{
	unsigned i, file, ready = 0;
	bool made = false;
	int fd;

	for (i = 0; i < r->count; i++) {
		if (r->slots[i].state != STALE)
			continue;
		made = true;
		if ((fd = make_file(r, r->slots[i].file)) == -1)
			goto failed;
		close(r->slots[i].fd);
		r->slots[i].fd = fd;
		r->slots[i].size = r->size;
		r->slots[i].headed = false;
		r->slots[i].odd = NULL;
		r->slots[i].state = FREE;
	}
	for (i = 0; i < r->count; i++)
		ready += r->slots[i].state == FREE;
	/* As many as the ring has, and three free ones whatever is live. */
	for (file = 0;
	     (r->count < segments + 1 || ready < 3) && r->count < RING_SLOTS;
	     file++) {
		for (i = 0; i < r->count && r->slots[i].file != file; i++)
			;
		if (i < r->count)
			continue;
		made = true;
		if ((fd = make_file(r, file)) == -1)
			goto failed;
		close(fd);
		if (add_file(r, file, false) == -1)
			goto failed;
		ready++;
	}
	if (!made || flush_dir(r) == 0)
		return 0;
failed:
	snprintf(err, errlen, "journal: %s", strerror(errno));
	return -1;
}

void
ring_close(struct ring *r)
{
	unsigned i;

	if (r == NULL)
		return;
	for (i = 0; i < r->count; i++)
		close(r->slots[i].fd);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

unsigned
ring_slots(const struct ring *r)
{
	return r->count;
}

int
ring_fd(const struct ring *r, unsigned slot)
{
	return r->slots[slot].fd;
}

bool
ring_head(const struct ring *r, unsigned slot, struct journal_segment *head)
{
	*head = r->slots[slot].head;
	return r->slots[slot].headed;
}

const char *
ring_odd(const struct ring *r, unsigned slot)
{
	return r->slots[slot].odd;
}

unsigned
ring_file(const struct ring *r, unsigned slot)
{
	return r->slots[slot].file;
}

void
ring_keep(struct ring *r, unsigned slot, uint64_t last)
{
	r->slots[slot].state = LIVE;
	r->slots[slot].last = last;
}

void
ring_resume(struct ring *r, uint64_t next_segment)
{
	r->next = next_segment;
}

static unsigned
count_free(const struct ring *r)
{
	unsigned i, n = 0;

	for (i = 0; i < r->count; i++)
		n += r->slots[i].state == FREE;
	return n;
}

int
ring_take(struct ring *r, enum ring_need need, uint64_t first,
    struct journal_segment *head)
{
	struct slot *s = NULL;
	unsigned i;
	int found = -1;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < r->count && count_free(r) > (unsigned)need; i++) {
		/* The one that has rested longest. */
		if (r->slots[i].state == FREE &&
		    (s == NULL || r->slots[i].head.number < s->head.number)) {
			s = &r->slots[i];
			found = (int)i;
		}
	}
	if (s != NULL) {
		for (i = 0; i < r->count; i++)
			if (r->slots[i].state == CURRENT)
				r->slots[i].state = LIVE;
		s->state = CURRENT;
		s->headed = true;
		s->failed = false;
		s->head.number = r->next++;
		s->head.run = r->run;
		s->head.first = first;
		s->head.size = r->size;
		s->used = JOURNAL_BLOCK;
		s->last = first - 1;
		for (i = 0; i < JOURNAL_SECRET; i += 8) {
			uint64_t random = ident_random64();

			memcpy(s->head.secret + i, &random, 8);
		}
		*head = s->head;
	}
	pthread_mutex_unlock(&r->lock);
	return found;
}

void
ring_wrote(struct ring *r, unsigned slot, uint64_t last, uint64_t used)
{
	pthread_mutex_lock(&r->lock);
	r->slots[slot].last = last;
	r->slots[slot].used = used;
	pthread_mutex_unlock(&r->lock);
}

void
ring_failed(struct ring *r, unsigned slot, uint64_t valid)
{
	pthread_mutex_lock(&r->lock);
	/* One of which nothing counts need not wait for a checkpoint. */
	r->slots[slot].state = valid < r->slots[slot].head.first ? STALE : LIVE;
	r->slots[slot].failed = true;
	r->slots[slot].valid = valid;
	pthread_mutex_unlock(&r->lock);
}

size_t
ring_cuts(struct ring *r, char *text, size_t size)
{
	size_t at = 0;
	unsigned i;
	int n;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < r->count; i++) {
		if (r->slots[i].state == FREE || !r->slots[i].failed ||
		    !r->slots[i].headed)
			continue;
		n = snprintf(text + at, size - at,
		    "cut segment=%016" PRIx64 " valid=%016" PRIx64 "\n",
		    r->slots[i].head.number, r->slots[i].valid);
		if (n < 0 || (size_t)n >= size - at)
			break;
		at += (size_t)n;
	}
	pthread_mutex_unlock(&r->lock);
	return at;
}

unsigned
ring_release(struct ring *r, uint64_t low)
{
	unsigned i, n = 0;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < r->count; i++) {
		struct slot *s = &r->slots[i];

		if (s->state != LIVE || s->last >= low)
			continue;
		/* What failed once, or has another size, is made anew. */
		s->state = s->failed || s->size != r->size ? STALE : FREE;
		n++;
	}
	pthread_mutex_unlock(&r->lock);
	return n;
}

unsigned
ring_releasable(struct ring *r, uint64_t low)
{
	unsigned i, n = 0;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < r->count; i++)
		n += r->slots[i].state == LIVE && r->slots[i].last < low;
	pthread_mutex_unlock(&r->lock);
	return n;
}

uint64_t
ring_first(struct ring *r, unsigned slot)
{
	uint64_t first;

	pthread_mutex_lock(&r->lock);
	first = r->slots[slot].head.first;
	pthread_mutex_unlock(&r->lock);
	return first;
}

int
ring_oldest(struct ring *r)
{
	const struct slot *s;
	unsigned i;
	int found = -1;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < r->count; i++) {
		s = &r->slots[i];
		if ((s->state == LIVE || s->state == CURRENT) &&
		    (found == -1 ||
			s->head.number < r->slots[found].head.number))
			found = (int)i;
	}
	pthread_mutex_unlock(&r->lock);
	return found;
}

unsigned
ring_free(struct ring *r)
{
	unsigned n;

	pthread_mutex_lock(&r->lock);
	n = count_free(r);
	pthread_mutex_unlock(&r->lock);
	return n;
}

void
ring_use(struct ring *r, uint64_t *size, uint64_t *used)
{
	unsigned i;

	*size = *used = 0;
	pthread_mutex_lock(&r->lock);
	for (i = 0; i < r->count; i++) {
		*size += r->slots[i].size;
		if (r->slots[i].state == CURRENT)
			*used += r->slots[i].used;
		else if (r->slots[i].state != FREE)
			*used += r->slots[i].size;
	}
	pthread_mutex_unlock(&r->lock);
}

int
ring_stale(struct ring *r)
{
	int found = -1;
	unsigned i;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < r->count && found == -1; i++) {
		if (r->slots[i].state == STALE) {
			r->slots[i].state = RENEWING;
			found = (int)i;
		}
	}
	pthread_mutex_unlock(&r->lock);
	return found;
}

int
ring_renew(struct ring *r, unsigned slot)
{
	int fd = make_file(r, r->slots[slot].file), old = -1;

	if (fd != -1 && flush_dir(r) == -1) {
		close(fd);
		fd = -1;
	}
	pthread_mutex_lock(&r->lock);
	r->slots[slot].state = fd == -1 ? STALE : FREE;
	if (fd != -1) {
		old = r->slots[slot].fd;
		r->slots[slot].fd = fd;
		r->slots[slot].size = r->size;
		r->slots[slot].failed = false;
	}
	pthread_mutex_unlock(&r->lock);
	if (old != -1)
		close(old);
	return fd == -1 ? -1 : 0;
}

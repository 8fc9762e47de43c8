/*
 * libqtrace - the preloaded half of qtrace
 *
 * QTRACE=FILE and QTRACE_ROOT=DIR in the environment begin a log from the
 * start, for any program; a program may also begin one itself.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "regress/qcrash/libqtrace.h"

#define FILES 4096
#define LOG_ROOM (64u * 1024 * 1024)

static struct {
	pthread_mutex_t lock;
	struct qtrace_log *log;
	char root[256];
	size_t root_len;
	struct qtrace_file files[FILES];
	struct qtrace_fault faults[QTRACE_FAULTS];
	unsigned slow;
	uint64_t random; /* 0: the system's */
} t = { .lock = PTHREAD_MUTEX_INITIALIZER };

void *
qtrace_real(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (f == NULL)
		qtrace_refuse(name, "is not in libc");
	return f;
}

void
qtrace_refuse(const char *what, const char *why)
{
	fprintf(stderr, "libqtrace: %s: %s\n", what, why);
	fflush(stderr);
	abort();
}

bool
qtrace_on(void)
{
	return t.log != NULL;
}

void
qtrace_enter(void)
{
	pthread_mutex_lock(&t.lock);
}

void
qtrace_leave(void)
{
	int error = errno;

	pthread_mutex_unlock(&t.lock);
	errno = error;
}

struct qtrace_file *
qtrace_file(int fd)
{
	if (t.log == NULL || fd < 0)
		return NULL;
	if (fd >= FILES)
		qtrace_refuse("open", "too many files");
	return t.files[fd].open ? &t.files[fd] : NULL;
}

bool
qtrace_name(char name[QTRACE_NAME], int dirfd, const char *path)
{
	struct qtrace_file *dir;
	int n;

	if (t.log == NULL)
		return false;
	if (path[0] == '/') {
		if (strncmp(path, t.root, t.root_len) != 0 ||
		    (path[t.root_len] != '/' && path[t.root_len] != '\0'))
			return false;
		path += t.root_len;
		n = snprintf(
		    name, QTRACE_NAME, "%s", *path == '/' ? path + 1 : path);
	} else {
		if (dirfd == AT_FDCWD || (dir = qtrace_file(dirfd)) == NULL)
			return false;
		while (strncmp(path, "./", 2) == 0)
			path += 2;
		if (strcmp(path, ".") == 0)
			path = "";
		n = snprintf(name, QTRACE_NAME, "%s%s%s", dir->name,
		    dir->name[0] != '\0' && path[0] != '\0' ? "/" : "", path);
	}
	if (n < 0 || n >= QTRACE_NAME || strstr(name, "..") != NULL)
		qtrace_refuse(path, "a name that cannot be followed");
	return true;
}

void
qtrace_opened(int fd, const char *name, bool dir, uint64_t inode)
{
	if (fd >= FILES)
		qtrace_refuse(name, "too many files");
	t.files[fd].open = true;
	t.files[fd].dir = dir;
	t.files[fd].inode = inode;
	snprintf(t.files[fd].name, QTRACE_NAME, "%s", name);
}

uint64_t
qtrace_write(struct qtrace_record *r, const char *libc, const char *name,
    const char *other, const struct iovec *v, int n, size_t data)
{
	struct qtrace_log *log = t.log;
	uint64_t at = log->used;
	size_t part;
	char *to;
	int i;

	r->name = name == NULL ? 0 : (uint32_t)strlen(name) + 1;
	r->other = other == NULL ? 0 : (uint32_t)strlen(other) + 1;
	r->thread = (uint32_t)syscall(SYS_gettid);
	snprintf(r->libc, sizeof(r->libc), "%s", libc);
	part = sizeof(*r) + r->name + r->other + data;
	r->size = (uint32_t)((part + 7) / 8 * 8);
	if (r->size > log->room - log->used)
		qtrace_refuse(libc, "the log is full");
	to = log->records + at;
	memcpy(to, r, sizeof(*r));
	to += sizeof(*r);
	if (name != NULL)
		to = (char *)memcpy(to, name, r->name) + r->name;
	if (other != NULL)
		to = (char *)memcpy(to, other, r->other) + r->other;
	for (i = 0; i < n && data > 0; i++) {
		part = v[i].iov_len < data ? v[i].iov_len : data;
		to = (char *)memcpy(to, v[i].iov_base, part) + part;
		data -= part;
	}
	log->calls++;
	log->used += r->size;
	return at;
}

const struct qtrace_fault *
qtrace_due(const char *libc, const char *name)
{
	unsigned i;

	for (i = 0; i < QTRACE_FAULTS; i++) {
		struct qtrace_fault *f = &t.faults[i];

		if (f->libc == NULL || strcmp(f->libc, libc) != 0 ||
		    strncmp(f->prefix, name, strlen(f->prefix)) != 0)
			continue;
		if (f->skip > 0) {
			f->skip--;
			continue;
		}
		if (f->count > 0) {
			f->count--;
			return f;
		}
	}
	return NULL;
}

void
qtrace_pause(bool all)
{
	struct timespec ts = { 0, (long)t.slow * (all ? 20000 : 1000) };

	if (t.slow > 0)
		nanosleep(&ts, NULL);
}

void
qtrace_start(struct qtrace_log *log, const char *root)
{
	qtrace_enter();
	snprintf(t.root, sizeof(t.root), "%s", root);
	t.root_len = strlen(t.root);
	memset(t.files, 0, sizeof(t.files));
	log->magic = QTRACE_MAGIC;
	t.log = log;
	qtrace_leave();
}

void
qtrace_stop(void)
{
	qtrace_enter();
	t.log = NULL;
	memset(t.faults, 0, sizeof(t.faults));
	qtrace_leave();
}

void
qtrace_freeze(void)
{
	qtrace_enter();
}

void
qtrace_mark(const char *word, uint64_t a, uint64_t b, uint64_t c)
{
	struct qtrace_record r = { .call = QTRACE_MARK, .mark = { a, b, c } };

	if (t.log == NULL)
		return;
	qtrace_enter();
	(void)qtrace_write(&r, "mark", word, NULL, NULL, 0, 0);
	qtrace_leave();
}

void
qtrace_fault(unsigned slot, const struct qtrace_fault *f)
{
	qtrace_enter();
	t.faults[slot] = *f;
	qtrace_leave();
}

void
qtrace_slow(unsigned us)
{
	t.slow = us;
}

void
qtrace_seed(uint64_t seed)
{
	t.random = seed;
}

void
arc4random_buf(void *data, size_t len)
{
	uint8_t *p = data;
	uint64_t z;

	if (t.random == 0) {
		static void (*real)(void *, size_t);

		if (real == NULL)
			*(void **)(&real) = qtrace_real("arc4random_buf");
		real(data, len);
		return;
	}
	pthread_mutex_lock(&t.lock);
	while (len-- > 0) {
		/* splitmix64, an octet at a time: few are asked for. */
		z = t.random += UINT64_C(0x9e3779b97f4a7c15);
		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		*p++ = (uint8_t)(z >> 56);
	}
	pthread_mutex_unlock(&t.lock);
}

__attribute__((constructor)) static void
begin_from_environment(void)
{
	const char *file = getenv("QTRACE"), *root = getenv("QTRACE_ROOT");
	struct qtrace_log *log;
	int fd;

	if (file == NULL || root == NULL)
		return;
	fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1 || ftruncate(fd, LOG_ROOM) == -1)
		qtrace_refuse(file, strerror(errno));
	log = mmap(NULL, LOG_ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (log == MAP_FAILED)
		qtrace_refuse(file, strerror(errno));
	close(fd);
	log->room = LOG_ROOM - sizeof(*log);
	/* Children and later programs go unseen. */
	unsetenv("QTRACE");
	qtrace_start(log, root);
}

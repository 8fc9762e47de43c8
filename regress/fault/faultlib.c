/*
 * faultlib - system calls of the daemon's roles fail as a test wants it
 *
 * Preloaded into the whole set. The file named by FAULTS is shared memory: a
 * row per call says which error, at every how manyth call, after how long a
 * delay, or how few octets a write may take; in which role, and of files whose
 * path contains what. The calls met and those that were hit are counted there,
 * so that a fault that was injected 0 times is seen. A delay can also be had
 * where a process ends. regress/lib/Faults.pm writes the rows.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum call {
	OPENAT,
	WRITE,
	WRITEV,
	PWRITE,
	PWRITEV,
	FSYNC,
	FDATASYNC,
	SYNCFS,
	UNLINKAT,
	RENAMEAT,
	PREAD,
	READ,
	ACCEPT4,
	LEAVE, /* the process ends */
	CALLS
};

struct row {
	_Atomic uint32_t error, every, skip, most, delay_ms, cut;
	_Atomic uint64_t seen, hit;
	char role[24], path[64];
};
_Static_assert(sizeof(struct row) == 128, "Faults.pm packs it");

static struct row *rows;
static char role[24];

static void *
next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void
attach(void)
{
	const char *file = getenv("FAULTS"), *at;
	char line[4096];
	void *shared;
	ssize_t n;
	int fd;

	if (file == NULL || (fd = open("/proc/self/cmdline", O_RDONLY)) == -1)
		return;
	n = ((ssize_t(*)(int, void *, size_t))next("read"))(
	    fd, line, sizeof(line) - 1);
	close(fd);
	line[n > 0 ? n : 0] = '\0';
	at = n > 0 ? memmem(line, (size_t)n, "\0-x\0", 4) : NULL;
	if ((fd = open(file, O_RDWR)) == -1)
		return;
	snprintf(role, sizeof(role), "%s", at == NULL ? "parent" : at + 4);
	shared = mmap(NULL, CALLS * sizeof(struct row), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	close(fd);
	if (shared != MAP_FAILED)
		rows = shared;
}

static int
concerns(const struct row *r, int fd, const char *name)
{
	char link[64], path[1024];
	ssize_t n;

	if (strcmp(r->role, role) != 0)
		return 0;
	if (r->path[0] == '\0')
		return 1;
	if (name != NULL)
		return strstr(name, r->path) != NULL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return strstr(path, r->path) != NULL;
}

/* 0: as it is; 1: *len was cut; -1: errno. */
static int
fault(enum call call, int fd, const char *name, size_t *len)
{
	struct row *r = rows == NULL ? NULL : &rows[call];
	int saved = errno;
	struct timespec ts;
	uint64_t seen;

	if (r == NULL || r->every == 0 || !concerns(r, fd, name)) {
		errno = saved;
		return 0;
	}
	errno = saved;
	seen = atomic_fetch_add(&r->seen, 1);
	if (seen < r->skip || (seen - r->skip) % r->every != 0 ||
	    (r->most != 0 && r->hit >= r->most))
		return 0;
	if (r->cut != 0 && (len == NULL || *len <= r->cut))
		return 0;
	atomic_fetch_add(&r->hit, 1);
	if (r->delay_ms != 0) {
		ts.tv_sec = r->delay_ms / 1000;
		ts.tv_nsec = (long)(r->delay_ms % 1000) * 1000000;
		nanosleep(&ts, NULL);
	}
	if (r->cut != 0) {
		*len = r->cut;
		return 1;
	}
	if (r->error == 0)
		return 0;
	errno = (int)r->error;
	return -1;
}

__attribute__((destructor)) static void
leave(void)
{
	(void)fault(LEAVE, -1, NULL, NULL);
}

#define OPEN(symbol)                                                           \
	int symbol(int dir, const char *name, int flags, ...)                  \
	{                                                                      \
		va_list ap;                                                    \
		mode_t mode;                                                   \
                                                                               \
		va_start(ap, flags);                                           \
		mode = (flags & (O_CREAT | __O_TMPFILE)) != 0                  \
		    ? va_arg(ap, mode_t)                                       \
		    : 0;                                                       \
		va_end(ap);                                                    \
		if (fault(OPENAT, dir, name, NULL) == -1)                      \
			return -1;                                             \
		return ((int (*)(int, const char *, int, mode_t))next(         \
		    "openat"))(dir, name, flags, mode);                        \
	}
int openat(int, const char *, int, ...);
int openat64(int, const char *, int, ...);
int __openat_2(int, const char *, int);
int __openat64_2(int, const char *, int);
OPEN(openat)
OPEN(openat64)

int
__openat_2(int dir, const char *name, int flags)
{
	return openat(dir, name, flags);
}

int
__openat64_2(int dir, const char *name, int flags)
{
	return openat(dir, name, flags);
}

ssize_t
write(int fd, const void *data, size_t len)
{
	if (fault(WRITE, fd, NULL, &len) == -1)
		return -1;
	return ((ssize_t(*)(int, const void *, size_t))next("write"))(
	    fd, data, len);
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t at)
{
	if (fault(PWRITE, fd, NULL, &len) == -1)
		return -1;
	return ((ssize_t(*)(int, const void *, size_t, off_t))next("pwrite"))(
	    fd, data, len, at);
}

ssize_t pwrite64(int, const void *, size_t, off_t);
ssize_t
pwrite64(int fd, const void *data, size_t len, off_t at)
{
	return pwrite(fd, data, len, at);
}

static size_t
total(const struct iovec *v, int n)
{
	size_t sum = 0;

	while (n-- > 0)
		sum += v[n].iov_len;
	return sum;
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	size_t len = total(v, n);
	int rc = fault(WRITEV, fd, NULL, &len);

	if (rc == -1)
		return -1;
	while (n > 1 && v->iov_len == 0) {
		v++;
		n--;
	}
	if (rc == 1)
		return ((ssize_t(*)(int, const void *, size_t))next("write"))(
		    fd, v->iov_base, v->iov_len < len ? v->iov_len : len);
	return ((ssize_t(*)(int, const struct iovec *, int))next("writev"))(
	    fd, v, n);
}

ssize_t
pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	size_t len = total(v, n);
	int rc = fault(PWRITEV, fd, NULL, &len);
	struct iovec one;

	if (rc == -1)
		return -1;
	one = v[0];
	if (rc == 1) {
		if (one.iov_len > len)
			one.iov_len = len;
		v = &one;
		n = 1;
	}
	return ((ssize_t(*)(int, const struct iovec *, int, off_t))next(
	    "pwritev"))(fd, v, n, at);
}

ssize_t pwritev64(int, const struct iovec *, int, off_t);
ssize_t
pwritev64(int fd, const struct iovec *v, int n, off_t at)
{
	return pwritev(fd, v, n, at);
}

#define SYNC(symbol, call)                                                     \
	int symbol(int fd)                                                     \
	{                                                                      \
		if (fault(call, fd, NULL, NULL) == -1)                         \
			return -1;                                             \
		return ((int (*)(int))next(#symbol))(fd);                      \
	}
SYNC(fsync, FSYNC)
SYNC(fdatasync, FDATASYNC)
SYNC(syncfs, SYNCFS)

int
unlinkat(int dir, const char *name, int flags)
{
	if (fault(UNLINKAT, dir, name, NULL) == -1)
		return -1;
	return ((int (*)(int, const char *, int))next("unlinkat"))(
	    dir, name, flags);
}

int
renameat(int from, const char *name, int to, const char *other)
{
	if (fault(RENAMEAT, from, name, NULL) == -1)
		return -1;
	return ((int (*)(int, const char *, int, const char *))next(
	    "renameat"))(from, name, to, other);
}

ssize_t
pread(int fd, void *data, size_t len, off_t at)
{
	if (fault(PREAD, fd, NULL, &len) == -1)
		return -1;
	return ((ssize_t(*)(int, void *, size_t, off_t))next("pread"))(
	    fd, data, len, at);
}

ssize_t pread64(int, void *, size_t, off_t);
ssize_t
pread64(int fd, void *data, size_t len, off_t at)
{
	return pread(fd, data, len, at);
}

ssize_t
read(int fd, void *data, size_t len)
{
	if (fault(READ, fd, NULL, &len) == -1)
		return -1;
	return ((ssize_t(*)(int, void *, size_t))next("read"))(fd, data, len);
}

int
accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	if (fault(ACCEPT4, fd, NULL, NULL) == -1)
		return -1;
	return ((int (*)(int, struct sockaddr *, socklen_t *, int))next(
	    "accept4"))(fd, sa, len, flags);
}

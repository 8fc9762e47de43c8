/*
 * libqtrace_data - the calls that open files, write and flush them
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "regress/qcrash/libqtrace.h"

#define COPY_MOST (1u << 20)

/* The kernel itself, past whatever else stands before libc. */
static long
kernel(long number, long a, long b, long c, long d, long e, long f)
{
	static long (*real)(long, ...);

	if (real == NULL)
		*(void **)(&real) = qtrace_real("syscall");
	return real(number, a, b, c, d, e, f);
}

long
syscall(long number, ...)
{
	long a[6];
	va_list ap;
	int i;

	va_start(ap, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (qtrace_on() &&
	    (number == SYS_io_uring_setup || number == SYS_io_uring_enter))
		qtrace_refuse("io_uring", "cannot be recorded");
	return kernel(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int
open_at(const char *libc, int dirfd, const char *path, int flags, mode_t mode)
{
	struct qtrace_record r = { .call = QTRACE_OPEN };
	const struct qtrace_fault *fault = NULL;
	char name[QTRACE_NAME];
	struct stat st;
	bool there, ours = qtrace_name(name, dirfd, path);
	int fd;

	if (!ours)
		return (int)kernel(
		    SYS_openat, dirfd, (long)path, flags, (long)mode, 0, 0);
	if (flags & (O_SYNC | O_DSYNC) && !(flags & O_DIRECTORY))
		qtrace_refuse(name, "O_SYNC is not modelled");
	if ((flags & O_TMPFILE) == O_TMPFILE)
		qtrace_refuse(name, "O_TMPFILE is not modelled");
	qtrace_enter();
	there = !(flags & (O_CREAT | O_TRUNC)) ||
	    fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (there && flags & O_TRUNC && st.st_size > 0)
		r.flags |= QTRACE_EMPTIED;
	if (!there && flags & O_CREAT) {
		r.flags |= QTRACE_MADE;
		fault = qtrace_due("creat", name);
	}
	if (fault != NULL) {
		fd = -1;
		errno = fault->error;
	} else {
		fd = (int)kernel(
		    SYS_openat, dirfd, (long)path, flags, (long)mode, 0, 0);
	}
	if (fd != -1 && fstat(fd, &st) == 0) {
		qtrace_opened(fd, name, S_ISDIR(st.st_mode), st.st_ino);
		r.inode = st.st_ino;
		r.mode = (uint16_t)(st.st_mode & 07777);
		if ((flags & O_ACCMODE) != O_RDONLY || r.flags != 0)
			(void)qtrace_write(&r, libc, name, NULL, NULL, 0, 0);
	}
	qtrace_leave();
	return fd;
}

static mode_t
mode_of(int flags, va_list ap)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE
	    ? va_arg(ap, mode_t)
	    : 0;
}

int
openat(int dirfd, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_at("openat", dirfd, path, flags, mode);
}

int
openat64(int dirfd, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_at("openat", dirfd, path, flags, mode);
}

int
open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_at("openat", AT_FDCWD, path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_at("openat", AT_FDCWD, path, flags, mode);
}

int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);

int
__openat_2(int dirfd, const char *path, int flags)
{
	return open_at("openat", dirfd, path, flags, 0);
}

int
__openat64_2(int dirfd, const char *path, int flags)
{
	return open_at("openat", dirfd, path, flags, 0);
}

int
__open_2(const char *path, int flags)
{
	return open_at("openat", AT_FDCWD, path, flags, 0);
}

int
__open64_2(const char *path, int flags)
{
	return open_at("openat", AT_FDCWD, path, flags, 0);
}

int
creat(const char *path, mode_t mode)
{
	return open_at(
	    "openat", AT_FDCWD, path, O_CREAT | O_TRUNC | O_WRONLY, mode);
}

int
close(int fd)
{
	struct qtrace_file *f = qtrace_file(fd);
	int rc;

	if (f == NULL)
		return (int)kernel(SYS_close, fd, 0, 0, 0, 0, 0);
	qtrace_enter();
	f->open = false;
	rc = (int)kernel(SYS_close, fd, 0, 0, 0, 0, 0);
	qtrace_leave();
	return rc;
}

int
closedir(DIR *dir)
{
	static int (*real)(DIR *);
	struct qtrace_file *f = qtrace_file(dirfd(dir));

	if (real == NULL)
		*(void **)(&real) = qtrace_real("closedir");
	if (f != NULL)
		f->open = false;
	return real(dir);
}

/* What the kernel does with it; at -1: where the descriptor stands. */
static ssize_t
put(int fd, const struct iovec *v, int n, off_t at)
{
	if (at == -1)
		return kernel(SYS_writev, fd, (long)v, n, 0, 0, 0);
	return kernel(SYS_pwritev, fd, (long)v, n, at, 0, 0);
}

/* The first half of it. */
static ssize_t
put_half(int fd, const struct iovec *v, int n, off_t at)
{
	struct iovec half[IOV_MAX];
	size_t total = 0;
	int i;

	for (i = 0; i < n; i++)
		total += v[i].iov_len;
	total = (total + 1) / 2;
	for (i = 0; i < n && total > 0; i++) {
		half[i] = v[i];
		if (half[i].iov_len > total)
			half[i].iov_len = total;
		total -= half[i].iov_len;
	}
	return put(fd, half, i, at);
}

static ssize_t
write_at(const char *libc, int fd, const struct iovec *v, int n, off_t at)
{
	struct qtrace_record r = { .call = QTRACE_WRITE };
	struct qtrace_file *f = qtrace_file(fd);
	const struct qtrace_fault *fault;
	struct stat st;
	off_t begin = at;
	ssize_t rc;

	if (f == NULL)
		return put(fd, v, n, at);
	qtrace_enter();
	if (at == -1)
		begin = lseek(fd, 0, SEEK_CUR);
	if (at == -1 && fcntl(fd, F_GETFL) & O_APPEND && fstat(fd, &st) == 0)
		begin = st.st_size;
	fault = qtrace_due("write", f->name);
	if (fault != NULL && fault->error != 0) {
		rc = -1;
		errno = fault->error;
	} else if (fault != NULL)
		rc = put_half(fd, v, n, at);
	else
		rc = put(fd, v, n, at);
	r.error = rc == -1 ? errno : 0;
	r.inode = f->inode;
	r.offset = (uint64_t)begin;
	r.length = rc > 0 ? (uint64_t)rc : 0;
	(void)qtrace_write(&r, libc, f->name, NULL, v, n, r.length);
	qtrace_leave();
	return rc;
}

ssize_t
write(int fd, const void *data, size_t len)
{
	struct iovec v = { (void *)(uintptr_t)data, len };

	if (qtrace_file(fd) == NULL)
		return kernel(SYS_write, fd, (long)data, (long)len, 0, 0, 0);
	return write_at("write", fd, &v, 1, -1);
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	return write_at("writev", fd, v, n, -1);
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t at)
{
	struct iovec v = { (void *)(uintptr_t)data, len };

	return write_at("pwrite", fd, &v, 1, at);
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	struct iovec v = { (void *)(uintptr_t)data, len };

	return write_at("pwrite", fd, &v, 1, at);
}

ssize_t
pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	return write_at("pwritev", fd, v, n, at);
}

ssize_t
pwritev64(int fd, const struct iovec *v, int n, off64_t at)
{
	return write_at("pwritev", fd, v, n, at);
}

ssize_t
pwritev2(int fd, const struct iovec *v, int n, off_t at, int flags)
{
	if (flags != 0 && qtrace_file(fd) != NULL)
		qtrace_refuse("pwritev2", "its flags are not modelled");
	return write_at("pwritev", fd, v, n, at);
}

ssize_t
copy_file_range(
    int in, off64_t *from, int out, off64_t *to, size_t len, unsigned flags)
{
	struct qtrace_record r = { .call = QTRACE_WRITE };
	struct qtrace_file *f = qtrace_file(out);
	struct iovec v;
	off_t at;
	ssize_t rc;

	if (f != NULL && len > COPY_MOST)
		len = COPY_MOST;
	qtrace_enter();
	at = to != NULL ? *to : lseek(out, 0, SEEK_CUR);
	rc = kernel(SYS_copy_file_range, in, (long)from, out, (long)to,
	    (long)len, (long)flags);
	if (f != NULL && rc > 0) {
		v.iov_len = (size_t)rc;
		v.iov_base = malloc(v.iov_len);
		if (v.iov_base == NULL ||
		    kernel(SYS_pread64, out, (long)v.iov_base, rc, at, 0, 0) !=
			rc)
			qtrace_refuse("copy_file_range", "cannot be read back");
		r.inode = f->inode;
		r.offset = (uint64_t)at;
		r.length = (uint64_t)rc;
		(void)qtrace_write(
		    &r, "copy_file_range", f->name, NULL, &v, 1, r.length);
		free(v.iov_base);
	}
	qtrace_leave();
	return rc;
}

ssize_t
sendfile(int out, int in, off_t *from, size_t len)
{
	if (qtrace_file(out) != NULL)
		qtrace_refuse("sendfile", "is not modelled");
	return kernel(SYS_sendfile, out, in, (long)from, (long)len, 0, 0);
}

void *
mmap(void *addr, size_t len, int prot, int flags, int fd, off_t at)
{
	if (fd != -1 && qtrace_file(fd) != NULL)
		qtrace_refuse("mmap", "of a file below the root");
	return (void *)kernel(
	    SYS_mmap, (long)addr, (long)len, prot, flags, fd, at);
}

static void
size_changed(const char *libc, struct qtrace_file *f, int fd)
{
	struct qtrace_record r = { .call = QTRACE_SIZE };
	struct stat st;

	if (fstat(fd, &st) == -1)
		qtrace_refuse(libc, "fstat failed");
	r.inode = f->inode;
	r.length = (uint64_t)st.st_size;
	(void)qtrace_write(&r, libc, f->name, NULL, NULL, 0, 0);
}

int
ftruncate(int fd, off_t size)
{
	struct qtrace_file *f = qtrace_file(fd);
	int rc;

	if (f == NULL)
		return (int)kernel(SYS_ftruncate, fd, size, 0, 0, 0, 0);
	qtrace_enter();
	rc = (int)kernel(SYS_ftruncate, fd, size, 0, 0, 0, 0);
	if (rc == 0)
		size_changed("ftruncate", f, fd);
	qtrace_leave();
	return rc;
}

int
ftruncate64(int fd, off64_t size)
{
	return ftruncate(fd, size);
}

int
truncate(const char *path, off_t size)
{
	char name[QTRACE_NAME];

	if (qtrace_name(name, AT_FDCWD, path))
		qtrace_refuse("truncate", "is not modelled");
	return (int)kernel(SYS_truncate, (long)path, size, 0, 0, 0, 0);
}

int
fallocate(int fd, int mode, off_t at, off_t len)
{
	struct qtrace_file *f = qtrace_file(fd);
	int rc;

	if (f != NULL && mode != 0)
		qtrace_refuse("fallocate", "its mode is not modelled");
	qtrace_enter();
	rc = (int)kernel(SYS_fallocate, fd, mode, at, len, 0, 0);
	if (rc == 0 && f != NULL)
		size_changed("fallocate", f, fd);
	qtrace_leave();
	return rc;
}

int
fallocate64(int fd, int mode, off64_t at, off64_t len)
{
	return fallocate(fd, mode, at, len);
}

int
posix_fallocate(int fd, off_t at, off_t len)
{
	return fallocate(fd, 0, at, len) == 0 ? 0 : errno;
}

static int
flush(const char *libc, int fd, long number, bool all)
{
	struct qtrace_record r = { .call = QTRACE_SYNC };
	struct qtrace_file *f = qtrace_file(fd);
	const struct qtrace_fault *fault;
	uint64_t begun;
	int rc;

	if (f == NULL)
		return (int)kernel(number, fd, 0, 0, 0, 0, 0);
	r.inode = f->inode;
	r.flags = (uint8_t)((all ? QTRACE_ALL : 0) | (f->dir ? QTRACE_DIR : 0));
	qtrace_enter();
	begun = qtrace_write(&r, libc, f->name, NULL, NULL, 0, 0);
	fault = qtrace_due(libc, f->name);
	qtrace_leave();
	qtrace_pause(all);
	if (fault != NULL) {
		rc = -1;
		errno = fault->error;
	} else {
		rc = (int)kernel(number, fd, 0, 0, 0, 0, 0);
	}
	r.call = QTRACE_SYNCED;
	r.error = rc == -1 ? errno : 0;
	r.offset = begun;
	qtrace_enter();
	(void)qtrace_write(&r, libc, f->name, NULL, NULL, 0, 0);
	qtrace_leave();
	return rc;
}

int
fsync(int fd)
{
	return flush("fsync", fd, SYS_fsync, false);
}

int
fdatasync(int fd)
{
	return flush("fdatasync", fd, SYS_fdatasync, false);
}

int
syncfs(int fd)
{
	return flush("syncfs", fd, SYS_syncfs, true);
}

/* Promises nothing: it flushes neither sizes nor the disk's own memory. */
int
sync_file_range(int fd, off64_t at, off64_t len, unsigned flags)
{
	return (int)kernel(SYS_sync_file_range, fd, at, len, (long)flags, 0, 0);
}

void
sync(void)
{
	if (qtrace_on())
		qtrace_refuse("sync", "does not say what became of it");
	(void)kernel(SYS_sync, 0, 0, 0, 0, 0, 0);
}

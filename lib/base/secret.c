#include "lib/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t
pages(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

void *
secret_room(size_t size)
{
	void *p = mmap(NULL, pages(size), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)mlock(p, pages(size));
#ifdef MADV_DONTDUMP
	(void)madvise(p, pages(size), MADV_DONTDUMP);
#endif
	return p;
}

void
secret_room_free(void *room, size_t size)
{
	if (room == NULL)
		return;
	explicit_bzero(room, pages(size));
	munmap(room, pages(size)); /* unlocks too */
}

static int
refuse(char *err, size_t errlen, const char *why)
{
	snprintf(err, errlen, "%s", why);
	return -1;
}

static int
fit(const struct stat *st, size_t max, char *err, size_t errlen)
{
	if (S_ISLNK(st->st_mode))
		return refuse(err, errlen, "is a symbolic link");
	if (!S_ISREG(st->st_mode))
		return refuse(err, errlen, "is not a regular file");
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		snprintf(err, errlen, "belongs to uid %lu, not to root",
		    (unsigned long)st->st_uid);
		return -1;
	}
	if ((st->st_mode & 07777) != 0400) {
		snprintf(err, errlen, "has mode %04o, and must have 0400",
		    (unsigned)(st->st_mode & 07777));
		return -1;
	}
	if (st->st_size == 0)
		return refuse(err, errlen, "is empty");
	if ((uint64_t)st->st_size > max) {
		snprintf(err, errlen, "is larger than %zu octets", max);
		return -1;
	}
	return 0;
}

int
secret_check(const char *path, size_t max, char *err, size_t errlen)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return errno == EACCES ? 0
				       : refuse(err, errlen, strerror(errno));
	return fit(&st, max, err, errlen);
}

ssize_t
secret_take(int fd, void *data, size_t max, char *err, size_t errlen)
{
	size_t len = 0;
	uint8_t more;
	ssize_t n;

	for (;;) {
		/* At the end of the room one octet more tells its size. */
		n = read(fd, len < max ? (uint8_t *)data + len : &more,
		    len < max ? max - len : 1);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			refuse(err, errlen, strerror(errno));
			break;
		}
		if (n == 0 && len == 0) {
			refuse(err, errlen, "is empty");
			break;
		}
		if (n == 0)
			return (ssize_t)len;
		if (len == max) {
			explicit_bzero(&more, 1);
			snprintf(err, errlen, "is larger than %zu octets", max);
			break;
		}
		len += (size_t)n;
	}
	explicit_bzero(data, max);
	return -1;
}

ssize_t
secret_read(const char *path, void *data, size_t max, char *err, size_t errlen)
{
	struct stat st;
	ssize_t len = -1;
	int fd;

	/* Without O_NONBLOCK a pipe in its place would hold us up. */
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return refuse(err, errlen,
		    errno == ELOOP ? "is a symbolic link" : strerror(errno));
	if (fstat(fd, &st) == -1)
		refuse(err, errlen, strerror(errno));
	else if (fit(&st, max, err, errlen) == 0)
		len = secret_take(fd, data, max, err, errlen);
	close(fd);
	return len;
}

#include "daemon/agents/disk.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

int
disk_write(
    int fd, const char *data, size_t len, const char *path, struct verdict *v)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, data, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return verdict_errno(v, errno, "write", path);
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int
disk_opendir(int dirfd, const char *name, int flags)
{
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
}

int
disk_mkdir(int dirfd, const char *name)
{
	if (mkdirat(dirfd, name, 0700) == -1)
		return errno == EEXIST ? 0 : -1;
	return fsync(dirfd);
}

/* Goes down one name, creating it where it is missing. Takes dirfd. */
static int
descend(int dirfd, const char *name)
{
	int fd, saved;

	fd = disk_opendir(dirfd, name, 0);
	if (fd == -1 && errno == ENOENT && disk_mkdir(dirfd, name) == 0)
		fd = disk_opendir(dirfd, name, 0);
	saved = errno;
	close(dirfd);
	errno = saved;
	return fd;
}

/* A home that is not there may be a file system that is not mounted: what
 * would be created in its place would be hidden later. */
static int
check_home(const char *path, const char *home, struct verdict *v)
{
	size_t len = home == NULL ? 0 : strlen(home);
	struct stat st;

	if (len == 0 || strncmp(path, home, len) != 0 ||
	    (path[len] != '/' && path[len] != '\0'))
		return 0;
	if (stat(home, &st) == -1)
		return verdict_errno(v, errno, "home directory", home);
	return 0;
}

int
disk_make_path(const char *path, const char *home, struct verdict *v)
{
	char copy[PATH_MAX], *name, *rest;
	int fd;

	fd = disk_opendir(AT_FDCWD, path, 0);
	if (fd != -1)
		return fd;
	if (errno != ENOENT)
		return verdict_errno(v, errno, "open", path);
	if (check_home(path, home, v) == -1)
		return -1;
	if (strlen(path) >= sizeof(copy))
		return verdict_errno(v, ENAMETOOLONG, "open", path);
	strcpy(copy, path);
	fd = disk_opendir(AT_FDCWD, *copy == '/' ? "/" : ".", 0);
	rest = copy;
	while (fd != -1 && (name = strsep(&rest, "/")) != NULL)
		if (*name != '\0')
			fd = descend(fd, name);
	if (fd == -1)
		return verdict_errno(v, errno, "create", path);
	return fd;
}

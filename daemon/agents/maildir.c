#include "daemon/agents/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/agents/disk.h"
#include "lib/base/ident.h"

#define NAME_SIZE 256

struct maildir {
	const char *path;
	int base, tmp, new; /* directories */
	int fd; /* the file in tmp */
	char name[NAME_SIZE];
};

/* The three directories, created where they are missing. */
static int
open_all(struct maildir *m, const char *home, struct verdict *v)
{
	static const char *const names[] = { "tmp", "new", "cur" };
	int *const into[] = { &m->tmp, &m->new, NULL };
	size_t i;
	int fd;

	m->base = disk_make_path(m->path, home, v);
	if (m->base == -1)
		return -1;
	for (i = 0; i < 3; i++) {
		fd = disk_opendir(m->base, names[i], O_NOFOLLOW);
		if (fd == -1 && errno == ENOENT &&
		    disk_mkdir(m->base, names[i]) == 0)
			fd = disk_opendir(m->base, names[i], O_NOFOLLOW);
		if (fd == -1)
			return verdict_errno(v, errno, names[i], m->path);
		if (into[i] != NULL)
			*into[i] = fd;
		else
			close(fd);
	}
	return 0;
}

/* seconds.MmicrosecondsPpidRrandom.host: sorts by arrival, never repeats. */
static void
make_name(char name[NAME_SIZE])
{
	char host[64] = "localhost", *c;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	gethostname(host, sizeof(host) - 1);
	/* ':' begins the flags of a maildir name. */
	for (c = host; *c != '\0'; c++)
		if (*c == '/' || *c == ':')
			*c = '_';
	snprintf(name, NAME_SIZE, "%lld.M%06ldP%ldR%016llx.%s",
	    (long long)now.tv_sec, now.tv_nsec / 1000, (long)getpid(),
	    (unsigned long long)ident_random64(), host);
}

static int
write_all(struct maildir *m, struct letter *l, struct verdict *v)
{
	char trace[LETTER_ADDRESS_MAX * 2 + 64];
	const char *data;
	size_t len;
	int n;

	n = letter_trace(l, trace, sizeof(trace), v);
	if (n == -1 || disk_write(m->fd, trace, (size_t)n, m->path, v) == -1)
		return -1;
	do {
		if (letter_next(l, &data, &len, v) == -1 ||
		    disk_write(m->fd, data, len, m->path, v) == -1)
			return -1;
	} while (len > 0);
	if (fsync(m->fd) == -1)
		return verdict_errno(v, errno, "fsync", m->path);
	return 0;
}

static int
publish(struct maildir *m, struct verdict *v)
{
	if (!letter_wanted(v))
		return -1;
	if (renameat(m->tmp, m->name, m->new, m->name) == -1)
		return verdict_errno(v, errno, "rename into new", m->path);
	if (fsync(m->new) == -1) {
		verdict_errno(v, errno, "fsync new", m->path);
		/* It will be delivered again: not twice, if we can. */
		unlinkat(m->new, m->name, 0);
		return -1;
	}
	return 0;
}

int
maildir_deliver(
    const char *path, const char *home, struct letter *l, struct verdict *v)
{
	struct maildir m = {
		.path = path, .base = -1, .tmp = -1, .new = -1, .fd = -1
	};
	int *const fds[] = { &m.fd, &m.new, &m.tmp, &m.base };
	size_t i;
	int result = -1;

	if (open_all(&m, home, v) == -1)
		goto out;
	make_name(m.name);
	m.fd = openat(m.tmp, m.name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (m.fd == -1) {
		verdict_errno(v, errno, "create in tmp", path);
		goto out;
	}
	if (write_all(&m, l, v) == -1 || publish(&m, v) == -1) {
		unlinkat(m.tmp, m.name, 0);
		goto out;
	}
	result = 0;
out:
	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (*fds[i] != -1)
			close(*fds[i]);
	return result;
}

#include "queue/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/sysmacros.h>
#endif

#include "lib/base/text.h"

#define LINE_MAX_OCTETS 256

static void
read_line(int fd, struct lock_owner *o)
{
	char line[LINE_MAX_OCTETS];
	ssize_t n = pread(fd, line, sizeof(line) - 1, 0);

	line[n > 0 ? n : 0] = '\0';
	if (sscanf(line, "pid %ld host %127s program %63s", &o->pid, o->host,
		o->program) != 3)
		o->pid = 0;
}

#ifdef __linux__
/* 1: the kernel lists a flock of this file, 0: not, -1: there is no list. */
static int
listed(const struct stat *st)
{
	unsigned long long ino;
	unsigned major_id, minor_id;
	char line[256];
	int found = 0;
	FILE *f = fopen("/proc/locks", "re");

	if (f == NULL)
		return -1;
	while (found == 0 && fgets(line, sizeof(line), f) != NULL) {
		if (strstr(line, "FLOCK") == NULL ||
		    strstr(line, "->") != NULL ||
		    sscanf(line, "%*s %*s %*s %*s %*s %x:%x:%llu", &major_id,
			&minor_id, &ino) != 3)
			continue;
		if (ino == st->st_ino && major_id == major(st->st_dev) &&
		    minor_id == minor(st->st_dev))
			found = 1;
	}
	fclose(f);
	return found;
}
#endif

/* Where the kernel does not tell, a shared lock is tried for a moment: it
 * never stands in the way of a reader, and of an owner only in that moment. */
static bool
try_it(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) == -1)
		return errno == EWOULDBLOCK;
	(void)flock(fd, LOCK_UN);
	return false;
}

int
lock_look(int root, struct lock_owner *o)
{
	struct stat st;
	int fd, held = -1;

	memset(o, 0, sizeof(*o));
	fd = openat(
	    root, "LOCK", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &st) == -1) {
		close(fd);
		return -1;
	}
	o->there = true;
	o->since = (int64_t)st.st_mtime;
	read_line(fd, o);
#ifdef __linux__
	/* Of another pid namespace it lists nothing, so only a yes counts
	 * where the line names somebody. */
	held = listed(&st);
	if (held == 0 && o->pid != 0)
		held = -1;
#endif
	o->held = held == -1 ? try_it(fd) : held == 1;
	close(fd);
	return 0;
}

void
lock_print(const struct lock_owner *o, char *text, size_t size)
{
	char when[TEXT_TIME_MAX], host[256], program[128];

	text_time(when, o->since);
	if (o->pid == 0)
		snprintf(text, size,
		    "spool locked by a process that has not said its pid");
	else
		snprintf(text, size,
		    "spool locked by pid %ld (%s on %s) since %s", o->pid,
		    text_printable(program, sizeof(program), o->program),
		    text_printable(host, sizeof(host), o->host), when);
}

int
lock_take(const struct layout *l, const char *program, struct lock_owner *o,
    char *err, size_t errlen)
{
	struct lock_owner other;
	char line[LINE_MAX_OCTETS], host[128];
	int fd;

	if (o == NULL)
		o = &other;
	memset(o, 0, sizeof(*o));
	fd = layout_open_write(l, "LOCK", false);
	if (fd == -1) {
		snprintf(err, errlen, "LOCK: %s", layout_reason(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		(void)lock_look(l->root, o);
		o->held = true;
		lock_print(o, err, errlen);
		close(fd);
		return -1;
	}
	if (gethostname(host, sizeof(host)) == -1)
		snprintf(host, sizeof(host), "?");
	host[sizeof(host) - 1] = '\0';
	snprintf(line, sizeof(line), "pid %ld host %s program %s\n",
	    (long)getpid(), host, program);
	if (ftruncate(fd, 0) == -1 ||
	    layout_write_all(fd, line, strlen(line)) == -1) {
		snprintf(err, errlen, "LOCK: %s", strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

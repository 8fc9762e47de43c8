#include "queue/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/fs.h>
#endif

#include "lib/base/ident.h"
#include "lib/base/text.h"

#define VERSION_TEXT "spoolkit-spool 1\n"
#ifdef O_NOATIME
#define OPEN_QUIET O_NOATIME
#else
#define OPEN_QUIET 0
#endif

static const char *const dirs[] = { "journal", "incoming", "queue", "corrupt",
	"trash", "offline", "state" };

unsigned
layout_bucket(uint64_t msgid)
{
	return (unsigned)(msgid >> 40) & 0xff;
}

const char *
layout_bucket_name(char name[LAYOUT_NAME_MAX], unsigned bucket)
{
	snprintf(name, LAYOUT_NAME_MAX, "queue/%02x", bucket & 0xff);
	return name;
}

bool
layout_bucket_usable(const struct layout *l, uint64_t msgid)
{
	char name[LAYOUT_NAME_MAX];
	int fd =
	    layout_open_dir(l, layout_bucket_name(name, layout_bucket(msgid)));

	if (fd == -1)
		return false;
	close(fd);
	return faccessat(l->root, name, R_OK | W_OK | X_OK, AT_EACCESS) == 0;
}

const char *
layout_message(char name[LAYOUT_NAME_MAX], uint64_t msgid)
{
	memcpy(name, "queue/00/", 9);
	ident_msgid_text(name + 9, msgid);
	memcpy(name + 6, name + 9, 2);
	return name;
}

const char *
layout_envelope(char name[LAYOUT_NAME_MAX], uint64_t evpid)
{
	memcpy(name, "queue/00/", 9);
	ident_evpid_text(name + 9, evpid);
	memcpy(name + 6, name + 9, 2);
	return name;
}

const char *
layout_incoming(char name[LAYOUT_NAME_MAX], uint64_t msgid)
{
	memcpy(name, "incoming/", 9);
	ident_msgid_text(name + 9, msgid);
	return name;
}

const char *
layout_segment(char name[LAYOUT_NAME_MAX], unsigned file)
{
	snprintf(name, LAYOUT_NAME_MAX, "journal/%u", file);
	return name;
}

const char *
layout_reason(int error)
{
	switch (error) {
	case EPERM:
		return "wrong owner, or rights for others";
	case EMLINK:
		return "more than one link";
	case EINVAL:
		return "not a regular file";
	case ELOOP:
		return "a symbolic link";
	case EFBIG:
		return "too long";
	default:
		return strerror(error);
	}
}

/* What may not be trusted is closed again. */
static int
checked(const struct layout *l, int fd, off_t *size)
{
	struct stat st;
	int error = 0;

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1)
		error = errno;
	else if (!S_ISREG(st.st_mode))
		error = EINVAL;
	else if (st.st_uid != l->owner || (st.st_mode & 077) != 0)
		error = EPERM;
	else if (st.st_nlink > 1)
		error = EMLINK;
	if (error != 0) {
		close(fd);
		errno = error;
		return -1;
	}
	if (size != NULL)
		*size = st.st_size;
	return fd;
}

int
layout_open_quietly(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags | OPEN_QUIET);

	/* Only the owner's files may be read without a trace. */
	if (fd == -1 && errno == EPERM && OPEN_QUIET != 0)
		fd = openat(dir, name, flags);
	return fd;
}

int
layout_open_in(const struct layout *l, int dir, const char *name, off_t *size)
{
	int fd = layout_open_quietly(dir, name, O_RDONLY | LAYOUT_OPEN_SAFE);

	return checked(l, fd, size);
}

int
layout_open_read(const struct layout *l, const char *name, off_t *size)
{
	return layout_open_in(l, l->root, name, size);
}

int
layout_open_write(const struct layout *l, const char *name, bool fresh)
{
	int fd = openat(l->root, name,
	    O_RDWR | O_CREAT | (fresh ? O_EXCL : 0) | LAYOUT_OPEN_SAFE, 0600);

	if (fd != -1 && l->chown && geteuid() == 0 &&
	    fchown(fd, l->owner, l->group) == -1) {
		close(fd);
		return -1;
	}
	return checked(l, fd, NULL);
}

int
layout_open_dir(const struct layout *l, const char *name)
{
	return layout_open_quietly(
	    l->root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

char *
layout_read_all(
    const struct layout *l, const char *name, size_t max, size_t *len)
{
	char *text = NULL;
	size_t at = 0;
	ssize_t n;
	off_t size;
	int fd = layout_open_read(l, name, &size), error;

	if (fd == -1)
		return NULL;
	if ((uintmax_t)size > max) {
		close(fd);
		errno = EFBIG;
		return NULL;
	}
	text = malloc((size_t)size + 1);
	while (text != NULL && at < (size_t)size) {
		n = read(fd, text + at, (size_t)size - at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			error = errno;
			free(text);
			close(fd);
			errno = error;
			return NULL;
		}
		if (n == 0)
			break;
		at += (size_t)n;
	}
	close(fd);
	if (text != NULL) {
		text[at] = '\0';
		*len = at;
	}
	return text;
}

int
layout_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = ENOSPC;
			return -1;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
layout_replace(
    const struct layout *l, const char *dir, const char *name, const char *text)
{
	char to[LAYOUT_NAME_MAX * 2], from[LAYOUT_NAME_MAX * 2];
	int fd, rc, error;

	snprintf(to, sizeof(to), "%s/%s", dir, name);
	snprintf(from, sizeof(from), "%s/%s.new", dir, name);
	(void)unlinkat(l->root, from, 0);
	if ((fd = layout_open_write(l, from, true)) == -1)
		return -1;
	rc = layout_write_all(fd, text, strlen(text));
	if (rc == 0)
		rc = fsync(fd);
	error = errno;
	if (close(fd) == -1 && rc == 0) {
		rc = -1;
		error = errno;
	}
	if (rc == 0 && renameat(l->root, from, l->root, to) == -1) {
		rc = -1;
		error = errno;
	}
	if (rc == -1) {
		(void)unlinkat(l->root, from, 0);
		errno = error;
		return -1;
	}
	if ((fd = layout_open_dir(l, dir)) == -1)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

/* A name in corrupt/ that is free: base, base.1, base.2 and so on. */
static bool
free_name(const struct layout *l, char *name, size_t size, const char *base)
{
	struct stat st;
	unsigned i;

	for (i = 0; i < 10000; i++) {
		if (i == 0)
			snprintf(name, size, "corrupt/%s", base);
		else
			snprintf(name, size, "corrupt/%s.%u", base, i);
		if (fstatat(l->root, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
			return errno == ENOENT;
	}
	errno = EEXIST;
	return false;
}

static int
write_why(const struct layout *l, const char *name, const char *reason)
{
	char why[LAYOUT_NAME_MAX * 2 + 8], when[TEXT_TIME_MAX], line[512];
	struct timespec now;
	int fd, n, rc;

	snprintf(why, sizeof(why), "%s.why", name);
	if ((fd = layout_open_write(l, why, false)) == -1)
		return -1;
	clock_gettime(CLOCK_REALTIME, &now);
	n = snprintf(line, sizeof(line), "%s %s\n",
	    text_time(when, (int64_t)now.tv_sec), reason);
	rc = layout_write_all(fd, line, strnlen(line, (size_t)n));
	close(fd);
	return rc;
}

int
layout_set_aside(const struct layout *l, const char *name, const char *reason)
{
	const char *base = strrchr(name, '/');
	char to[LAYOUT_NAME_MAX * 2], why[400];

	base = base == NULL ? name : base + 1;
	snprintf(why, sizeof(why), "%s: %s", name, reason);
	if (!free_name(l, to, sizeof(to), base))
		return -1;
	/* The reason first: a file in corrupt/ always has its reason. */
	if (write_why(l, to, why) == -1)
		return -1;
	return renameat(l->root, name, l->root, to);
}

int
layout_keep(const struct layout *l, const char *name, const void *data,
    size_t len, const char *reason)
{
	char to[LAYOUT_NAME_MAX * 2];
	int fd, rc;

	if (!free_name(l, to, sizeof(to), name) ||
	    write_why(l, to, reason) == -1 ||
	    (fd = layout_open_write(l, to, true)) == -1)
		return -1;
	rc = layout_write_all(fd, data, len);
	if (close(fd) == -1)
		rc = -1;
	return rc;
}

static int
make_dir(const struct layout *l, const char *name)
{
	struct stat st;

	if (fstatat(l->root, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		errno = ENOTDIR;
		return -1;
	}
	if (errno != ENOENT || mkdirat(l->root, name, 0700) == -1)
		return -1;
	if (l->chown)
		return fchownat(
		    l->root, name, l->owner, l->group, AT_SYMLINK_NOFOLLOW);
	return 0;
}

/*
 * ext4 puts the directories below such a one into groups of their own, and a
 * file beside its directory: buckets then share no group's search for a free
 * inode, which is long where many were deleted lately. A hint, no more.
 */
static void
spread_below(const struct layout *l, const char *name)
{
#ifdef FS_TOPDIR_FL
	int fd = layout_open_dir(l, name), flags;

	if (fd == -1)
		return;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 &&
	    (flags & FS_TOPDIR_FL) == 0) {
		flags |= FS_TOPDIR_FL;
		(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	close(fd);
#else
	(void)l;
	(void)name;
#endif
}

static int
make_tree(const struct layout *l, char *err, size_t errlen)
{
	char name[LAYOUT_NAME_MAX];
	struct stat st;
	unsigned i;
	int fd;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (make_dir(l, dirs[i]) == 0)
			continue;
		snprintf(err, errlen, "%s: %s", dirs[i], strerror(errno));
		return -1;
	}
	spread_below(l, "queue");
	for (i = 0; i < LAYOUT_BUCKETS; i++) {
		layout_bucket_name(name, i);
		/* An unusable bucket is the loader's to report. */
		if (make_dir(l, name) == -1 && errno != ENOTDIR) {
			snprintf(err, errlen, "%s: %s", name, strerror(errno));
			return -1;
		}
	}
	if (fstatat(l->root, "VERSION", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (layout_replace(l, ".", "VERSION", VERSION_TEXT) == -1) {
		snprintf(err, errlen, "VERSION: %s", strerror(errno));
		return -1;
	}
	if ((fd = layout_open_dir(l, "queue")) != -1) {
		(void)fsync(fd);
		close(fd);
	}
	return 0;
}

/* Makes a directory that is missing, and refuses to take over a full one. */
static int
check_version(const struct layout *l, char *err, size_t errlen)
{
	struct dirent *entry;
	size_t len;
	char *text;
	DIR *dir;
	int fd;

	text = layout_read_all(l, "VERSION", 256, &len);
	if (text != NULL) {
		if (strcmp(text, VERSION_TEXT) == 0) {
			free(text);
			return 0;
		}
		text[strcspn(text, "\n")] = '\0';
		snprintf(err, errlen, "VERSION says \"%.40s\", not %s", text,
		    "\"spoolkit-spool 1\"");
		free(text);
		return -1;
	}
	if (errno != ENOENT) {
		snprintf(err, errlen, "VERSION: %s", layout_reason(errno));
		return -1;
	}
	if ((fd = layout_open_dir(l, ".")) == -1 ||
	    (dir = fdopendir(fd)) == NULL) {
		snprintf(err, errlen, "%s", strerror(errno));
		return -1;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' ||
		    strcmp(entry->d_name, "lost+found") == 0 ||
		    strcmp(entry->d_name, "VERSION.new") == 0 ||
		    strcmp(entry->d_name, "LOCK") == 0)
			continue;
		/* Made by a start that did not get as far as VERSION. */
		for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
			if (strcmp(entry->d_name, dirs[i]) == 0)
				goto ours;
		snprintf(err, errlen, "not a spool, and not empty (%.80s)",
		    entry->d_name);
		closedir(dir);
		return -1;
	ours:;
	}
	closedir(dir);
	return 0;
}

static int
take_lock(struct layout *l, char *err, size_t errlen)
{
	char text[256], host[128];
	ssize_t n;

	l->lock = layout_open_write(l, "LOCK", false);
	if (l->lock == -1) {
		snprintf(err, errlen, "LOCK: %s", layout_reason(errno));
		return -1;
	}
	if (flock(l->lock, LOCK_EX | LOCK_NB) == -1) {
		n = pread(l->lock, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = '\0';
		text[strcspn(text, "\n")] = '\0';
		snprintf(err, errlen, "in use by another process (%.140s)",
		    n > 0 ? text : "which has not said its pid");
		return -1;
	}
	if (gethostname(host, sizeof(host)) == -1)
		snprintf(host, sizeof(host), "?");
	host[sizeof(host) - 1] = '\0';
	snprintf(text, sizeof(text), "pid %ld host %s program %s\n",
	    (long)getpid(), host, "spoolkit");
	if (ftruncate(l->lock, 0) == -1 ||
	    layout_write_all(l->lock, text, strlen(text)) == -1) {
		snprintf(err, errlen, "LOCK: %s", strerror(errno));
		return -1;
	}
	return 0;
}

int
layout_open(struct layout *l, const char *path, uid_t owner, gid_t group,
    char *err, size_t errlen)
{
	char why[192] = "";
	struct stat st;

	l->lock = -1;
	l->owner = owner == (uid_t)-1 ? geteuid() : owner;
	l->group = group == (gid_t)-1 ? getegid() : group;
	l->chown = geteuid() == 0 && l->owner != 0;
	if (mkdir(path, 0700) == 0 && l->chown &&
	    chown(path, l->owner, l->group) == -1)
		snprintf(why, sizeof(why), "%s", strerror(errno));
	l->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->root == -1 || fstat(l->root, &st) == -1)
		snprintf(why, sizeof(why), "%s", strerror(errno));
	else if (st.st_uid != l->owner && l->chown &&
	    fchown(l->root, l->owner, l->group) == -1)
		snprintf(why, sizeof(why), "%s", strerror(errno));
	else if (st.st_uid != l->owner && !l->chown)
		snprintf(why, sizeof(why), "belongs to another user");
	if (why[0] == '\0' && check_version(l, why, sizeof(why)) == 0 &&
	    take_lock(l, why, sizeof(why)) == 0 &&
	    make_tree(l, why, sizeof(why)) == 0)
		return 0;
	snprintf(err, errlen, "spool %s: %s", path, why);
	layout_close(l);
	return -1;
}

void
layout_close(struct layout *l)
{
	if (l->lock != -1)
		close(l->lock);
	if (l->root != -1)
		close(l->root);
	l->root = l->lock = -1;
}

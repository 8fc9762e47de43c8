#include "daemon/agents/mbox.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/agents/disk.h"

#define LOCK_PATIENCE 60 /* seconds for all locks together */
#define LOCK_STEP 50 /* ms between attempts */
#define LOCK_STALE 300 /* seconds: whoever made this dot lock is dead */

struct mbox {
	const char *path;
	int dir; /* that holds it */
	const char *name; /* in dir */
	int fd;
	off_t before; /* its length when we came */
	bool dotted; /* the dot lock is ours */
	char lock[NAME_MAX + 8];
	int steps_left; /* of LOCK_PATIENCE */
	/* Text on its way out. A line begins, and 'matched' octets of From_
	 * (after any '>') are held back. */
	bool line_start;
	size_t matched;
	size_t len;
	char last; /* octet written */
	char out[LETTER_PIECE];
};

static const char from_[] = "From ";

static int
flush_out(struct mbox *m, struct verdict *v)
{
	size_t len = m->len;

	m->len = 0;
	if (len == 0)
		return 0;
	m->last = m->out[len - 1];
	return disk_write(m->fd, m->out, len, m->path, v);
}

static int
put(struct mbox *m, const char *data, size_t len, struct verdict *v)
{
	size_t n;

	while (len > 0) {
		if (m->len == sizeof(m->out) && flush_out(m, v) == -1)
			return -1;
		n = sizeof(m->out) - m->len;
		if (n > len)
			n = len;
		memcpy(m->out + m->len, data, n);
		m->len += n;
		data += n;
		len -= n;
	}
	return 0;
}

/* At the start of a line. One more '>' is the same wherever in the row of them
 * it stands, so those pass at once and only From_ is held back. */
static int
put_start(struct mbox *m, char c, struct verdict *v)
{
	if (c == from_[m->matched]) {
		if (++m->matched < sizeof(from_) - 1)
			return 0;
		m->line_start = false;
		m->matched = 0;
		return put(m, ">From ", 6, v);
	}
	if (put(m, from_, m->matched, v) == -1 || put(m, &c, 1, v) == -1)
		return -1;
	m->line_start = c == '\n' || (c == '>' && m->matched == 0);
	m->matched = 0;
	return 0;
}

static int
put_quoted(struct mbox *m, const char *data, size_t len, struct verdict *v)
{
	const char *end = data + len, *lf;

	while (data < end) {
		if (m->line_start) {
			if (put_start(m, *data++, v) == -1)
				return -1;
			continue;
		}
		lf = memchr(data, '\n', (size_t)(end - data));
		m->line_start = lf != NULL;
		lf = lf != NULL ? lf + 1 : end;
		if (put(m, data, (size_t)(lf - data), v) == -1)
			return -1;
		data = lf;
	}
	return 0;
}

/* The message's last line gets its end, and an empty line follows. */
static int
put_end(struct mbox *m, struct verdict *v)
{
	if (put(m, from_, m->matched, v) == -1 || flush_out(m, v) == -1)
		return -1;
	if (m->last != '\n' && put(m, "\n", 1, v) == -1)
		return -1;
	if (put(m, "\n", 1, v) == -1)
		return -1;
	return flush_out(m, v);
}

/* Whoever wrote last may have died in the middle: a separator counts only
 * after an empty line. */
static int
put_gap(struct mbox *m, struct verdict *v)
{
	char tail[2] = { '\n', '\n' };
	size_t n = m->before < 2 ? (size_t)m->before : 2;
	ssize_t got;

	if (n == 0)
		return 0;
	got = pread(m->fd, tail + 2 - n, n, m->before - (off_t)n);
	if (got != (ssize_t)n)
		return verdict_errno(
		    v, got == -1 ? errno : EIO, "read", m->path);
	if (tail[1] != '\n')
		return put(m, "\n\n", 2, v);
	if (tail[0] != '\n' || n == 1)
		return put(m, "\n", 1, v);
	return 0;
}

static int
put_separator(struct mbox *m, const struct letter *l, struct verdict *v)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	char line[LETTER_ADDRESS_MAX * 3], *c;
	time_t now = time(NULL);
	struct tm tm;
	int n;

	gmtime_r(&now, &tm);
	n = snprintf(line, sizeof(line),
	    "From %s %s %s %2d %02d:%02d:%02d %04d\n",
	    *l->sender != '\0' ? l->sender : "MAILER-DAEMON", days[tm.tm_wday],
	    months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    tm.tm_year + 1900);
	/* Readers split the line at its spaces. */
	for (c = line + 5; c < line + 5 + strlen(l->sender); c++)
		if (*c == ' ')
			*c = '_';
	if (put(m, line, (size_t)n, v) == -1)
		return -1;
	n = letter_trace(l, line, sizeof(line), v);
	return n == -1 ? -1 : put(m, line, (size_t)n, v);
}

static int
append(struct mbox *m, struct letter *l, struct verdict *v)
{
	const char *data;
	size_t len;

	if (put_gap(m, v) == -1 || put_separator(m, l, v) == -1)
		return -1;
	m->line_start = true;
	do {
		if (letter_next(l, &data, &len, v) == -1 ||
		    put_quoted(m, data, len, v) == -1)
			return -1;
	} while (len > 0);
	if (put_end(m, v) == -1 || !letter_wanted(v))
		return -1;
	if (fsync(m->fd) == -1)
		return verdict_errno(v, errno, "fsync", m->path);
	if (m->before == 0 && fsync(m->dir) == -1)
		return verdict_errno(v, errno, "fsync directory", m->path);
	return 0;
}

static int
take_turn(struct mbox *m, struct verdict *v)
{
	if (m->steps_left-- <= 0)
		return verdict_set(v, VERDICT_TEMPFAIL,
		    "4.2.0 %s is locked by another program", m->path);
	return letter_pause(LOCK_STEP, v) ? 0 : -1;
}

/* Where no file can be made there is no dot lock: the others do. */
static int
lock_dot(struct mbox *m, struct verdict *v)
{
	struct stat st;
	int fd;

	for (;;) {
		fd = openat(m->dir, m->lock,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd != -1) {
			close(fd);
			m->dotted = true;
			return 0;
		}
		if (errno == EACCES || errno == EPERM || errno == EROFS ||
		    errno == ENAMETOOLONG)
			return 0;
		if (errno != EEXIST)
			return verdict_errno(v, errno, "lock", m->path);
		if (fstatat(m->dir, m->lock, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    time(NULL) - st.st_mtime > LOCK_STALE)
			unlinkat(m->dir, m->lock, 0);
		else if (take_turn(m, v) == -1)
			return -1;
	}
}

static int
lock_file(struct mbox *m, struct verdict *v)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	for (;;) {
		if (flock(m->fd, LOCK_EX | LOCK_NB) == 0) {
			if (fcntl(m->fd, F_SETLK, &whole) == 0)
				return 0;
			if (errno != EACCES && errno != EAGAIN)
				return verdict_errno(v, errno, "lock", m->path);
			/* Held by one who takes them in the other order. */
			flock(m->fd, LOCK_UN);
		} else if (errno != EWOULDBLOCK) {
			return verdict_errno(v, errno, "lock", m->path);
		}
		if (take_turn(m, v) == -1)
			return -1;
	}
}

static int
open_dir(struct mbox *m, const char *home, struct verdict *v)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(m->path, '/');
	size_t n;

	m->name = slash != NULL ? slash + 1 : m->path;
	n = (size_t)(m->name - m->path);
	if (*m->name == '\0')
		return verdict_errno(v, EISDIR, "open", m->path);
	if (n >= sizeof(dir) || strlen(m->name) > NAME_MAX)
		return verdict_errno(v, ENAMETOOLONG, "open", m->path);
	memcpy(dir, m->path, n);
	strcpy(dir + n, n == 0 ? "." : "");
	m->dir = disk_make_path(dir, home, v);
	snprintf(m->lock, sizeof(m->lock), "%s.lock", m->name);
	return m->dir == -1 ? -1 : 0;
}

static int
open_file(struct mbox *m, struct verdict *v)
{
	struct stat st;

	/* O_NONBLOCK: a FIFO must not hold us. */
	m->fd = openat(m->dir, m->name,
	    O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0600);
	if (m->fd == -1)
		return verdict_errno(v, errno, "open", m->path);
	if (fstat(m->fd, &st) == -1)
		return verdict_errno(v, errno, "stat", m->path);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid())
		return verdict_set(v, VERDICT_TEMPFAIL,
		    "4.3.5 %s is not a file of its user with one name",
		    m->path);
	return 0;
}

/* The lock may have been given to us on a file that was replaced meanwhile. */
static int
check_same(struct mbox *m, struct verdict *v)
{
	struct stat ours, there;

	if (fstat(m->fd, &ours) == -1 ||
	    fstatat(m->dir, m->name, &there, AT_SYMLINK_NOFOLLOW) == -1)
		return verdict_errno(v, errno, "stat", m->path);
	if (ours.st_ino != there.st_ino || ours.st_dev != there.st_dev)
		return verdict_set(v, VERDICT_TEMPFAIL,
		    "4.2.0 %s was replaced meanwhile", m->path);
	m->before = ours.st_size;
	return 0;
}

static void
cut_back(struct mbox *m)
{
	if (ftruncate(m->fd, m->before) == 0)
		fsync(m->fd);
}

int
mbox_deliver(
    const char *path, const char *home, struct letter *l, struct verdict *v)
{
	struct mbox room, *m = &room;
	int result = -1;

	memset(m, 0, offsetof(struct mbox, out));
	m->path = path;
	m->dir = m->fd = -1;
	m->steps_left = LOCK_PATIENCE * 1000 / LOCK_STEP;
	if (open_dir(m, home, v) == -1 || lock_dot(m, v) == -1 ||
	    open_file(m, v) == -1 || lock_file(m, v) == -1 ||
	    check_same(m, v) == -1)
		goto out;
	if (append(m, l, v) == -1) {
		cut_back(m);
		goto out;
	}
	result = 0;
out:
	/* Closing gives up flock and fcntl. */
	if (m->fd != -1)
		close(m->fd);
	if (m->dotted)
		unlinkat(m->dir, m->lock, 0);
	if (m->dir != -1)
		close(m->dir);
	return result;
}

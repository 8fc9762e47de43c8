#include "tools/qtool/mender.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/text.h"
#include "lib/mail/envelope.h"
#include "queue/envfile.h"
#include "tools/qtool/beside.h"
#include "tools/qtool/firstform.h"
#include "tools/qtool/inspect.h"

#define TTL (4 * 86400) /* of an envelope whose end makes no sense */
#define NAMES 10000 /* tried for a file that is set aside */
#define MENDER_ASIDE MENDER_RESULTS /* among us: it is to be set aside */

static enum mender_result
failed(char said[MENDER_SAID], const char *what)
{
	int error = errno;

	snprintf(said, MENDER_SAID, "%s: %s", what, strerror(error));
	errno = error;
	return MENDER_FAILED;
}

static uint64_t
id_of(const char *file)
{
	const char *base = strrchr(file, '/');
	uint64_t id = 0;

	(void)inspect_name(base == NULL ? file : base + 1, &id);
	return id;
}

/* As layout_set_aside(), to a directory of the operator's. */
static int
set_aside_to(const struct mender *m, const char *file, const char *line)
{
	const char *base = strrchr(file, '/');
	char to[LAYOUT_NAME_MAX * 5], why[LAYOUT_NAME_MAX * 5 + 8];
	struct stat st;
	unsigned i;
	int fd, rc;

	base = base == NULL ? file : base + 1;
	for (i = 0; i < NAMES; i++) {
		snprintf(
		    to, sizeof(to), i == 0 ? "%.255s" : "%.255s.%u", base, i);
		if (fstatat(m->aside, to, &st, AT_SYMLINK_NOFOLLOW) == -1)
			break;
	}
	snprintf(why, sizeof(why), "%s.why", to);
	fd = openat(m->aside, why,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	rc = layout_write_all(fd, line, strlen(line));
	if (close(fd) == -1)
		rc = -1;
	return rc == -1 ? -1 : renameat(m->layout->root, file, m->aside, to);
}

static enum mender_result
do_aside(
    const struct mender *m, const struct problem *p, char said[MENDER_SAID])
{
	char line[640], when[TEXT_TIME_MAX];
	int rc;

	snprintf(said, MENDER_SAID, "to %s",
	    m->aside_name == NULL ? "corrupt" : m->aside_name);
	if (m->dry)
		return MENDER_DONE;
	/* So that the daemon can take it back. */
	if (m->layout->chown &&
	    fchownat(m->layout->root, p->file, m->layout->owner,
		m->layout->group, AT_SYMLINK_NOFOLLOW) == -1)
		return failed(said, "chown");
	if (m->aside == -1) {
		snprintf(line, sizeof(line), "%s %s", problem_code(p->class),
		    p->reason);
		rc = layout_set_aside(m->layout, p->file, line);
	} else {
		snprintf(line, sizeof(line), "%s %s %s\n",
		    text_time(when, m->now), problem_code(p->class), p->reason);
		rc = set_aside_to(m, p->file, line);
	}
	if (rc == -1)
		return failed(said, "set aside");
	return MENDER_DONE;
}

/* The octets of a file that is about to be replaced. */
static int
keep(const struct mender *m, const struct problem *p)
{
	const char *base = strrchr(p->file, '/') + 1;
	char line[640], *data;
	size_t len = 0;
	int rc;

	data = layout_read_all(m->layout, p->file, ENVFILE_STORED_MAX, &len);
	if (data == NULL)
		return errno == ENOENT ? 0 : -1;
	snprintf(
	    line, sizeof(line), "%s %s", problem_code(p->class), p->reason);
	rc = len == 0 ? 0 : layout_keep(m->layout, base, data, len, line);
	free(data);
	return rc;
}

/* A text takes the place of an envelope's file, in its stored form. */
static int
put_text(const struct mender *m, struct beside *b, const struct key *key,
    uint64_t evpid, const char *text, size_t len)
{
	struct buf *stored = buf_new(ENVFILE_STORED_MAX);
	char name[LAYOUT_NAME_MAX];
	int rc;

	(void)m;
	rc = envfile_wrap(key, evpid, text, len, stored);
	if (rc == 0)
		rc = beside_put(b, layout_envelope(name, evpid),
		    buf_data(stored), buf_len(stored));
	buf_free(stored);
	return rc;
}

static int
settle(struct beside *b)
{
	size_t n = beside_count(b);
	const char *file;

	return beside_settle(b, NULL, NULL, &file) == n ? 0 : -1;
}

static enum mender_result
do_rebuild(
    const struct mender *m, const struct problem *p, char said[MENDER_SAID])
{
	uint64_t evpid = id_of(p->file);
	struct beside *b = NULL;
	struct firstform f;
	enum mender_result rc = MENDER_DONE;
	const char *text, *why;
	size_t len;

	text = firstform_read(&f, m->layout, m->keys, ident_msgid(evpid), &why)
	    ? firstform_find(&f, evpid, &len)
	    : NULL;
	if (text == NULL) {
		firstform_free(&f);
		return MENDER_ASIDE;
	}
	snprintf(said, MENDER_SAID, "from the record of its message");
	if (!m->dry) {
		b = beside_new(m->layout);
		if (put_text(m, b, f.key, evpid, text, len) == -1 ||
		    keep(m, p) == -1 || settle(b) == -1)
			rc = failed(said, "rebuild");
	}
	beside_free(b);
	firstform_free(&f);
	return rc;
}

/* An envelope in its first form, but held. */
static int
put_held(const struct mender *m, struct beside *b, const struct key *key,
    const char *text, size_t len)
{
	struct buf *out = buf_new(ENVELOPE_TEXT_MAX);
	char hold[160], since[TEXT_TIME_MAX];
	struct envelope e;
	int rc = -1;

	if (envelope_parse(&e, text, len, NULL, 0) == ENVELOPE_OK) {
		snprintf(hold, sizeof(hold),
		    "by=uid:%u since=%s reason=its envelope was missing",
		    (unsigned)getuid(), text_time(since, m->now));
		e.state = ENVELOPE_HELD;
		envelope_set(&e.hold, hold);
		e.generation++;
		if (e.expires < m->now + TTL)
			e.expires = m->now + TTL;
		if (envelope_print(&e, out) == 0)
			rc = put_text(
			    m, b, key, e.id, buf_text(out), buf_len(out));
	} else
		errno = EBADMSG;
	envelope_clear(&e);
	buf_free(out);
	return rc;
}

static enum mender_result
do_adopt(
    const struct mender *m, const struct problem *p, char said[MENDER_SAID])
{
	uint64_t msgid = ident_msgid(id_of(p->file)), id;
	struct beside *b = beside_new(m->layout);
	enum mender_result rc = MENDER_DONE;
	const char *text, *why;
	size_t at = 0, len, n = 0;
	struct firstform f;

	if (firstform_read(&f, m->layout, m->keys, msgid, &why))
		while ((text = firstform_next(&f, &at, &id, &len)) != NULL) {
			if (ident_msgid(id) != msgid)
				continue;
			n++;
			if (m->dry)
				continue;
			if (put_held(m, b, f.key, text, len) == -1) {
				rc = failed(said, "adopt");
				break;
			}
		}
	if (rc == MENDER_DONE && n == 0) {
		beside_free(b);
		firstform_free(&f);
		return MENDER_ASIDE;
	}
	if (rc == MENDER_DONE && !m->dry && settle(b) == -1)
		rc = failed(said, "adopt");
	if (rc == MENDER_DONE)
		snprintf(said, MENDER_SAID, "%zu envelope%s, held", n,
		    n == 1 ? "" : "s");
	beside_free(b);
	firstform_free(&f);
	return rc;
}

/* What lies ahead is now; what ends before it begins has a life again. */
static void
clamp(struct envelope *e, int64_t now)
{
	if (e->arrived > now)
		e->arrived = now;
	if (e->last_try > now)
		e->last_try = now;
	if (e->expires < e->arrived || e->expires > now + 10 * TTL)
		e->expires = now + TTL;
	if (e->next_try > e->expires)
		e->next_try = now;
	e->generation++;
}

static enum mender_result
do_clock(
    const struct mender *m, const struct problem *p, char said[MENDER_SAID])
{
	struct buf *clear = buf_new(ENVFILE_MAX), *out = buf_new(ENVFILE_MAX);
	struct beside *b = beside_new(m->layout);
	char kid[KEYRING_KID + 1] = "", *data;
	enum mender_result rc = MENDER_DONE;
	const struct key *key = NULL;
	struct envelope e;
	uint64_t said_id;
	size_t len;

	snprintf(said, MENDER_SAID, "its times to what can be");
	data = layout_read_all(m->layout, p->file, ENVFILE_STORED_MAX, &len);
	if (data == NULL || m->dry)
		goto out;
	if (envfile_unwrap(m->keys, data, len, clear, &said_id, kid) ==
	    ENVFILE_WHOLE) {
		key = kid[0] == '\0' ? NULL : keyring_find(m->keys, kid);
		if (envelope_parse(&e, buf_text(clear), buf_len(clear), NULL,
			0) == ENVELOPE_OK) {
			clamp(&e, m->now);
			(void)envelope_print(&e, out);
		}
		envelope_clear(&e);
	}
	if (buf_len(out) == 0)
		errno = EBADMSG;
	if (buf_len(out) == 0 ||
	    put_text(m, b, key, id_of(p->file), buf_text(out), buf_len(out)) ==
		-1 ||
	    keep(m, p) == -1 || settle(b) == -1)
		rc = failed(said, "clock");
out:
	if (data == NULL)
		rc = failed(said, "clock");
	free(data);
	beside_free(b);
	buf_free(out);
	buf_free(clear);
	return rc;
}

static enum mender_result
do_move(const struct mender *m, const struct problem *p, char said[MENDER_SAID])
{
	char home[LAYOUT_NAME_MAX], bucket[LAYOUT_NAME_MAX];
	uint64_t id = id_of(p->file);
	struct stat st;

	layout_bucket_name(bucket, layout_bucket(ident_msgid(id)));
	if (ident_rcpt(id) == 0)
		layout_message(home, ident_msgid(id));
	else
		layout_envelope(home, id);
	snprintf(said, MENDER_SAID, "to %s", bucket);
	if (m->dry)
		return MENDER_DONE;
	/* Two copies in two wrong places: the second is odd. */
	if (fstatat(m->layout->root, home, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return MENDER_ASIDE;
	if (renameat(m->layout->root, p->file, m->layout->root, home) == -1)
		return failed(said, "move");
	return MENDER_DONE;
}

/* A file that has another name as well becomes one of its own; the other name
 * keeps what it had. */
static int
part_links(const struct mender *m, const char *file, mode_t mode)
{
	struct beside *b = beside_new(m->layout);
	char chunk[65536];
	int from, to, rc = -1;
	ssize_t n = -1;

	from = openat(m->layout->root, file,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	to = from == -1 ? -1 : beside_open(b, file);
	while (to != -1 && (n = read(from, chunk, sizeof(chunk))) > 0)
		if (layout_write_all(to, chunk, (size_t)n) == -1) {
			n = -1;
			break;
		}
	if (to != -1 && n == 0 && fchmod(to, mode) == 0)
		rc = settle(b);
	if (to != -1)
		close(to);
	if (from != -1)
		close(from);
	beside_free(b);
	return rc;
}

static enum mender_result
do_mode(const struct mender *m, const struct problem *p, char said[MENDER_SAID])
{
	const struct layout *l = m->layout;
	struct stat st;
	mode_t mode;

	if (fstatat(l->root, p->file, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		if (errno != ENOENT)
			return failed(said, "mode");
		snprintf(said, MENDER_SAID, "made anew");
		if (m->dry ||
		    (mkdirat(l->root, p->file, 0700) == 0 &&
			(!l->chown ||
			    fchownat(l->root, p->file, l->owner, l->group,
				AT_SYMLINK_NOFOLLOW) == 0)))
			return MENDER_DONE;
		return failed(said, "mkdir");
	}
	mode = S_ISDIR(st.st_mode) ? 0700 : 0600;
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
		snprintf(said, MENDER_SAID, "not a file of ours");
		return MENDER_LEFT;
	}
	if (st.st_uid != l->owner && geteuid() != 0) {
		snprintf(said, MENDER_SAID, "only root can give it to uid %u",
		    (unsigned)l->owner);
		return MENDER_LEFT;
	}
	snprintf(said, MENDER_SAID, "%s%s%04o",
	    st.st_uid != l->owner ? "owner, " : "",
	    S_ISREG(st.st_mode) && st.st_nlink > 1 ? "one link, " : "",
	    (unsigned)mode);
	if (m->dry)
		return MENDER_DONE;
	if (st.st_uid != l->owner &&
	    fchownat(l->root, p->file, l->owner, l->group,
		AT_SYMLINK_NOFOLLOW) == -1)
		return failed(said, "chown");
	if (S_ISREG(st.st_mode) && st.st_nlink > 1) {
		if (part_links(m, p->file, mode) == -1)
			return failed(said, "copy");
	} else if (fchmodat(l->root, p->file, mode, 0) == -1)
		return failed(said, "chmod");
	return MENDER_DONE;
}

static enum mender_result
do_leave(
    const struct mender *m, const struct problem *p, char said[MENDER_SAID])
{
	(void)m;
	switch (p->class) {
	case PROBLEM_WRONG_KEY:
		snprintf(
		    said, MENDER_SAID, "give the key ring that has %s", p->kid);
		break;
	case PROBLEM_UNKNOWN_ACTION:
		snprintf(said, MENDER_SAID,
		    "name the action in the configuration again");
		break;
	default:
		snprintf(said, MENDER_SAID, "a person must look at it");
		break;
	}
	return MENDER_LEFT;
}

enum mender_result
mender_do(const struct mender *m, struct mend *what, char said[MENDER_SAID])
{
	static enum mender_result (*const acts[MEND_ACTS])(
	    const struct mender *, const struct problem *, char *) = {
		[MEND_MODE] = do_mode,
		[MEND_MOVE] = do_move,
		[MEND_CLOCK] = do_clock,
		[MEND_REBUILD] = do_rebuild,
		[MEND_ADOPT] = do_adopt,
		[MEND_ASIDE] = do_aside,
		[MEND_LEAVE] = do_leave,
	};

	enum mender_result rc = acts[what->act](m, what->why, said);

	if (rc != MENDER_ASIDE)
		return rc;
	what->act = MEND_ASIDE;
	return do_aside(m, what->why, said);
}

int
mender_sync(const struct mender *m)
{
	return beside_sync(m->layout);
}

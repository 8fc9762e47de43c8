#include "tools/qtool/ringfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/secret.h"
#include "queue/layout.h"

#define LINE_GROWS 16u /* a state's name may be longer than the old one's */

/* The state's word in a line of a key; false: no such line. */
static bool
find_state(const char *line, size_t len, const char *kid, size_t *at,
    size_t *state_len)
{
	size_t n = strlen(kid), i = 0;

	while (i < len && (line[i] == ' ' || line[i] == '\t'))
		i++;
	if (len - i <= n || memcmp(line + i, kid, n) != 0 ||
	    (line[i + n] != ' ' && line[i + n] != '\t'))
		return false;
	for (i += n; i < len && (line[i] == ' ' || line[i] == '\t'); i++)
		;
	for (*at = i; i < len && line[i] != ' ' && line[i] != '\t'; i++)
		;
	*state_len = i - *at;
	return *state_len > 0;
}

static bool
starts_with_kid(const char *line, size_t len, char kid[KEYRING_KID + 1])
{
	size_t i = 0;

	while (i < len && (line[i] == ' ' || line[i] == '\t'))
		i++;
	if (len - i <= KEYRING_KID)
		return false;
	memcpy(kid, line + i, KEYRING_KID);
	kid[KEYRING_KID] = '\0';
	return key_kid_ok(kid);
}

/* The new text; its length, 0 when kid has no line. */
static size_t
rewrite(const char *text, size_t len, const char *kid, enum key_state state,
    char *to)
{
	const char *end = text + len, *lf, *word;
	char mine[KEYRING_KID + 1];
	size_t n, at, old, out = 0;
	bool found = false, ours;

	for (; text < end; text = lf) {
		lf = memchr(text, '\n', (size_t)(end - text));
		lf = lf == NULL ? end : lf + 1;
		n = (size_t)(lf - text);
		word = NULL;
		at = old = 0;
		if (starts_with_kid(text, n, mine) &&
		    find_state(text, n, mine, &at, &old)) {
			ours = strcmp(mine, kid) == 0;
			found = found || ours;
			if (ours)
				word = key_state_name(state);
			else if (state == KEY_ACTIVE && old == 6 &&
			    memcmp(text + at, "active", 6) == 0)
				word = key_state_name(KEY_READABLE);
		}
		if (word == NULL) {
			memcpy(to + out, text, n);
			out += n;
			continue;
		}
		memcpy(to + out, text, at);
		out += at;
		memcpy(to + out, word, strlen(word));
		out += strlen(word);
		memcpy(to + out, text + at + old, n - at - old);
		out += n - at - old;
	}
	return found ? out : 0;
}

static int
sync_dir(const char *path)
{
	char dir[4096];
	char *slash;
	int fd, rc;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash == NULL)
		snprintf(dir, sizeof(dir), ".");
	else
		slash[slash == dir] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

static int
put_in_place(const char *path, const char *text, size_t len)
{
	char temp[4096];
	struct stat st;
	int fd, rc = -1, error;

	if ((size_t)snprintf(temp, sizeof(temp), "%s.new", path) >=
		sizeof(temp) ||
	    stat(path, &st) == -1)
		return -1;
	(void)unlink(temp);
	fd = open(
	    temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	if (fd == -1)
		return -1;
	if ((st.st_uid == geteuid() || fchown(fd, st.st_uid, st.st_gid) == 0) &&
	    layout_write_all(fd, text, len) == 0 && fsync(fd) == 0)
		rc = 0;
	error = errno;
	close(fd);
	if (rc == 0 && rename(temp, path) == -1) {
		rc = -1;
		error = errno;
	}
	if (rc == -1) {
		(void)unlink(temp);
		errno = error;
		return -1;
	}
	return sync_dir(path);
}

int
ringfile_set(const char *path, const char *kid, enum key_state state, char *err,
    size_t errlen)
{
	size_t size = KEYRING_TEXT_MAX + LINE_GROWS * KEYRING_KEYS, n;
	char *text = secret_room(size), *to = secret_room(size), why[256];
	ssize_t len;
	int rc = -1;

	if (text == NULL || to == NULL) {
		snprintf(err, errlen, "no memory");
		goto out;
	}
	len = secret_read(path, text, KEYRING_TEXT_MAX, why, sizeof(why));
	if (len == -1) {
		snprintf(err, errlen, "%s: %s", path, why);
		goto out;
	}
	n = rewrite(text, (size_t)len, kid, state, to);
	if (n == 0) {
		snprintf(err, errlen, "%s has no line of key %s", path, kid);
		goto out;
	}
	rc = 0;
	if (n != (size_t)len || memcmp(text, to, n) != 0)
		rc = put_in_place(path, to, n);
	if (rc == -1)
		snprintf(err, errlen, "%s: %s", path, strerror(errno));
out:
	secret_room_free(text, size);
	secret_room_free(to, size);
	return rc;
}

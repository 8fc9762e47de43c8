#include "daemon/parent/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/secret.h"

/* What a pipe holds at least where it may grow, so that all of a file is in it
 * before anybody reads. */
#define KEYFILE_MAX 65536u

static int
explain(const struct conf *c, const char *path, const char *why, char *err,
    size_t errlen)
{
	snprintf(err, errlen, "%s: encryption: %s %s%s",
	    c->keys_place == NULL ? "" : c->keys_place, path,
	    strncmp(why, "is ", 3) == 0 || strncmp(why, "has ", 4) == 0 ||
		    strncmp(why, "belongs ", 8) == 0
		? ""
		: "cannot be read: ",
	    why);
	return -1;
}

static const char *
path_of(const struct conf *c, int which)
{
	return which == START_RING ? c->keys_path : c->passphrase_path;
}

int
keyfile_check(const struct conf *c, char *err, size_t errlen)
{
	char why[128];
	int i;

	for (i = 0; i < START_SECRETS; i++)
		if (path_of(c, i) != NULL &&
		    secret_check(
			path_of(c, i), KEYFILE_MAX, why, sizeof(why)) == -1)
			return explain(c, path_of(c, i), why, err, errlen);
	return 0;
}

/* The reading end of a pipe that holds all of it, or -1. */
static int
poured(const void *data, size_t len, char *why, size_t whylen)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) == -1) {
		snprintf(why, whylen, "%s", strerror(errno));
		return -1;
	}
#ifdef F_SETPIPE_SZ
	(void)fcntl(fds[1], F_SETPIPE_SZ, (int)KEYFILE_MAX);
#endif
	if (fcntl(fds[1], F_SETFL, O_NONBLOCK) == -1 ||
	    write(fds[1], data, len) != (ssize_t)len) {
		snprintf(why, whylen, "no pipe holds so much");
		close(fds[0]);
		fds[0] = -1;
	}
	close(fds[1]);
	return fds[0];
}

static int
open_one(const char *path, char *why, size_t whylen)
{
	void *room = secret_room(KEYFILE_MAX);
	ssize_t len;
	int fd = -1;

	if (room == NULL) {
		snprintf(why, whylen, "%s", strerror(errno));
		return -1;
	}
	len = secret_read(path, room, KEYFILE_MAX, why, whylen);
	if (len != -1)
		fd = poured(room, (size_t)len, why, whylen);
	secret_room_free(room, KEYFILE_MAX);
	return fd;
}

int
keyfile_open(const struct conf *c, struct keyfile *k, char *err, size_t errlen)
{
	char why[128];
	int i;

	for (i = 0; i < START_SECRETS; i++)
		k->fds[i] = -1;
	for (i = 0; i < START_SECRETS; i++) {
		if (path_of(c, i) == NULL)
			continue;
		k->fds[i] = open_one(path_of(c, i), why, sizeof(why));
		if (k->fds[i] == -1) {
			keyfile_close(k);
			return explain(c, path_of(c, i), why, err, errlen);
		}
	}
	return 0;
}

void
keyfile_close(struct keyfile *k)
{
	int i;

	for (i = 0; i < START_SECRETS; i++) {
		if (k->fds[i] != -1)
			close(k->fds[i]);
		k->fds[i] = -1;
	}
}

#include "daemon/parent/reach.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "daemon/edge/dial.h"

#define SCHEME "lmtp://" /* the path follows */

/* The mta hears from strangers, and this process may be root: only what the
 * configuration itself names is reached. */
static bool
in_table(const struct conf *c, const char *name, const char *path)
{
	const struct conf_table *t = conf_table(c, name);
	size_t i;

	for (i = 0; t != NULL && i < t->n; i++)
		if (strncmp(t->keys[i], SCHEME, strlen(SCHEME)) == 0 &&
		    strcmp(t->keys[i] + strlen(SCHEME), path) == 0)
			return true;
	return false;
}

static bool
is_named(const struct conf *c, const char *path)
{
	const struct conf_relay *r;
	size_t i, k;

	for (i = 0; i < c->nactions; i++) {
		r = &c->actions[i].relay;
		if (c->actions[i].kind != CONF_RELAY)
			continue;
		for (k = 0; k < r->nurls; k++)
			if (r->urls[k].path != NULL &&
			    strcmp(r->urls[k].path, path) == 0)
				return true;
		if (r->via != NULL && in_table(c, r->via, path))
			return true;
	}
	return false;
}

/* The descriptor, or -1 with errno. */
static int
dial(const struct conf *c, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd, error;

	if (len >= sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (!is_named(c, path)) {
		errno = EACCES;
		return -1;
	}
	memcpy(un.sun_path, path, len + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) == -1) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int
reach_on_dial(const struct conf *c, struct peer *mta, struct message *m)
{
	struct dial_opened answer = { 0 };
	struct dial_open open;
	int fd;

	if (dial_open_get(&m->body, &open) == -1)
		return -1;
	fd = dial(c, open.path);
	answer.ticket = open.ticket;
	answer.error = fd == -1 ? (uint32_t)errno : 0;
	dial_opened_put(peer_begin(mta), &answer);
	if (fd == -1)
		peer_send(mta, DIAL_OPENED);
	else
		peer_send_fd(mta, DIAL_OPENED, fd);
	return 0;
}

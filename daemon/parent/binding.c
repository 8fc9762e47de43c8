#include "daemon/parent/binding.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/net/listener.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/unixsock.h"

struct binding {
	size_t n;
	int *fds;
	struct sockaddr_storage *addrs;
	int control;
	char *path; /* of the control socket */
};

static int
taken_over(const struct binding *old, const struct conf_listener *l)
{
	size_t i;

	for (i = 0; old != NULL && i < old->n; i++)
		if (old->fds[i] != -1 &&
		    memcmp(&old->addrs[i], &l->addr, l->addrlen) == 0)
			return fcntl(old->fds[i], F_DUPFD_CLOEXEC, 0);
	return -1;
}

static int
open_listeners(
    struct binding *b, const struct conf *c, const struct binding *old)
{
	const struct conf_listener *l;
	size_t i;

	for (i = 0; i < c->nlisteners; i++) {
		l = &c->listeners[i];
		b->fds[i] = taken_over(old, l);
		if (b->fds[i] == -1)
			b->fds[i] = listener_open(
			    (const struct sockaddr *)&l->addr, l->addrlen);
		if (b->fds[i] == -1) {
			log_err("event=listen-failed address=%s port=%u "
				"text=%s",
			    l->where, l->port, strerror(errno));
			return -1;
		}
		b->addrs[i] = l->addr;
	}
	return 0;
}

static int
open_control(struct binding *b, const struct conf *c, const struct binding *old)
{
	const struct group *group = NULL;
	mode_t mode = c->control_group == NULL ? 0600 : 0660;

	if (c->control_group != NULL) {
		group = getgrnam(c->control_group);
		if (group == NULL) {
			log_err("event=control-failed text=no such group %s",
			    c->control_group);
			return -1;
		}
	}
	if (old != NULL && strcmp(old->path, c->control) == 0)
		b->control = fcntl(old->control, F_DUPFD_CLOEXEC, 0);
	else
		b->control = unixsock_listen(c->control, 0600);
	/* At a reload the group may be another one, or none any more. */
	if (b->control == -1 ||
	    chown(c->control, (uid_t)-1,
		group == NULL ? getegid() : group->gr_gid) == -1 ||
	    chmod(c->control, mode) == -1) {
		log_err("event=control-failed path=%s text=%s%s", c->control,
		    strerror(errno),
		    errno == EADDRINUSE ? " (is another smtpd running?)" : "");
		return -1;
	}
	return 0;
}

struct binding *
binding_open(const struct conf *c, struct binding *old)
{
	struct binding *b = mem_zalloc(sizeof(*b));
	size_t i;

	b->n = c->nlisteners;
	b->fds = mem_zarray(b->n, sizeof(*b->fds));
	b->addrs = mem_zarray(b->n, sizeof(*b->addrs));
	for (i = 0; i < b->n; i++)
		b->fds[i] = -1;
	b->control = -1;
	b->path = mem_strdup(c->control);
	if (open_listeners(b, c, old) == -1 || open_control(b, c, old) == -1) {
		binding_free(b);
		return NULL;
	}
	binding_free(old);
	return b;
}

void
binding_free(struct binding *b)
{
	size_t i;

	if (b == NULL)
		return;
	for (i = 0; i < b->n; i++)
		if (b->fds[i] != -1)
			close(b->fds[i]);
	if (b->control != -1)
		close(b->control);
	free(b->fds);
	free(b->addrs);
	free(b->path);
	free(b);
}

size_t
binding_count(const struct binding *b)
{
	return b->n;
}

int
binding_listener(const struct binding *b, size_t i)
{
	return fcntl(b->fds[i], F_DUPFD_CLOEXEC, 0);
}

int
binding_control(const struct binding *b)
{
	return fcntl(b->control, F_DUPFD_CLOEXEC, 0);
}

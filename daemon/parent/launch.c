#include "daemon/parent/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "daemon/edge/start.h"
#include "daemon/proc/proc.h"
#include "lib/base/log.h"
#include "lib/base/unixsock.h"

/* Who talks to whom, beside the parent, who talks to all. */
static const struct {
	enum role one, other;
} conversations[] = {
	{ ROLE_CONTROL, ROLE_SMTP },
	{ ROLE_CONTROL, ROLE_LOOKUP },
	{ ROLE_CONTROL, ROLE_DNS },
	{ ROLE_CONTROL, ROLE_SPOOLER },
	{ ROLE_CONTROL, ROLE_SCHEDULER },
	{ ROLE_CONTROL, ROLE_MTA },
	{ ROLE_CONTROL, ROLE_MDA },
	{ ROLE_SMTP, ROLE_LOOKUP },
	{ ROLE_SMTP, ROLE_SPOOLER },
	{ ROLE_SPOOLER, ROLE_LOOKUP },
	{ ROLE_SPOOLER, ROLE_SCHEDULER },
	{ ROLE_SPOOLER, ROLE_MTA },
	{ ROLE_SPOOLER, ROLE_MDA },
	{ ROLE_MTA, ROLE_DNS },
};

/* In the child, between fork and exec: only what is safe there. */
static _Noreturn void
become_role(const char *program, enum role who, const struct conf *c, int fd)
{
	const char *argv[6];
	sigset_t none;
	int n = 0;

	if (fd == PROC_PARENT_FD)
		fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, PROC_PARENT_FD) == -1)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	argv[n++] = program;
	argv[n++] = "-x";
	argv[n++] = role_name(who);
	if (c->foreground)
		argv[n++] = "-d";
	if (c->verbose)
		argv[n++] = "-v";
	argv[n] = NULL;
	execv(program, (char *const *)(uintptr_t)argv);
	_exit(127);
}

pid_t
launch_role(const char *program, enum role who, const struct conf *c, int *fd)
{
	int pair[2], saved;
	pid_t pid;

	if (unixsock_pair(pair) == -1)
		return -1;
	pid = fork();
	if (pid == 0)
		become_role(program, who, c, pair[1]);
	saved = errno;
	close(pair[1]);
	if (pid == -1) {
		close(pair[0]);
		errno = saved;
		return -1;
	}
	*fd = pair[0];
	return pid;
}

void
launch_secrets(struct peer *to, struct keyfile *k)
{
	struct start_secret m;
	int i;

	for (i = 0; i < START_SECRETS; i++) {
		if (k->fds[i] == -1)
			continue;
		m.which = (uint8_t)i;
		start_secret_put(peer_begin(to), &m);
		peer_send_fd(to, START_SECRET, k->fds[i]);
		k->fds[i] = -1;
	}
}

int
launch_slice(struct peer *to, enum role who, const struct conf *c)
{
	struct buf *text = buf_new(CONF_TEXT_MAX);
	struct start_conf m;
	size_t at = 0, len;

	if (conf_print(c, who, text) == -1) {
		buf_free(text);
		return -1;
	}
	len = buf_len(text);
	do {
		m.text = buf_data(text) + at;
		m.len = len - at > START_PIECE ? START_PIECE : len - at;
		at += m.len;
		m.last = at == len;
		start_conf_put(peer_begin(to), &m);
		peer_send(to, START_CONF);
	} while (at < len);
	buf_free(text);
	return 0;
}

static void
introduce(struct peer *to, enum role whom, int fd)
{
	struct start_peer m = { .role = (uint8_t)whom };

	start_peer_put(peer_begin(to), &m);
	peer_send_fd(to, START_PEER, fd);
}

int
launch_introduce(struct peer *const peers[ROLES])
{
	size_t i;
	int pair[2];

	for (i = 0; i < sizeof(conversations) / sizeof(conversations[0]); i++) {
		if (unixsock_pair(pair) == -1)
			return -1;
		introduce(peers[conversations[i].one], conversations[i].other,
		    pair[0]);
		introduce(peers[conversations[i].other], conversations[i].one,
		    pair[1]);
	}
	return 0;
}

static void
send_socket(struct peer *to, uint32_t index, int fd)
{
	struct start_socket m = { .index = index };

	start_socket_put(peer_begin(to), &m);
	peer_send_fd(to, START_SOCKET, fd);
}

static int
send_sockets(struct peer *to, enum role who, const struct binding *b)
{
	size_t i;
	int fd;

	for (i = 0; who == ROLE_SMTP && i < binding_count(b); i++) {
		fd = binding_listener(b, i);
		if (fd == -1)
			return -1;
		send_socket(to, (uint32_t)i, fd);
	}
	if (who == ROLE_CONTROL) {
		fd = binding_control(b);
		if (fd == -1)
			return -1;
		send_socket(to, 0, fd);
	}
	return 0;
}

int
launch_go(struct peer *to, enum role who, const struct binding *b)
{
	if (send_sockets(to, who, b) == -1)
		return -1;
	peer_begin(to);
	peer_send(to, START_GO);
	return 0;
}

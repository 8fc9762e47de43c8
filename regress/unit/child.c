/* Agents are started with the right arguments, told about, and stopped. The
 * agent here is a shell script that tells what it was given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <sys/wait.h>

#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/edge/agent.h"
#include "daemon/parent/child.h"
#include "lib/base/unixsock.h"

static const char script[] = "#!/bin/sh\n"
			     "for a; do printf '[%s]' \"$a\" >&2; done\n"
			     "printf ' %s %s %s ' \"$PATH\" \"$HOME\" \"$PWD\""
			     " >&2\n"
			     "printf '%s ' $(id -u) $(umask) $(ulimit -n)"
			     " >&2\n"
			     "ls /proc/self/fd >&2\n"
			     "trap 'echo stopped >&2; exit 75' TERM\n"
			     "read line; echo \"$line\" >&2\n"
			     "[ \"$line\" != wait ] || while :; do read x;"
			     " done\n"
			     "[ \"$line\" != deaf ] || { trap '' TERM;"
			     " echo now >&2; while :; do read x; done; }\n"
			     "exit 67\n";

struct stage {
	struct event_base *base;
	struct event *sigchld;
	struct peer *mda, *parent;
	struct children *children;
	char program[64];

	struct agent_started started;
	char error[512];
	char heard[4096];
	int fd; /* from STARTED */
	int told; /* messages that came */
	int64_t status;
	uint32_t exited; /* ticket of EXIT */
	pid_t reaped;
};

static int
on_started(void *arg, struct message *m)
{
	struct stage *s = arg;

	if (agent_started_get(&m->body, &s->started) == -1)
		return -1;
	snprintf(s->error, sizeof(s->error), "%s", s->started.error);
	s->fd = m->fd;
	m->fd = -1;
	s->told++;
	return 0;
}

static int
on_exit_told(void *arg, struct message *m)
{
	struct stage *s = arg;
	struct agent_exit e;

	if (agent_exit_get(&m->body, &e) == -1)
		return -1;
	s->exited = e.ticket;
	s->status = e.status;
	s->told++;
	return 0;
}

static const struct handler for_mda[] = {
	{ AGENT_STARTED, "started", on_started },
	{ AGENT_EXIT, "exit", on_exit_told },
};
static const struct handler for_parent[] = {
	{ AGENT_RUN, "run", children_on_run },
	{ AGENT_KILL, "kill", children_on_kill },
};

static void
on_sigchld(int sig, short what, void *arg)
{
	struct stage *s = arg;
	int status;
	pid_t pid;

	(void)sig;
	(void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (children_reap(s->children, pid, status))
			s->reaped = pid;
}

static int
set_up(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));
	int pair[2], fd;

	assert_non_null(s);
	strcpy(s->program, "/tmp/child-test.XXXXXX");
	fd = mkstemp(s->program);
	assert_int_not_equal(fd, -1);
	assert_int_equal(
	    write(fd, script, sizeof(script) - 1), (int)sizeof(script) - 1);
	assert_int_equal(fchmod(fd, 0755), 0);
	close(fd);
	s->base = event_base_new();
	assert_int_equal(unixsock_pair(pair), 0);
	s->mda = peer_new(s->base, pair[0], ROLE_PARENT, NULL, NULL);
	peer_handlers(s->mda, for_mda, 2, s);
	s->parent = peer_new(s->base, pair[1], ROLE_MDA, NULL, NULL);
	s->children = children_new(s->program, geteuid() == 0);
	peer_handlers(s->parent, for_parent, 2, s->children);
	children_set_peer(s->children, s->parent);
	s->sigchld = evsignal_new(s->base, SIGCHLD, on_sigchld, s);
	event_add(s->sigchld, NULL);
	s->fd = -1;
	*state = s;
	return 0;
}

static int
tear_down(void **state)
{
	struct stage *s = *state;

	if (s->fd != -1)
		close(s->fd);
	unlink(s->program);
	peer_free(s->mda);
	peer_free(s->parent);
	children_free(s->children);
	event_free(s->sigchld);
	event_base_free(s->base);
	free(s);
	return 0;
}

static void
run_until(struct stage *s, int told)
{
	while (s->told < told)
		event_base_loop(s->base, EVLOOP_ONCE);
}

static void
ask(struct stage *s, const char *user, const char *path, int kind)
{
	struct agent_run run = {
		.ticket = 7,
		.kind = (enum agent_kind)kind,
		.user = user,
		.path = path,
		.sender = "a b@c",
		.recipient = "d'e@f",
		.size = 12345678901,
	};

	agent_run_put(peer_begin(s->mda), &run);
	peer_send(s->mda, AGENT_RUN);
	run_until(s, s->told + 1);
}

static void
order_kill(struct stage *s)
{
	struct agent_kill k = { 7 };

	agent_kill_put(peer_begin(s->mda), &k);
	peer_send(s->mda, AGENT_KILL);
}

/* Reads until the agent's side is closed or what was read ends in stop. */
static char *
hear(struct stage *s, const char *stop)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	char *text = s->heard;
	size_t len = 0;
	ssize_t n;

	for (;;) {
		poll(&p, 1, -1);
		n = read(s->fd, text + len, sizeof(s->heard) - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = '\0';
		if (stop != NULL && len >= strlen(stop) &&
		    strcmp(text + len - strlen(stop), stop) == 0)
			break;
	}
	text[len] = '\0';
	return text;
}

static void
say(struct stage *s, const char *text)
{
	assert_int_equal(write(s->fd, text, strlen(text)), (int)strlen(text));
}

static void
test_arguments(void **state)
{
	struct stage *s = *state;
	struct passwd *me = getpwuid(geteuid());
	char want[512], *heard;

	ask(s, me->pw_name, "/some where/x", AGENT_MAILDIR);
	assert_string_equal(s->error, "");
	assert_int_equal(s->started.ticket, 7);
	say(s, "go\n");
	heard = hear(s, NULL);
	/* ls itself opens descriptor 3. */
	snprintf(want, sizeof(want),
	    "[maildir][/some where/x][a b@c][d'e@f][12345678901] "
	    "/usr/bin:/bin %s / %u 0077 64 0\n1\n2\n3\ngo\n",
	    geteuid() == 0 ? me->pw_dir : "", (unsigned)geteuid());
	assert_string_equal(heard, want);
	run_until(s, 2);
	assert_int_equal(s->exited, 7);
	assert_true(WIFEXITED((int)s->status));
	assert_int_equal(WEXITSTATUS((int)s->status), 67);
}

static void
test_paths(void **state)
{
	struct passwd *me = getpwuid(geteuid());
	const struct {
		const char *path;
		enum agent_kind kind;
		const char *below; /* NULL: the home */
		const char *rest;
	} cases[] = {
		{ "~/Maildir", AGENT_MAILDIR, me->pw_dir, "/Maildir" },
		{ "~", AGENT_MAILDIR, me->pw_dir, "/" },
		{ "mail/x", AGENT_MBOX, me->pw_dir, "/mail/x" },
		{ "/abs", AGENT_MBOX, "", "/abs" },
	};
	struct stage *s = *state;
	char want[512];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ask(s, me->pw_name, cases[i].path, (int)cases[i].kind);
		assert_string_equal(s->error, "");
		say(s, "go\n");
		snprintf(want, sizeof(want), "[%s][%s%s]",
		    cases[i].kind == AGENT_MBOX ? "mbox" : "maildir",
		    cases[i].below, cases[i].rest);
		if (strstr(hear(s, NULL), want) == NULL)
			fail_msg("%s: not %s", cases[i].path, want);
		run_until(s, s->told + 1);
		close(s->fd);
		s->fd = -1;
	}
}

static void
test_refused(void **state)
{
	struct stage *s = *state;

	ask(s, "no-such-user-here", "~/Maildir", AGENT_MAILDIR);
	assert_string_equal(s->error, "5.1.1 no such user no-such-user-here");
	assert_int_equal(s->fd, -1);
	ask(s, "", "~other/Maildir", AGENT_MAILDIR);
	if (geteuid() != 0)
		assert_memory_equal(s->error, "5.3.5", 5);
	unlink(s->program);
	ask(s, getpwuid(geteuid())->pw_name, "/x", AGENT_MAILDIR);
	assert_string_equal(
	    s->error, "4.3.0 execute: No such file or directory");
	assert_int_equal(s->fd, -1);
}

static void
test_user(void **state)
{
	struct stage *s = *state;
	struct passwd *pw = getpwnam("nobody");
	char want[64];

	if (geteuid() != 0 || pw == NULL)
		skip();
	snprintf(want, sizeof(want), " %u 0077", (unsigned)pw->pw_uid);
	ask(s, "nobody", "/x", AGENT_MAILDIR);
	assert_string_equal(s->error, "");
	say(s, "go\n");
	assert_non_null(strstr(hear(s, NULL), want));
	run_until(s, 2);
}

static void
test_kill(void **state)
{
	struct stage *s = *state;
	const char *me = getpwuid(geteuid())->pw_name;

	ask(s, me, "/x", AGENT_MAILDIR);
	say(s, "wait\n");
	hear(s, "wait\n");
	order_kill(s);
	run_until(s, 2);
	assert_int_equal(WEXITSTATUS((int)s->status), 75);
	close(s->fd);

	ask(s, me, "/x", AGENT_MAILDIR);
	say(s, "deaf\n");
	hear(s, "now\n");
	order_kill(s);
	order_kill(s);
	run_until(s, 4);
	assert_true(WIFSIGNALED((int)s->status));
	assert_int_equal(WTERMSIG((int)s->status), SIGKILL);
}

static void
test_orphans(void **state)
{
	struct stage *s = *state;

	ask(s, getpwuid(geteuid())->pw_name, "/x", AGENT_MAILDIR);
	say(s, "wait\n");
	hear(s, "wait\n");
	children_set_peer(s->children, NULL);
	children_kill_all(s->children);
	while (s->reaped == 0)
		event_base_loop(s->base, EVLOOP_ONCE);
	/* Another mda is not told of it. */
	children_set_peer(s->children, s->parent);
	ask(s, "no-such-user-here", "~", AGENT_MAILDIR);
	assert_int_equal(s->told, 2);
	assert_int_equal(s->exited, 0);
	assert_false(children_reap(s->children, 1, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_arguments, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_paths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_user, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_kill, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_orphans, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "daemon/parent/child.h"

#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <paths.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/edge/agent.h"
#include "daemon/parent/fit.h"
#include "lib/base/mem.h"
#include "lib/base/unixsock.h"

#define CHILDREN_MAX 1000 /* the scheduler gives out far fewer */
#define GROUPS_MAX 256 /* of one user */
#define AGENT_FILES 64 /* descriptors an agent may open */
#define ERROR_MAX 512
#define USER_TEXT_MAX 16384 /* a passwd entry */

struct child {
	TAILQ_ENTRY(child) entry;
	pid_t pid;
	uint32_t ticket;
	bool told; /* SIGTERM was sent */
	bool orphan; /* the mda that asked is gone */
};

struct children {
	char *path;
	bool privileged;
	const struct conf *conf; /* or NULL */
	struct peer *mda;
	TAILQ_HEAD(child_list, child) list;
	unsigned n;
};

/* Everything the new process needs, put together before it exists: it shares
 * our memory until it executes the agent, and may only make system calls. */
struct plan {
	const char *program;
	char *argv[7];
	char *envp[5];
	bool become;
	uid_t uid;
	gid_t gid;
	gid_t groups[GROUPS_MAX];
	int ngroups;
	const char *touch; /* mailbox that only root can create, or NULL */
	int fd;
	int error; /* set by the new process: errno */
	const char *step; /* and what failed */
};

struct account {
	char name[LOGIN_NAME_MAX];
	char home[PATH_MAX];
	uid_t uid;
	gid_t gid;
	bool known; /* there is such a user */
};

struct children *
children_new(const char *path, bool privileged)
{
	struct children *c = mem_zalloc(sizeof(*c));

	c->path = mem_strdup(path);
	c->privileged = privileged;
	TAILQ_INIT(&c->list);
	return c;
}

void
children_set_conf(struct children *c, const struct conf *conf)
{
	c->conf = conf;
}

void
children_set_peer(struct children *c, struct peer *mda)
{
	c->mda = mda;
}

/* "": ourselves. -1 with the reason, which begins with an enhanced code. */
static int
find_account(const char *name, struct account *a, char *error)
{
	struct passwd pw, *found = NULL;
	char room[USER_TEXT_MAX];
	int code;

	code = *name == '\0'
	    ? getpwuid_r(geteuid(), &pw, room, sizeof(room), &found)
	    : getpwnam_r(name, &pw, room, sizeof(room), &found);
	a->known = found != NULL;
	if (found == NULL && code != 0 && code != ENOENT && code != ESRCH) {
		snprintf(error, ERROR_MAX, "4.3.0 look-up of user %s: %s", name,
		    strerror(code));
		return -1;
	}
	if (found == NULL)
		return 0;
	if (strlcpy(a->name, pw.pw_name, sizeof(a->name)) >= sizeof(a->name) ||
	    strchr(a->name, '/') != NULL ||
	    strlcpy(a->home, pw.pw_dir, sizeof(a->home)) >= sizeof(a->home)) {
		snprintf(error, ERROR_MAX, "5.3.5 odd entry of user %s", name);
		return -1;
	}
	a->uid = pw.pw_uid;
	a->gid = pw.pw_gid;
	return 0;
}

/* ~/x and x are below the user's home; an mbox without a path is the system's
 * for that user. -1 with the reason. */
static int
make_path(
    const struct agent_run *m, const struct account *a, char *path, char *error)
{
	const char *rest = m->path;
	int n;

	if (*rest != '/' && !a->known) {
		snprintf(error, ERROR_MAX, "5.1.1 no such user %s", m->user);
		return -1;
	}
	if (rest[0] == '~' && rest[1] != '/' && rest[1] != '\0') {
		snprintf(
		    error, ERROR_MAX, "5.3.5 another user's home: %s", rest);
		return -1;
	}
	if (*rest == '/')
		n = snprintf(path, PATH_MAX, "%s", rest);
	else if (*rest == '\0' && m->kind == AGENT_MBOX)
		n = snprintf(path, PATH_MAX, _PATH_MAILDIR "/%s", a->name);
	else
		n = snprintf(path, PATH_MAX, "%s/%s", a->home,
		    rest + (*rest == '~') + (*rest == '~' && rest[1] == '/'));
	if (n < 0 || n >= PATH_MAX) {
		snprintf(error, ERROR_MAX, "5.3.5 the path is too long");
		return -1;
	}
	return 0;
}

_Noreturn static void
give_up(struct plan *p, const char *step)
{
	p->error = errno;
	p->step = step;
	_exit(127);
}

/* A mailbox in the system's spool, which its user could not create: before
 * privileges go, and never through a link. */
static void
touch_mailbox(struct plan *p)
{
	int fd;

	fd = open(p->touch,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return; /* it is there, or the agent will say why not */
	if (fchown(fd, p->uid, p->gid) == -1)
		give_up(p, "fchown");
	close(fd);
}

static void
become_user(struct plan *p)
{
	if (setgroups((size_t)p->ngroups, p->groups) == -1)
		give_up(p, "setgroups");
	if (setgid(p->gid) == -1)
		give_up(p, "setgid");
	if (setuid(p->uid) == -1)
		give_up(p, "setuid");
	/* There must be no way back. */
	if (p->uid != 0 && (setuid(0) == 0 || seteuid(0) == 0)) {
		errno = EPERM;
		give_up(p, "dropping privileges");
	}
}

static void
reset_signals(void)
{
	static const int ours[] = { SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGPIPE,
		SIGUSR1, SIGUSR2, SIGQUIT };
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;
	size_t i;

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sigaction(ours[i], &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
set_limits(struct plan *p)
{
	const struct rlimit files = { AGENT_FILES, AGENT_FILES };
	const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_NOFILE, &files) == -1 ||
	    setrlimit(RLIMIT_CORE, &none) == -1)
		give_up(p, "setrlimit");
}

/* The new process, in our memory: no allocation, no stdio, no return. */
_Noreturn static void
child_main(struct plan *p)
{
	int null;

	if (setsid() == -1)
		give_up(p, "setsid");
	if (chdir("/") == -1)
		give_up(p, "chdir");
	null = open(_PATH_DEVNULL, O_RDWR);
	if (null == -1)
		give_up(p, _PATH_DEVNULL);
	if (dup2(p->fd, STDIN_FILENO) == -1 ||
	    dup2(p->fd, STDERR_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1)
		give_up(p, "dup2");
	closefrom(STDERR_FILENO + 1);
	umask(077);
	if (p->touch != NULL)
		touch_mailbox(p);
	if (p->become)
		become_user(p);
	set_limits(p);
	reset_signals();
	execve(p->program, p->argv, p->envp);
	give_up(p, "execute");
}

/* Its cost does not grow with the parent's memory. -1 with p->error set. */
static pid_t
start_quickly(struct plan *p)
{
	sigset_t all, before;
	pid_t pid;

	/* Our handlers must not run there. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = vfork();
	if (pid == 0)
		child_main(p);
	if (pid == -1) {
		p->error = errno;
		p->step = "fork";
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid != -1 && p->step != NULL) {
		while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
			;
		pid = -1;
	}
	return pid;
}

static pid_t
run_agent(struct children *c, const struct agent_run *m,
    const struct account *a, char *path, int fd, char *error)
{
	static const char *const kinds[AGENT_KINDS] = {
		[AGENT_MAILDIR] = "maildir", [AGENT_MBOX] = "mbox"
	};
	char home[PATH_MAX + 8], user[LOGIN_NAME_MAX + 8],
	    logname[LOGIN_NAME_MAX + 8], size[24];
	struct plan p = { .program = c->path, .fd = fd };
	pid_t pid;

	snprintf(home, sizeof(home), "HOME=%s", a->known ? a->home : "");
	snprintf(user, sizeof(user), "USER=%s", a->known ? a->name : "");
	snprintf(
	    logname, sizeof(logname), "LOGNAME=%s", a->known ? a->name : "");
	snprintf(size, sizeof(size), "%llu", (unsigned long long)m->size);
	p.argv[0] = (char *)"smtpd-agent";
	p.argv[1] = (char *)(uintptr_t)kinds[m->kind];
	p.argv[2] = path;
	p.argv[3] = (char *)(uintptr_t)m->sender;
	p.argv[4] = (char *)(uintptr_t)m->recipient;
	p.argv[5] = size;
	p.envp[0] = (char *)"PATH=/usr/bin:/bin";
	p.envp[1] = home;
	p.envp[2] = user;
	p.envp[3] = logname;
	p.become = c->privileged;
	if (p.become) {
		p.uid = a->uid;
		p.gid = a->gid;
		p.ngroups = GROUPS_MAX;
		if (getgrouplist(a->name, a->gid, p.groups, &p.ngroups) == -1) {
			snprintf(error, ERROR_MAX,
			    "4.3.0 user %s has too many groups", a->name);
			return -1;
		}
		if (m->kind == AGENT_MBOX && *m->path == '\0')
			p.touch = path;
	}
	pid = start_quickly(&p);
	if (pid == -1)
		snprintf(error, ERROR_MAX, "4.3.0 %s: %s", p.step,
		    strerror(p.error));
	return pid;
}

/* The mda's end of the agent's socket, or -1 with the reason. */
static int
start(struct children *c, const struct agent_run *m, char *error)
{
	struct account a = { .known = false };
	char path[PATH_MAX];
	struct child *child;
	int pair[2];
	pid_t pid;

	if (c->n >= CHILDREN_MAX) {
		snprintf(error, ERROR_MAX, "4.3.2 too many agents are running");
		return -1;
	}
	/* Right after a reload the mda may know less than we do. */
	if (c->conf != NULL &&
	    !fit_path(c->conf, m->kind == AGENT_MBOX ? CONF_MBOX : CONF_MAILDIR,
		m->path)) {
		snprintf(error, ERROR_MAX, "4.3.5 no action leads there");
		return -1;
	}
	if ((c->privileged || *m->path != '/') &&
	    find_account(m->user, &a, error) == -1)
		return -1;
	if (c->privileged && !a.known) {
		snprintf(error, ERROR_MAX, "5.1.1 no such user %s", m->user);
		return -1;
	}
	if (make_path(m, &a, path, error) == -1)
		return -1;
	/* The agent's end blocks, as programs expect of their input. */
	if (unixsock_pair(pair) == -1 || fcntl(pair[1], F_SETFL, 0) == -1) {
		snprintf(
		    error, ERROR_MAX, "4.3.0 socketpair: %s", strerror(errno));
		return -1;
	}
	pid = run_agent(c, m, &a, path, pair[1], error);
	close(pair[1]);
	if (pid == -1) {
		close(pair[0]);
		return -1;
	}
	child = mem_zalloc(sizeof(*child));
	child->pid = pid;
	child->ticket = m->ticket;
	TAILQ_INSERT_TAIL(&c->list, child, entry);
	c->n++;
	return pair[0];
}

int
children_on_run(void *arg, struct message *m)
{
	struct children *c = arg;
	struct agent_run run;
	struct agent_started answer;
	char error[ERROR_MAX] = "";
	int fd;

	if (agent_run_get(&m->body, &run) == -1)
		return -1;
	fd = start(c, &run, error);
	answer.ticket = run.ticket;
	answer.error = error;
	agent_started_put(peer_begin(c->mda), &answer);
	if (fd == -1)
		peer_send(c->mda, AGENT_STARTED);
	else
		peer_send_fd(c->mda, AGENT_STARTED, fd);
	return 0;
}

/* SIGTERM lets an agent take back what it has begun. */
static void
stop(struct child *child)
{
	kill(child->pid, child->told ? SIGKILL : SIGTERM);
	child->told = true;
}

int
children_on_kill(void *arg, struct message *m)
{
	struct children *c = arg;
	struct agent_kill order;
	struct child *child;

	if (agent_kill_get(&m->body, &order) == -1)
		return -1;
	TAILQ_FOREACH(child, &c->list, entry)
		if (child->ticket == order.ticket && !child->orphan)
			stop(child);
	return 0;
}

bool
children_reap(struct children *c, pid_t pid, int status)
{
	struct agent_exit answer;
	struct child *child;

	TAILQ_FOREACH(child, &c->list, entry)
		if (child->pid == pid)
			break;
	if (child == NULL)
		return false;
	if (!child->orphan && c->mda != NULL) {
		answer.ticket = child->ticket;
		answer.status = status;
		agent_exit_put(peer_begin(c->mda), &answer);
		peer_send(c->mda, AGENT_EXIT);
	}
	TAILQ_REMOVE(&c->list, child, entry);
	c->n--;
	free(child);
	return true;
}

void
children_kill_all(struct children *c)
{
	struct child *child;

	TAILQ_FOREACH(child, &c->list, entry) {
		stop(child);
		child->orphan = true;
	}
}

void
children_free(struct children *c)
{
	struct child *child;

	if (c == NULL)
		return;
	while ((child = TAILQ_FIRST(&c->list)) != NULL) {
		TAILQ_REMOVE(&c->list, child, entry);
		free(child);
	}
	free(c->path);
	free(c);
}

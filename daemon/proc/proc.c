#include "daemon/proc/proc.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <event2/event.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/edge/start.h"
#include "daemon/proc/answer.h"
#include "daemon/proc/sandbox.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"

#define EXIT_FLUSH_MS 1000

struct proc {
	const struct proc_role *role;
	struct event_base *base;
	struct peer *peers[ROLES];
	struct answers *answers;
	struct conf *conf; /* in force */
	struct conf *coming; /* parsed, and waits for GO */
	struct buf *text; /* of the configuration, as it comes */
	void *arg; /* the role's own struct */
	int secrets[START_SECRETS]; /* that came and were not taken; -1 */
	bool started;
};

static void
report(void *arg, const char *line)
{
	(void)arg;
	log_err("event=configuration text=%s", line);
}

static void
on_parent_gone(void *arg)
{
	(void)arg;
	_exit(0); /* nobody is left to serve */
}

static int
on_conf(void *arg, struct message *m)
{
	struct proc *p = arg;
	struct start_conf c;

	if (start_conf_get(&m->body, &c) == -1 ||
	    buf_put(p->text, c.text, c.len) == -1)
		return -1;
	if (!c.last)
		return 0;
	conf_free(p->coming);
	p->coming = conf_parse(role_name(p->role->id), buf_text(p->text),
	    buf_len(p->text), report, NULL);
	if (p->coming == NULL)
		return -1;
	buf_reset(p->text);
	if (p->arg != NULL)
		return 0;
	p->arg = p->role->prepare(p, p->coming);
	if (p->role->nfrom_parent > 0)
		peer_handlers(p->peers[ROLE_PARENT], p->role->from_parent,
		    p->role->nfrom_parent, p->arg);
	return 0;
}

static int
on_secret(void *arg, struct message *m)
{
	struct proc *p = arg;
	struct start_secret s;

	if (start_secret_get(&m->body, &s) == -1 || m->fd == -1)
		return -1;
	if (p->secrets[s.which] != -1)
		close(p->secrets[s.which]);
	p->secrets[s.which] = m->fd;
	m->fd = -1;
	sandbox_hide();
	return 0;
}

static const struct proc_peer *
peer_of(const struct proc_role *role, enum role who)
{
	size_t i;

	for (i = 0; i < role->npeers; i++)
		if (role->peers[i].who == who)
			return &role->peers[i];
	return NULL;
}

static int
on_peer(void *arg, struct message *m)
{
	struct proc *p = arg;
	const struct proc_peer *known;
	struct start_peer s;

	if (start_peer_get(&m->body, &s) == -1 || m->fd == -1 ||
	    s.role == ROLE_PARENT || p->peers[s.role] != NULL || p->arg == NULL)
		return -1;
	p->peers[s.role] = peer_new(p->base, m->fd, s.role, NULL, NULL);
	m->fd = -1;
	known = peer_of(p->role, s.role);
	if (known != NULL)
		peer_handlers(
		    p->peers[s.role], known->handlers, known->n, p->arg);
	if (s.role == ROLE_CONTROL)
		p->answers = answers_new(p->role->id, p->peers[s.role]);
	/* Others may be at work already; start() comes first here. */
	peer_pause(p->peers[s.role]);
	return 0;
}

static int
on_socket(void *arg, struct message *m)
{
	struct proc *p = arg;
	struct start_socket s;

	if (start_socket_get(&m->body, &s) == -1 || m->fd == -1 ||
	    p->arg == NULL || p->role->socket == NULL)
		return -1;
	p->role->socket(p->arg, s.index, m->fd);
	m->fd = -1;
	return 0;
}

/* A root directory in which there is nothing and nothing can be made. */
static void
enter_empty_root(void)
{
	char path[] = "/tmp/smtpd-root-XXXXXXXX";

	if (mkdtemp(path) == NULL || chdir(path) == -1 || rmdir(path) == -1)
		fatal("an empty root directory: %s", strerror(errno));
	if (chroot(".") == -1)
		fatal("chroot: %s", strerror(errno));
}

static void
enter_root(const struct proc *p)
{
	if (p->role->keeps_root)
		return;
	if (!p->role->spool_root) {
		enter_empty_root();
		return;
	}
	if (chdir(p->coming->spool) == -1 || chroot(".") == -1)
		fatal("chroot %s: %s", p->coming->spool, strerror(errno));
}

static void
drop_privileges(const struct proc *p)
{
	const struct passwd *pw;

	if (geteuid() != 0)
		return;
	pw = getpwnam(role_user(p->role->id));
	if (pw == NULL)
		fatal("user %s does not exist: run `make users` or "
		      "contrib/users.sh",
		    role_user(p->role->id));
	tzset();
	enter_root(p);
	if (setgroups(1, &pw->pw_gid) == -1 || setgid(pw->pw_gid) == -1 ||
	    setuid(pw->pw_uid) == -1)
		fatal("becoming %s: %s", pw->pw_name, strerror(errno));
	if (setuid(0) != -1)
		fatal("root could be taken back");
	sandbox_enter();
}

static void
begin(struct proc *p)
{
	int r;

	if (p->role->start != NULL)
		p->role->start(p->arg);
	p->started = true;
	for (r = 0; r < ROLES; r++)
		if (r != ROLE_PARENT && p->peers[r] != NULL)
			peer_resume(p->peers[r]);
}

static int
on_go(void *arg, struct message *m)
{
	struct proc *p = arg;
	struct conf *old = p->conf;

	if (unpack_done(&m->body) == -1 || p->coming == NULL)
		return -1;
	if (!p->started)
		drop_privileges(p);
	p->conf = p->coming;
	p->coming = NULL;
	log_set_level(p->conf->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	if (p->role->configure != NULL)
		p->role->configure(p->arg, p->conf);
	conf_free(old);
	if (!p->started)
		begin(p);
	peer_begin(p->peers[ROLE_PARENT]);
	peer_send(p->peers[ROLE_PARENT], START_READY);
	return 0;
}

static int
on_stop(void *arg, struct message *m)
{
	struct proc *p = arg;

	if (unpack_done(&m->body) == -1)
		return -1;
	if (p->started && p->role->stop != NULL)
		p->role->stop(p->arg);
	else
		proc_exit(p);
	return 0;
}

static int
on_log(void *arg, struct message *m)
{
	struct start_log l;

	(void)arg;
	if (start_log_get(&m->body, &l) == -1)
		return -1;
	log_set_level(l.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	return 0;
}

static const struct handler from_parent[] = {
	{ START_CONF, "start-conf", on_conf },
	{ START_PEER, "start-peer", on_peer },
	{ START_SOCKET, "start-socket", on_socket },
	{ START_GO, "start-go", on_go },
	{ START_STOP, "start-stop", on_stop },
	{ START_LOG, "start-log", on_log },
	{ START_SECRET, "start-secret", on_secret },
};

static void
raise_file_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
}

void
proc_main(const struct proc_role *role)
{
	struct proc *p = mem_zalloc(sizeof(*p));

	signal(SIGPIPE, SIG_IGN);
	/* A terminal's ^C and a supervisor's end of the whole process group
	 * are the parent's to act on: it stops the roles in order. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	mono_open_test_clock();
	raise_file_limit();
	umask(077);
	p->role = role;
	p->base = event_base_new();
	if (p->base == NULL)
		fatal("no event loop");
	p->text = buf_new(CONF_TEXT_MAX);
	p->secrets[START_RING] = p->secrets[START_PASSPHRASE] = -1;
	p->peers[ROLE_PARENT] =
	    peer_new(p->base, PROC_PARENT_FD, ROLE_PARENT, on_parent_gone, p);
	peer_handlers(p->peers[ROLE_PARENT], from_parent,
	    sizeof(from_parent) / sizeof(from_parent[0]), p);
	event_base_dispatch(p->base);
	fatal("the event loop ended");
}

struct event_base *
proc_base(struct proc *p)
{
	return p->base;
}

struct peer *
proc_peer(struct proc *p, enum role who)
{
	return p->peers[who];
}

const struct conf *
proc_conf(struct proc *p)
{
	return p->conf;
}

bool
proc_privileged(const struct proc *p)
{
	return p->conf != NULL && p->conf->privileged;
}

int
proc_take_secret(struct proc *p, enum start_secrets which)
{
	int fd = p->secrets[which];

	p->secrets[which] = -1;
	return fd;
}

struct answers *
proc_answers(struct proc *p)
{
	return p->answers;
}

void
proc_exit(struct proc *p)
{
	int r;

	for (r = 0; r < ROLES; r++)
		if (p->peers[r] != NULL)
			peer_flush(p->peers[r], EXIT_FLUSH_MS);
	exit(0);
}

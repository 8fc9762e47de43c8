#include "daemon/parent/parent.h"

#include <sys/wait.h>

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/edge/agent.h"
#include "daemon/edge/dial.h"
#include "daemon/edge/query.h"
#include "daemon/edge/start.h"
#include "daemon/parent/binding.h"
#include "daemon/parent/child.h"
#include "daemon/parent/keyfile.h"
#include "daemon/parent/launch.h"
#include "daemon/parent/reach.h"
#include "daemon/parent/reload.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/cli/exitcode.h"
#include "lib/proto/record.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MOST_MS 10000
#define ROW_MAX 8192 /* of a status record */
#define STABLE_MS 10000 /* a set that ran so long starts its back-off anew */

enum state {
	STARTING,
	RUNNING,
	STOPPING,
	WAITING
};

struct parent;

struct running {
	struct parent *parent;
	enum role who;
	pid_t pid; /* 0: none */
	struct peer *peer;
	bool ready;
};

struct parent {
	const struct parent_options *o;
	struct event_base *base;
	struct conf *conf;
	struct binding *binding;
	struct children *children;
	struct running roles[ROLES];
	enum state state;
	bool terminal; /* it runs in one, and ends with it */
	bool was_ready; /* once, all of them */
	bool again; /* after stopping: start the set again */
	unsigned phase; /* of stopping */
	int exit_code;
	unsigned backoff_ms;
	uint64_t started; /* mono_ms */
	struct event *timer;
	struct event *signals[4];
};

/* The order of a stop: no new mail and no new attempts; the ends of what is
 * under way; the spool; the rest. Each phase has its time, together under the
 * five seconds an administrator waits. */
static const struct {
	enum role roles[3]; /* ROLE_PARENT, which is not run: none */
	unsigned ms;
} phases[] = {
	{ { ROLE_SMTP, ROLE_SCHEDULER, ROLE_PARENT }, 700 },
	{ { ROLE_MTA, ROLE_MDA, ROLE_PARENT }, 1500 },
	{ { ROLE_SPOOLER, ROLE_PARENT, ROLE_PARENT }, 2200 },
	{ { ROLE_CONTROL, ROLE_LOOKUP, ROLE_DNS }, 300 },
};
#define PHASES (sizeof(phases) / sizeof(phases[0]))

static void start_set(struct parent *p);

static void
arm(struct parent *p, unsigned ms)
{
	struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	event_add(p->timer, &tv);
}

static bool
any_alive(const struct parent *p)
{
	int r;

	for (r = 0; r < ROLES; r++)
		if (p->roles[r].pid != 0)
			return true;
	return false;
}

static void
set_is_down(struct parent *p)
{
	int r;

	event_del(p->timer);
	children_set_peer(p->children, NULL);
	children_kill_all(p->children);
	for (r = 0; r < ROLES; r++) {
		peer_free(p->roles[r].peer);
		p->roles[r].peer = NULL;
		p->roles[r].ready = false;
	}
	if (!p->again) {
		event_base_loopbreak(p->base);
		return;
	}
	if (mono_ms() - p->started > STABLE_MS)
		p->backoff_ms = BACKOFF_FIRST_MS;
	log_warn("event=restart after_ms=%u", p->backoff_ms);
	p->state = WAITING;
	arm(p, p->backoff_ms);
	p->backoff_ms *= 2;
	if (p->backoff_ms > BACKOFF_MOST_MS)
		p->backoff_ms = BACKOFF_MOST_MS;
}

/* Tells the roles of this phase to stop, or goes to the next one. */
static void
stop_phase(struct parent *p)
{
	struct running *r;
	bool alive = false;
	size_t i;

	for (; p->phase < PHASES; p->phase++) {
		for (i = 0; i < 3; i++) {
			r = &p->roles[phases[p->phase].roles[i]];
			if (r->pid == 0)
				continue;
			alive = true;
			peer_begin(r->peer);
			peer_send(r->peer, START_STOP);
		}
		if (alive) {
			arm(p, phases[p->phase].ms);
			return;
		}
	}
	if (!any_alive(p))
		set_is_down(p);
}

static void
stop_set(struct parent *p, bool again)
{
	if (p->state == STOPPING) {
		p->again = p->again && again;
		return;
	}
	if (p->state == WAITING) {
		if (!again)
			event_base_loopbreak(p->base);
		return;
	}
	p->state = STOPPING;
	p->again = again;
	p->phase = 0;
	stop_phase(p);
}

static void
kill_phase(struct parent *p)
{
	struct running *r;
	size_t i;

	for (i = 0; i < 3; i++) {
		r = &p->roles[phases[p->phase].roles[i]];
		if (r->pid == 0)
			continue;
		log_warn("event=stop-slow role=%s pid=%ld text=killed",
		    role_name(phases[p->phase].roles[i]), (long)r->pid);
		kill(r->pid, SIGKILL);
	}
}

static void
on_timer(int fd, short what, void *arg)
{
	struct parent *p = arg;

	(void)fd;
	(void)what;
	if (p->state == STOPPING)
		kill_phase(p);
	else if (p->state == WAITING)
		start_set(p);
}

static bool
phase_over(const struct parent *p)
{
	size_t i;

	for (i = 0; p->phase < PHASES && i < 3; i++)
		if (p->roles[phases[p->phase].roles[i]].pid != 0)
			return false;
	return true;
}

static void
role_died(struct parent *p, enum role who, int status)
{
	struct running *r = &p->roles[who];
	bool expected = p->state == STOPPING && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0;

	r->pid = 0;
	if (WIFSIGNALED(status))
		log_warn("event=role-died role=%s signal=%d", role_name(who),
		    WTERMSIG(status));
	else if (!expected)
		log_warn("event=role-died role=%s exit=%d", role_name(who),
		    WEXITSTATUS(status));
	if (p->state == STOPPING) {
		if (phase_over(p)) {
			p->phase++;
			stop_phase(p);
		} else if (!any_alive(p)) {
			set_is_down(p);
		}
		return;
	}
	if (!p->was_ready) /* it never worked: do not try for ever */
		p->exit_code =
		    WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CONFIG
		    ? EXIT_CONFIG
		    : 1;
	stop_set(p, p->was_ready);
}

static void
on_child(int fd, short what, void *arg)
{
	struct parent *p = arg;
	int status, r;
	pid_t pid;

	(void)fd;
	(void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (children_reap(p->children, pid, status))
			continue;
		for (r = 0; r < ROLES; r++)
			if (p->roles[r].pid == pid)
				role_died(p, (enum role)r, status);
	}
}

static void
on_terminate(int fd, short what, void *arg)
{
	struct parent *p = arg;

	(void)what;
	log_info("event=stopping signal=%d", fd);
	stop_set(p, false);
}

static void
tell_starter(const struct parent *p, int code)
{
	char c = (char)code;

	if (p->o->ready_fd != -1 && write(p->o->ready_fd, &c, 1) == -1)
		log_debug("event=nobody-waits");
}

static int
on_ready(void *arg, struct message *m)
{
	struct running *of = arg;
	struct parent *p = of->parent;
	int r;

	if (unpack_done(&m->body) == -1)
		return -1;
	of->ready = true;
	for (r = 0; r < ROLES; r++)
		if (p->roles[r].pid != 0 && !p->roles[r].ready)
			return 0;
	if (p->state != STARTING)
		return 0;
	p->state = RUNNING;
	p->was_ready = true;
	log_info("event=ready pid=%ld spool=%s after_ms=%llu", (long)getpid(),
	    p->conf->spool, (unsigned long long)(mono_ms() - p->started));
	tell_starter(p, 0);
	return 0;
}

static void
send_log_level(struct parent *p, bool verbose)
{
	struct start_log m = { .verbose = verbose };
	int r;

	p->conf->verbose = verbose;
	log_set_level(verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	for (r = 0; r < ROLES; r++) {
		if (p->roles[r].peer == NULL)
			continue;
		start_log_put(peer_begin(p->roles[r].peer), &m);
		peer_send(p->roles[r].peer, START_LOG);
	}
}

/* Reads the file again. Returns what there is to say about it. */
static const char *
reload(struct parent *p)
{
	struct conf *fresh;
	struct binding *binding;
	struct keyfile keys;
	char err[512];
	int r;

	if (p->state != RUNNING)
		return "not now: the daemon is starting or stopping";
	fresh = reload_read(p->o->conf_path, p->conf);
	if (fresh == NULL)
		return "the new configuration has errors, the old one stays; "
		       "the log names them";
	if (keyfile_open(fresh, &keys, err, sizeof(err)) == -1) {
		log_err("event=keys-refused text=%s", err);
		conf_free(fresh);
		return "the key ring cannot be used, the old configuration "
		       "stays; the log says why";
	}
	binding = binding_open(fresh, p->binding);
	if (binding == NULL) {
		keyfile_close(&keys);
		conf_free(fresh);
		return "a listening socket cannot be opened, the old "
		       "configuration stays; the log says why";
	}
	p->binding = binding;
	children_set_conf(p->children, fresh);
	conf_free(p->conf);
	p->conf = fresh;
	for (r = 0; r < ROLES; r++) {
		if (p->roles[r].peer == NULL)
			continue;
		if (r == ROLE_SPOOLER)
			launch_secrets(p->roles[r].peer, &keys);
		if (launch_slice(p->roles[r].peer, (enum role)r, fresh) == -1 ||
		    launch_go(p->roles[r].peer, (enum role)r, binding) == -1)
			log_err("event=reload-failed role=%s text=%s",
			    role_name((enum role)r), strerror(errno));
	}
	keyfile_close(&keys);
	log_info("event=reloaded path=%s", p->o->conf_path);
	return NULL;
}

static void
on_hangup(int fd, short what, void *arg)
{
	struct parent *p = arg;
	const char *trouble;

	(void)fd;
	(void)what;
	if (p->terminal && !isatty(STDERR_FILENO)) {
		log_info("event=stopping reason=\"the terminal has gone\"");
		stop_set(p, false);
		return;
	}
	trouble = reload(p);
	if (trouble != NULL)
		log_warn("event=reload-refused text=%s", trouble);
}

static void
send_row(struct parent *p, struct peer *control, uint32_t ticket)
{
	struct query_row m = { .ticket = ticket };
	struct buf *row = buf_new(ROW_MAX);

	record_begin(row, "role");
	record_str(row, "role", "parent");
	record_u64(row, "pid", (uint64_t)getpid());
	record_u64(row, "uptime_s", (mono_ms() - p->started) / 1000);
	record_str(row, "configuration", p->o->conf_path);
	m.record = buf_data(row);
	m.len = buf_len(row);
	query_row_put(peer_begin(control), &m);
	peer_send(control, QUERY_ROW);
	buf_free(row);
}

static int
on_query(void *arg, struct message *m)
{
	struct running *of = arg;
	struct parent *p = of->parent;
	struct query_end end = { .text = "" };
	struct query_ask q;
	const char *word = "";
	uint16_t i;

	if (query_ask_get(&m->body, &q) == -1)
		return -1;
	/* A tool may say more than is wanted. */
	if (q.n > 0)
		word = unpack_str(&m->body);
	for (i = 1; i < q.n; i++)
		(void)unpack_str(&m->body);
	if (unpack_done(&m->body) == -1)
		return -1;
	end.ticket = q.ticket;
	if (q.what == QUERY_STATUS) {
		send_row(p, of->peer, q.ticket);
		end.done = 1;
	} else if (q.what == QUERY_LOG) {
		send_log_level(p, strcmp(word, "verbose") == 0);
	} else if (q.what == QUERY_RELOAD) {
		end.text = reload(p);
		if (end.text != NULL)
			end.status = EXIT_CONFIG;
	} else if (q.what == QUERY_STOP) {
		log_info("event=stopping uid=%u", q.uid);
	} else if (q.what != QUERY_STATS) {
		end.status = EXIT_SOFTWARE;
	}
	query_end_put(peer_begin(of->peer), &end);
	peer_send(of->peer, QUERY_END);
	if (q.what == QUERY_STOP)
		stop_set(p, false);
	return 0;
}

static int
on_ignored(void *arg, struct message *m)
{
	(void)arg;
	(void)m; /* control cancels or wants more of what has ended here */
	return 0;
}

static const struct handler from_any[] = {
	{ START_READY, "start-ready", on_ready },
};

static const struct handler from_control[] = {
	{ QUERY_ASK, "query-ask", on_query },
	{ QUERY_CANCEL, "query-cancel", on_ignored },
	{ QUERY_MORE, "query-more", on_ignored },
};

static const struct handler from_mda[] = {
	{ AGENT_RUN, "agent-run", children_on_run },
	{ AGENT_KILL, "agent-kill", children_on_kill },
};

static int
on_dial(void *arg, struct message *m)
{
	struct parent *p = arg;

	return reach_on_dial(p->conf, p->roles[ROLE_MTA].peer, m);
}

static const struct handler from_mta[] = {
	{ DIAL_OPEN, "dial-open", on_dial },
};

/* Whoever speaks for it now, it is stopped; the others follow. */
static void
on_breach(void *arg)
{
	struct running *r = arg;

	if (r->pid != 0)
		kill(r->pid, SIGKILL);
}

static int
send_secrets(struct parent *p, struct peer *spooler)
{
	struct keyfile k;
	char err[512];

	if (keyfile_open(p->conf, &k, err, sizeof(err)) == -1) {
		log_err("event=keys-refused text=%s", err);
		errno = EACCES;
		return -1;
	}
	launch_secrets(spooler, &k);
	return 0;
}

/* -1 with errno. */
static int
start_role(struct parent *p, enum role who)
{
	struct running *r = &p->roles[who];
	int fd;

	r->pid = launch_role(p->o->program, who, p->conf, &fd);
	if (r->pid == -1) {
		r->pid = 0;
		return -1;
	}
	r->peer = peer_new(p->base, fd, who, NULL, NULL);
	peer_on_breach(r->peer, on_breach, r);
	peer_handlers(r->peer, from_any, 1, r);
	if (who == ROLE_CONTROL)
		peer_handlers(r->peer, from_control,
		    sizeof(from_control) / sizeof(from_control[0]), r);
	if (who == ROLE_MTA)
		peer_handlers(r->peer, from_mta,
		    sizeof(from_mta) / sizeof(from_mta[0]), p);
	if (who == ROLE_MDA) {
		peer_handlers(r->peer, from_mda,
		    sizeof(from_mda) / sizeof(from_mda[0]), p->children);
		children_set_peer(p->children, r->peer);
	}
	if (who == ROLE_SPOOLER && send_secrets(p, r->peer) == -1)
		return -1;
	return launch_slice(r->peer, who, p->conf);
}

static int
start_roles(struct parent *p)
{
	struct peer *peers[ROLES] = { NULL };
	int r;

	for (r = ROLE_CONTROL; r < ROLES; r++) {
		if (start_role(p, (enum role)r) == -1)
			return -1;
		peers[r] = p->roles[r].peer;
	}
	if (launch_introduce(peers) == -1)
		return -1;
	for (r = ROLE_CONTROL; r < ROLES; r++)
		if (launch_go(peers[r], (enum role)r, p->binding) == -1)
			return -1;
	return 0;
}

static void
start_set(struct parent *p)
{
	p->state = STARTING;
	p->started = mono_ms();
	if (start_roles(p) == 0)
		return;
	/* What worked once may lack memory or descriptors for a while. */
	if (!p->was_ready)
		fatal("event=launch-failed text=%s", strerror(errno));
	log_err("event=launch-failed text=%s", strerror(errno));
	stop_set(p, true);
}

static void
catch_signals(struct parent *p)
{
	static const struct {
		int number;
		event_callback_fn fn;
	} caught[] = {
		{ SIGTERM, on_terminate },
		{ SIGINT, on_terminate },
		{ SIGHUP, on_hangup },
		{ SIGCHLD, on_child },
	};
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
		p->signals[i] =
		    evsignal_new(p->base, caught[i].number, caught[i].fn, p);
		if (p->signals[i] == NULL ||
		    event_add(p->signals[i], NULL) == -1)
			fatal("no signal events");
	}
}

/* event_free() gives a signal its default back, by which one that comes late
 * would end what ends well. */
static void
release_signals(struct parent *p)
{
	sigset_t all;
	size_t i;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (i = 0; i < sizeof(p->signals) / sizeof(p->signals[0]); i++)
		event_free(p->signals[i]);
}

int
parent_run(const struct parent_options *o)
{
	struct parent *p = mem_zalloc(sizeof(*p));
	int r, code;

	p->o = o;
	p->conf = o->conf;
	p->terminal = p->conf->foreground && isatty(STDERR_FILENO);
	p->backoff_ms = BACKOFF_FIRST_MS;
	p->binding = binding_open(p->conf, NULL);
	if (p->binding == NULL)
		return 1;
	p->base = event_base_new();
	if (p->base == NULL)
		fatal("no event loop");
	for (r = 0; r < ROLES; r++) {
		p->roles[r].parent = p;
		p->roles[r].who = (enum role)r;
	}
	p->children = children_new(o->agent, p->conf->privileged);
	children_set_conf(p->children, p->conf);
	p->timer = evtimer_new(p->base, on_timer, p);
	catch_signals(p);
	start_set(p);
	event_base_dispatch(p->base);
	code = p->exit_code;
	if (!p->was_ready)
		tell_starter(p, code);
	log_info("event=stopped exit=%d", code);
	unlink(p->conf->control);
	children_free(p->children);
	binding_free(p->binding);
	conf_free(p->conf);
	release_signals(p);
	event_free(p->timer);
	event_base_free(p->base);
	free(p);
	return code;
}

#include "daemon/smtp/smtp.h"

#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/net/listener.h"
#include "daemon/net/rate.h"
#include "daemon/proc/answer.h"
#include "daemon/smtp/desk.h"
#include "daemon/smtp/sessions.h"
#include "daemon/smtp/txn.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/proto/record.h"

#define STOP_MS 600 /* for commits that are under way; the parent gives 700 */

/* One place of listening. */
struct entrance {
	struct smtp *smtp;
	struct listener *listener;
	char *host, *tag;
};

/* A socket that came and waits for its configuration. */
struct arrival {
	unsigned index;
	int fd;
};

struct smtp {
	struct proc *proc;
	struct sessions sessions;
	struct entrance *entrances;
	size_t nentrances;
	struct arrival *arrivals;
	size_t narrivals;
	bool started;
	bool told; /* by the spooler, whether mail is taken */
	struct event *stop_timer;
};

static void *
prepare(struct proc *p, const struct conf *conf)
{
	struct smtp *smtp = mem_zalloc(sizeof(*smtp));

	smtp->proc = p;
	smtp->sessions.paused = conf->paused_smtp;
	smtp->sessions.base = proc_base(p);
	smtp->sessions.rate = rate_new();
	smtp->sessions.last_id = (uint32_t)ident_random64();
	TAILQ_INIT(&smtp->sessions.open);
	return smtp;
}

static void
on_socket(void *arg, unsigned index, int fd)
{
	struct smtp *smtp = arg;

	smtp->arrivals = mem_rearray(
	    smtp->arrivals, smtp->narrivals + 1, sizeof(*smtp->arrivals));
	smtp->arrivals[smtp->narrivals].index = index;
	smtp->arrivals[smtp->narrivals++].fd = fd;
}

static void
on_accept(void *arg, int fd, const struct sockaddr *from, socklen_t len)
{
	struct entrance *e = arg;

	sessions_admit(&e->smtp->sessions, fd, from, len, e->host, e->tag);
}

static void
close_entrances(struct smtp *smtp)
{
	size_t i;

	for (i = 0; i < smtp->nentrances; i++) {
		listener_free(smtp->entrances[i].listener);
		free(smtp->entrances[i].host);
		free(smtp->entrances[i].tag);
	}
	free(smtp->entrances);
	smtp->entrances = NULL;
	smtp->nentrances = 0;
}

/* The sockets that came since the last time take the place of all others; the
 * parent sends every one of them with each configuration. */
static void
open_entrances(struct smtp *smtp, const struct conf *conf)
{
	const struct conf_listener *l;
	struct entrance *e;
	size_t i;

	close_entrances(smtp);
	smtp->entrances =
	    mem_zarray(smtp->narrivals + 1, sizeof(*smtp->entrances));
	for (i = 0; i < smtp->narrivals; i++) {
		if (smtp->arrivals[i].index >= conf->nlisteners) {
			close(smtp->arrivals[i].fd);
			continue;
		}
		l = &conf->listeners[smtp->arrivals[i].index];
		e = &smtp->entrances[smtp->nentrances++];
		e->smtp = smtp;
		e->host = mem_strdup(
		    l->hostname != NULL ? l->hostname : conf->hostname);
		e->tag = mem_strdup(l->tag != NULL ? l->tag : l->where);
		e->listener = listener_new(
		    smtp->sessions.base, smtp->arrivals[i].fd, on_accept, e);
		if (!smtp->told || smtp->sessions.stopping)
			listener_pause(e->listener);
	}
	free(smtp->arrivals);
	smtp->arrivals = NULL;
	smtp->narrivals = 0;
}

static void
configure(void *arg, const struct conf *conf)
{
	struct smtp *smtp = arg;

	smtp->sessions.conf = conf;
	if (smtp->started)
		open_entrances(smtp, conf);
}

static void
add_status(void *arg, struct buf *row)
{
	struct smtp *smtp = arg;

	record_str(row, "state", smtp->sessions.paused ? "paused" : "running");
	record_u64(row, "sessions", smtp->sessions.n);
}

static void
start(void *arg)
{
	struct smtp *smtp = arg;
	struct proc *p = smtp->proc;
	struct sessions *all = &smtp->sessions;

	all->desk = desk_new(proc_peer(p, ROLE_LOOKUP),
	    proc_peer(p, ROLE_SPOOLER), all->conf->max_sessions, &txn_events);
	answer_status(p, add_status, smtp);
	answer_counter(p, "sessions", &all->count.sessions);
	answer_counter(p, "turned-away", &all->count.turned_away);
	answer_counter(p, "messages", &all->count.messages);
	answer_counter(p, "recipients", &all->count.recipients);
	answer_counter(p, "rejected", &all->count.rejected);
	answer_counter(p, "refused", &all->count.refused);
	answer_counter(p, "octets", &all->count.octets);
	answer_counter(p, "errors", &all->count.errors);
	smtp->started = true;
	open_entrances(smtp, all->conf);
}

static void
on_empty(void *arg)
{
	struct smtp *smtp = arg;

	proc_exit(smtp->proc);
}

static void
on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	struct smtp *smtp = arg;

	(void)fd;
	(void)what;
	log_warn("event=stop sessions=%u reason=\"took too long\"",
	    smtp->sessions.n);
	proc_exit(smtp->proc);
}

/* Who waits for the reply to a message gets it; nobody begins another. */
static void
stop(void *arg)
{
	static const struct timeval span = { 0, STOP_MS * 1000 };
	struct smtp *smtp = arg;

	close_entrances(smtp);
	if (smtp->sessions.n == 0)
		proc_exit(smtp->proc);
	smtp->sessions.on_empty = on_empty;
	smtp->sessions.arg = smtp;
	sessions_stop(&smtp->sessions);
	smtp->stop_timer =
	    evtimer_new(smtp->sessions.base, on_stop_timer, smtp);
	if (smtp->stop_timer == NULL ||
	    event_add(smtp->stop_timer, &span) == -1)
		proc_exit(smtp->proc);
}

static int
on_answer(void *arg, struct message *m)
{
	struct smtp *smtp = arg;

	return desk_on_answer(smtp->sessions.desk, m);
}

static int
on_opened(void *arg, struct message *m)
{
	struct smtp *smtp = arg;

	return desk_on_opened(smtp->sessions.desk, m);
}

static int
on_done(void *arg, struct message *m)
{
	struct smtp *smtp = arg;

	return desk_on_done(smtp->sessions.desk, m);
}

static int
on_credit(void *arg, struct message *m)
{
	struct smtp *smtp = arg;

	return desk_on_credit(smtp->sessions.desk, m);
}

/* The spooler knows what was paused before a restart: nobody is let in until it
 * has said so, for the first time. Sessions under way go on. */
static int
on_pause(void *arg, struct message *m)
{
	struct smtp *smtp = arg;
	struct intake_pause p;
	size_t i;

	if (intake_pause_get(&m->body, &p) == -1)
		return -1;
	if (p.paused != smtp->sessions.paused)
		log_info("event=%s", p.paused ? "paused" : "resumed");
	smtp->sessions.paused = p.paused;
	if (!smtp->told && !smtp->sessions.stopping)
		for (i = 0; i < smtp->nentrances; i++)
			listener_resume(smtp->entrances[i].listener);
	smtp->told = true;
	return 0;
}

static const struct handler from_lookup[] = {
	{ ASK_ANSWER, "ask-answer", on_answer },
};

static const struct handler from_spooler[] = {
	{ INTAKE_OPENED, "intake-opened", on_opened },
	{ INTAKE_DONE, "intake-done", on_done },
	{ INTAKE_CREDIT, "intake-credit", on_credit },
	{ INTAKE_PAUSE, "intake-pause", on_pause },
};

static const struct proc_peer peers[] = {
	{ ROLE_LOOKUP, from_lookup,
	    sizeof(from_lookup) / sizeof(from_lookup[0]) },
	{ ROLE_SPOOLER, from_spooler,
	    sizeof(from_spooler) / sizeof(from_spooler[0]) },
};

const struct proc_role smtp_role = {
	.id = ROLE_SMTP,
	.peers = peers,
	.npeers = sizeof(peers) / sizeof(peers[0]),
	.prepare = prepare,
	.start = start,
	.configure = configure,
	.socket = on_socket,
	.stop = stop,
};

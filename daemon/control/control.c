#include "daemon/control/control.h"

#include <event2/event.h>
#include <event2/listener.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/control/caller.h"
#include "daemon/control/counters.h"
#include "daemon/control/errand.h"
#include "daemon/control/permit.h"
#include "daemon/control/watch.h"
#include "daemon/edge/query.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "lib/base/unixsock.h"
#include "lib/cli/exitcode.h"

#define CALLERS 32
#define VIEWERS 24 /* of them: room for operators is kept */
#define TRACE_ROOM (256u * 1024) /* lines that wait for one caller */
#define ALL_WAIT 5 /* seconds for an answer of every role */

struct slot {
	struct control *control;
	struct caller *caller; /* NULL: free */
	enum permit_right right;
	uint32_t round; /* moves with each request: late answers miss */
	struct errand errand;
	struct event *deadline;
	uint32_t watched; /* subsystems whose lines go there */
	uint64_t lost, lost_told;
};

struct control {
	struct proc *proc;
	struct evconnlistener *listener;
	char *host;
	char *group; /* its members may view; NULL: none */
	gid_t gid;
	bool has_gid;
	uid_t owner;
	struct slot slots[CALLERS];
	struct watch watch;
	uint32_t told; /* the mask the roles have */
	struct counters counters;
};

/* Tickets name the role that is to answer, the caller and its request. */
#define TICKET_ROLE 28
#define TICKET_SLOT 22
#define TICKET_ROUND ((UINT32_C(1) << TICKET_SLOT) - 1)

static uint32_t
ticket_of(const struct control *c, const struct slot *s, enum role who)
{
	return (uint32_t)who << TICKET_ROLE |
	    (uint32_t)(s - c->slots) << TICKET_SLOT | s->round;
}

/* NULL when the request it belongs to is over. */
static struct slot *
slot_of(struct control *c, uint32_t ticket, enum role *who)
{
	uint32_t n = ticket >> TICKET_SLOT & 63;
	struct slot *s;

	*who = (enum role)(ticket >> TICKET_ROLE);
	if (n >= CALLERS || *who >= ROLES)
		return NULL;
	s = &c->slots[n];
	if (s->caller == NULL || s->round != (ticket & TICKET_ROUND) ||
	    (s->errand.awaited & PERMIT_ROLE(*who)) == 0)
		return NULL;
	return s;
}

static void
tell_mask(struct control *c)
{
	/* Of messages control itself sees only lines, each of which would
	 * make another. */
	const uint32_t own =
	    UINT32_C(1) << TRACE_IMSG | UINT32_C(1) << TRACE_PROFILE_IMSG;
	struct query_trace m = { .mask = watch_mask(&c->watch) };
	struct peer *p;
	int r;

	if (m.mask == c->told)
		return;
	c->told = m.mask;
	trace_set(m.mask & ~own);
	/* The parent has nothing to trace. */
	for (r = ROLE_PARENT + 1; r < ROLES; r++) {
		p = proc_peer(c->proc, (enum role)r);
		if (p == NULL)
			continue;
		query_trace_put(peer_begin(p), &m);
		peer_send(p, QUERY_TRACE);
	}
}

static void
stop_watching(struct control *c, struct slot *s)
{
	watch_leave(&c->watch, s->watched);
	s->watched = 0;
	tell_mask(c);
}

/* Ends the caller's request. */
static void
finish(struct slot *s, uint8_t status, uint64_t done, uint64_t skipped,
    const char *text)
{
	struct ctl_end end = { .status = status,
		.done = (uint32_t)done,
		.skipped = (uint32_t)skipped,
		.text = text };

	event_del(s->deadline);
	s->errand.awaited = 0;
	if (++s->round > TICKET_ROUND)
		s->round = 1;
	caller_end(s->caller, &end);
}

static void
finish_errand(struct slot *s)
{
	finish(s, s->errand.status, s->errand.done, s->errand.skipped,
	    s->errand.text);
}

static void
cancel_errand(struct control *c, struct slot *s)
{
	struct query_cancel m;
	struct peer *p;
	int r;

	for (r = 0; r < ROLES; r++) {
		p = proc_peer(c->proc, (enum role)r);
		if (p == NULL || (s->errand.awaited & PERMIT_ROLE(r)) == 0)
			continue;
		m.ticket = ticket_of(c, s, (enum role)r);
		query_cancel_put(peer_begin(p), &m);
		peer_send(p, QUERY_CANCEL);
	}
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct slot *s = arg;

	(void)fd;
	(void)what;
	if (s->caller == NULL || s->errand.awaited == 0)
		return;
	cancel_errand(s->control, s);
	errand_give_up(&s->errand);
	finish_errand(s);
}

static void
ask_role(struct control *c, struct slot *s, enum role who,
    const struct permit *p, const struct ctl_request *r,
    const struct unpack *args)
{
	struct query_ask m = { .what = p->what, .reason = r->reason };
	struct peer *peer = proc_peer(c->proc, who);
	struct unpack u = *args;
	struct buf *b = peer_begin(peer);
	unsigned i;

	m.ticket = ticket_of(c, s, who);
	m.uid = (uint32_t)caller_uid(s->caller);
	m.n = (uint16_t)(r->n + (p->arg != NULL ? 1 : 0));
	query_ask_put(b, &m);
	if (p->arg != NULL)
		pack_str(b, p->arg);
	for (i = 0; i < r->n; i++)
		pack_str(b, unpack_str(&u));
	peer_send(peer, QUERY_ASK);
}

static void
ask(struct control *c, struct slot *s, const struct permit *p,
    const struct ctl_request *r, const struct unpack *args)
{
	static const struct timeval wait = { ALL_WAIT, 0 };
	uint32_t roles = 0;
	int i;

	for (i = 0; i < ROLES; i++)
		if ((p->roles & PERMIT_ROLE(i)) &&
		    proc_peer(c->proc, (enum role)i) != NULL)
			roles |= PERMIT_ROLE(i);
	errand_begin(&s->errand, roles);
	if (p->what == QUERY_STATUS)
		counters_status(&c->counters, c->host, s->caller);
	else if (p->what == QUERY_STATS)
		counters_stats(&c->counters, s->caller);
	if (roles == 0) {
		finish(s, EXIT_UNAVAILABLE, 0, 0, "nobody is there to answer");
		return;
	}
	if (p->roles == PERMIT_ALL_ROLES)
		event_add(s->deadline, &wait);
	for (i = 0; i < ROLES; i++)
		if (roles & PERMIT_ROLE(i))
			ask_role(c, s, (enum role)i, p, r, args);
}

/* The subsystems that are named; 0 with a reason already sent. */
static uint32_t
named_subsystems(
    struct slot *s, const struct ctl_request *r, struct unpack *args)
{
	char text[256], clean[128];
	uint32_t mask = 0, one;
	const char *name;
	unsigned i;

	for (i = 0; i < r->n; i++) {
		name = unpack_str(args);
		one = watch_by_name(name);
		if (one == 0) {
			snprintf(text, sizeof(text), "unknown subsystem %s",
			    text_quote(clean, sizeof(clean), name));
			finish(s, EXIT_USAGE, 0, 0, text);
			return 0;
		}
		mask |= one;
	}
	if (mask == 0)
		finish(s, EXIT_USAGE, 0, 0, "which subsystem?");
	return mask;
}

static void
start_trace(struct control *c, struct slot *s, const struct ctl_request *r,
    struct unpack *args)
{
	uint32_t mask = named_subsystems(s, r, args);

	if (mask == 0)
		return;
	if (r->flags & CTL_STICKY) {
		c->watch.sticky |= mask;
		tell_mask(c);
		finish(s, EXIT_DONE, 0, 0, "");
		return;
	}
	/* No end of its own: the lines go on until the caller goes. */
	s->watched = mask;
	s->lost = s->lost_told = 0;
	watch_join(&c->watch, mask);
	tell_mask(c);
	caller_lost(s->caller, 0); /* says that it has begun */
}

static void
stop_trace(struct control *c, struct slot *s, const struct ctl_request *r,
    struct unpack *args)
{
	uint32_t mask = named_subsystems(s, r, args);

	if (mask == 0)
		return;
	c->watch.sticky &= ~mask;
	tell_mask(c);
	if (c->told & mask)
		finish(s, EXIT_DONE, 0, 0, "still on for those who read it");
	else
		finish(s, EXIT_DONE, 0, 0, "");
}

static void
on_request(void *arg, struct caller *caller, const struct ctl_request *r,
    struct unpack *args)
{
	struct control *c = arg;
	struct slot *s = &c->slots[caller_slot(caller)];
	const struct permit *p = permit_find(r->command);
	char text[192], command[96];

	c->counters.requests++;
	text_quote(command, sizeof(command), r->command);
	if (p == NULL) {
		snprintf(text, sizeof(text),
		    "the daemon does not know the command %s", command);
		finish(s, EXIT_USAGE, 0, 0, text);
		return;
	}
	if (p->right > s->right) {
		c->counters.refused++;
		log_warn("event=request-refused uid=%ld command=%s",
		    (long)caller_uid(caller), command);
		snprintf(text, sizeof(text),
		    "%s is for root and the daemon's owner; uid %ld may only "
		    "look",
		    p->command, (long)caller_uid(caller));
		finish(s, EXIT_NOPERM, 0, 0, text);
		return;
	}
	if (p->right == PERMIT_OPERATE)
		log_info("event=request uid=%ld command=%s arguments=%u",
		    (long)caller_uid(caller), command, r->n);
	if (p->way == PERMIT_TRACE)
		start_trace(c, s, r, args);
	else if (p->way == PERMIT_UNTRACE)
		stop_trace(c, s, r, args);
	else
		ask(c, s, p, r, args);
}

/* A role that has sent its slice goes on once the caller has taken it. */
static void
ask_for_more(struct control *c, struct slot *s)
{
	struct query_more m;
	struct peer *p;
	int r;

	for (r = 0; r < ROLES; r++) {
		if ((s->errand.awaited & PERMIT_ROLE(r)) == 0 ||
		    s->errand.taken[r] < QUERY_SLICE)
			continue;
		s->errand.taken[r] = 0;
		p = proc_peer(c->proc, (enum role)r);
		m.ticket = ticket_of(c, s, (enum role)r);
		query_more_put(peer_begin(p), &m);
		peer_send(p, QUERY_MORE);
	}
}

static void
on_drained(void *arg, struct caller *caller)
{
	struct control *c = arg;
	struct slot *s = &c->slots[caller_slot(caller)];

	if (s->lost > s->lost_told) {
		s->lost_told = s->lost;
		caller_lost(caller, s->lost);
	}
	ask_for_more(c, s);
}

static void
on_gone(void *arg, struct caller *caller)
{
	struct control *c = arg;
	struct slot *s = &c->slots[caller_slot(caller)];

	cancel_errand(c, s);
	event_del(s->deadline);
	s->errand.awaited = 0;
	if (++s->round > TICKET_ROUND)
		s->round = 1;
	s->caller = NULL;
	c->counters.callers--;
	stop_watching(c, s);
}

static const struct caller_ops caller_ops = { on_request, on_drained, on_gone };

static enum permit_right
right_of(const struct control *c, int fd, uid_t uid, gid_t gid)
{
	if (uid == 0 || uid == c->owner)
		return PERMIT_OPERATE;
	if (c->has_gid && (gid == c->gid || unixsock_peer_in(fd, c->gid)))
		return PERMIT_VIEW;
	return PERMIT_NOTHING;
}

static struct slot *
free_slot(struct control *c, enum permit_right right)
{
	unsigned i, viewers = 0;
	struct slot *found = NULL;

	for (i = 0; i < CALLERS; i++) {
		if (c->slots[i].caller == NULL)
			found = found == NULL ? &c->slots[i] : found;
		else if (c->slots[i].right == PERMIT_VIEW)
			viewers++;
	}
	return right == PERMIT_VIEW && viewers >= VIEWERS ? NULL : found;
}

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa,
    int len, void *arg)
{
	struct control *c = arg;
	enum permit_right right;
	struct slot *s;
	char text[128];
	uid_t uid;
	gid_t gid;

	(void)l;
	(void)sa;
	(void)len;
	if (unixsock_peer(fd, &uid, &gid) == -1) {
		close(fd);
		return;
	}
	right = right_of(c, fd, uid, gid);
	if (right == PERMIT_NOTHING) {
		c->counters.refused++;
		log_warn("event=caller-refused uid=%ld", (long)uid);
		snprintf(text, sizeof(text),
		    "uid %ld may not talk to this daemon: root, its owner and "
		    "the control group may",
		    (long)uid);
		caller_refuse(fd, EXIT_NOPERM, text);
		return;
	}
	s = free_slot(c, right);
	if (s == NULL) {
		c->counters.refused++;
		caller_refuse(fd, EXIT_TEMPFAIL,
		    "too many callers on the control socket");
		return;
	}
	c->counters.accepted++;
	c->counters.callers++;
	s->right = right;
	s->caller = caller_new(proc_base(c->proc), fd, uid, c->host,
	    &caller_ops, c, (unsigned)(s - c->slots));
}

static void
on_accept_error(struct evconnlistener *l, void *arg)
{
	(void)l;
	(void)arg;
	log_warn("event=accept-failed socket=control");
}

static int
on_row(void *arg, struct message *m)
{
	struct control *c = arg;
	struct query_row row;
	struct slot *s;
	enum role who;

	if (query_row_get(&m->body, &row) == -1)
		return -1;
	s = slot_of(c, row.ticket, &who);
	if (s == NULL)
		return 0; /* the caller has gone meanwhile */
	s->errand.taken[who] += row.len;
	caller_row(s->caller, row.record, row.len);
	if (caller_queued(s->caller) <= CALLER_LOW)
		ask_for_more(c, s);
	return 0;
}

static int
on_end(void *arg, struct message *m)
{
	struct control *c = arg;
	struct query_end end;
	struct slot *s;
	enum role who;

	if (query_end_get(&m->body, &end) == -1)
		return -1;
	s = slot_of(c, end.ticket, &who);
	if (s == NULL || !errand_answered(&s->errand, who, &end))
		return 0;
	if (s->errand.awaited == 0)
		finish_errand(s);
	return 0;
}

static void
fan_out(struct control *c, enum trace_sub sub, const char *text)
{
	struct ctl_line line = {
		.sub = (uint8_t)sub, .when = mono_wall_ms(), .text = text
	};
	struct slot *s;

	for (s = c->slots; s < c->slots + CALLERS; s++) {
		if (s->caller == NULL || (s->watched & UINT32_C(1) << sub) == 0)
			continue;
		if (caller_queued(s->caller) >= TRACE_ROOM) {
			s->lost++;
			c->counters.lines_lost++;
		} else {
			caller_line(s->caller, &line);
		}
	}
}

static int
on_line(void *arg, struct message *m)
{
	struct query_line line;

	if (query_line_get(&m->body, &line) == -1)
		return -1;
	fan_out(arg, (enum trace_sub)line.sub, line.line);
	return 0;
}

static void
on_own_line(void *arg, enum trace_sub sub, const char *line)
{
	fan_out(arg, sub, line);
}

static void *
prepare(struct proc *p, const struct conf *conf)
{
	struct control *c = mem_zalloc(sizeof(*c));
	const struct group *gr;
	size_t i;

	c->proc = p;
	c->counters.started = mono_ms();
	c->owner = conf->privileged ? 0 : getuid();
	for (i = 0; i < CALLERS; i++) {
		c->slots[i].control = c;
		c->slots[i].round = 1;
		c->slots[i].deadline =
		    evtimer_new(proc_base(p), on_deadline, &c->slots[i]);
	}
	/* The group file is out of reach once privileges are gone. */
	if (conf->control_group != NULL) {
		c->group = mem_strdup(conf->control_group);
		gr = getgrnam(c->group);
		c->has_gid = gr != NULL;
		if (gr == NULL)
			log_warn("event=no-group group=%s", c->group);
		else
			c->gid = gr->gr_gid;
	}
	trace_hook(on_own_line, c);
	return c;
}

static void
configure(void *arg, const struct conf *conf)
{
	struct control *c = arg;
	const char *group = conf->control_group;

	free(c->host);
	c->host = mem_strdup(conf->hostname != NULL ? conf->hostname : "");
	if (group == NULL) {
		c->has_gid = false;
	} else if (c->group == NULL || strcmp(group, c->group) != 0) {
		c->has_gid = false;
		log_warn("event=control-group group=%s text=\"takes a restart "
			 "to come into force\"",
		    group);
	}
}

static void
take_socket(void *arg, unsigned index, int fd)
{
	struct control *c = arg;

	(void)index;
	if (c->listener != NULL)
		evconnlistener_free(c->listener);
	evutil_make_socket_nonblocking(fd);
	c->listener = evconnlistener_new(proc_base(c->proc), on_accept, c,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (c->listener == NULL)
		fatal("listening on the control socket");
	evconnlistener_set_error_cb(c->listener, on_accept_error);
}

static void
stop(void *arg)
{
	struct control *c = arg;
	size_t i;

	for (i = 0; i < CALLERS; i++)
		if (c->slots[i].caller != NULL)
			caller_flush(c->slots[i].caller);
	proc_exit(c->proc);
}

static const struct handler handlers[] = {
	{ QUERY_ROW, "query-row", on_row },
	{ QUERY_END, "query-end", on_end },
	{ QUERY_LINE, "query-line", on_line },
};
#define HANDLERS (sizeof(handlers) / sizeof(handlers[0]))

static const struct proc_peer peers[] = {
	{ ROLE_SMTP, handlers, HANDLERS },
	{ ROLE_LOOKUP, handlers, HANDLERS },
	{ ROLE_DNS, handlers, HANDLERS },
	{ ROLE_SPOOLER, handlers, HANDLERS },
	{ ROLE_SCHEDULER, handlers, HANDLERS },
	{ ROLE_MTA, handlers, HANDLERS },
	{ ROLE_MDA, handlers, HANDLERS },
};

const struct proc_role control_role = {
	.id = ROLE_CONTROL,
	.peers = peers,
	.npeers = sizeof(peers) / sizeof(peers[0]),
	.prepare = prepare,
	.configure = configure,
	.socket = take_socket,
	.stop = stop,
	.from_parent = handlers,
	.nfrom_parent = HANDLERS,
};

#include "daemon/mta/dispatch.h"

#include <event2/event.h>
#include <stdlib.h>

#include "daemon/mta/conn.h"
#include "daemon/mta/policy.h"
#include "lib/base/hmap.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"

#define SHARE 10 /* transactions in a row while others wait for the host */

/* A connection as seen from here. */
struct link {
	struct dispatch *all;
	struct conn *conn;
	struct host *host;
	struct relay *relay; /* served now; NULL: none */
	uint32_t stream; /* of the body it carries */
	unsigned served; /* transactions in a row for that relay */
	bool live; /* got past EHLO */
	bool idle; /* on both lists of those that wait for work */
	TAILQ_ENTRY(link) of_host;
	TAILQ_ENTRY(link) of_all;
	TAILQ_ENTRY(link) entry;
};

struct dispatch {
	struct relays *relays;
	struct conn_env env;
	struct policy *policy;
	const char *hostname;
	unsigned per_host;
	unsigned most; /* connections in all */
	struct hmap *streams; /* link */
	uint32_t last_stream;
	TAILQ_HEAD(link_list, link) links;
	TAILQ_HEAD(idle_list, link) idle; /* the longest first */
	struct dispatch_counts counts;
	void (*stopped)(void *arg); /* NULL: at work */
	void *stopped_arg;
};

static void
unassign(struct link *l)
{
	struct relay *r = l->relay;

	if (r == NULL)
		return;
	l->relay = NULL;
	r->bound--;
	if (!l->live)
		r->opening--;
	relay_rest(r);
}

static void
assign(struct link *l, struct relay *r)
{
	if (l->relay == r)
		return;
	r->bound++;
	unassign(l);
	l->relay = r;
	l->served = 0;
}

static void
wake(struct link *l)
{
	if (!l->idle)
		return;
	l->idle = false;
	l->all->counts.idle--;
	TAILQ_REMOVE(&l->host->idle, l, of_host);
	TAILQ_REMOVE(&l->all->idle, l, of_all);
}

static void
put_to_rest(struct link *l)
{
	l->idle = true;
	l->all->counts.idle++;
	TAILQ_INSERT_TAIL(&l->host->idle, l, of_host);
	TAILQ_INSERT_TAIL(&l->all->idle, l, of_all);
	unassign(l);
	conn_rest(l->conn);
}

/* The next transaction of its relay, which has one. */
static void
carry_next(struct link *l)
{
	struct dispatch *d = l->all;
	struct transaction *t = relay_take(l->relay);

	if (++d->last_stream == 0)
		d->last_stream = 1;
	l->stream = d->last_stream;
	l->served++;
	hmap_put(d->streams, l->stream, l);
	conn_carry(l->conn, t, l->stream);
}

/* Who gets the connection: its relay, until that has had its share and others
 * wait for the host. */
static struct relay *
next_in_turn(struct link *l)
{
	struct relay *own = l->relay, *r;

	if (own != NULL && own->queued > 0) {
		if (l->served < SHARE)
			return own;
		if (own->waits_for == l->host)
			relay_wait(own, l->host); /* to the end of the line */
	}
	while ((r = TAILQ_FIRST(&l->host->waiters)) != NULL && r->queued == 0)
		relay_wait(r, NULL);
	if (r != NULL)
		return r;
	return own != NULL && own->queued > 0 ? own : NULL;
}

static void
on_ready(void *arg)
{
	struct link *l = arg;
	struct relay *own = l->relay, *r;

	if (!l->live) {
		l->live = true;
		l->host->live++;
		own->opening--;
		l->all->counts.sessions++;
		host_works(l->host);
	}
	if (l->all->stopped != NULL) {
		conn_abort(l->conn);
		return;
	}
	r = next_in_turn(l);
	if (r == NULL) {
		put_to_rest(l);
		return;
	}
	if (r != own) {
		assign(l, r);
		/* Either may have mail left, and looks for its next one. */
		if (own->queued > 0)
			relay_mark(own);
		relay_mark(r);
	}
	carry_next(l);
}

static void
on_accepted(void *arg, const struct transaction *t, unsigned i)
{
	(void)arg;
	(void)t;
	(void)i;
}

static bool
on_settle(void *arg, const struct transaction *t, unsigned i,
    enum carry_result result, enum conn_phase phase, const char *status)
{
	struct link *l = arg;
	struct relays *rs = l->all->relays;

	(void)phase;
	if (result == CARRY_DONE)
		l->host->delivered++;
	rs->ops->outcome(rs->arg, t, i, result, status, l->host->label);
	return true;
}

/* Those that were one too many make a transaction of their own. */
static struct transaction *
spared(const struct transaction *t)
{
	struct transaction *rest =
	    transaction_new(t->relay, t->msgid, t->size, t->sender);
	const struct transaction_rcpt *r;
	unsigned i;

	for (i = 0; i < t->n; i++) {
		r = &t->rcpts[i];
		if (r->state == TRANSACTION_SPARED)
			transaction_add(rest, r->evpid, r->address, r->arrived);
	}
	return rest;
}

static void
on_over(void *arg, struct transaction *t, bool stale)
{
	struct link *l = arg;

	hmap_del(l->all->streams, l->stream);
	l->stream = 0;
	if (stale) {
		relay_put_back(t->relay, t);
		return;
	}
	if (t->open > 0 && l->all->stopped == NULL)
		relay_put_back(t->relay, spared(t));
	transaction_free(t);
}

static void
on_want(void *arg, uint32_t stream, uint64_t msgid, uint64_t offset)
{
	struct link *l = arg;
	struct relays *rs = l->all->relays;

	rs->ops->want(rs->arg, stream, msgid, offset);
}

static void
on_leaving(void *arg)
{
	wake(arg);
}

static void
close_link(struct link *l)
{
	struct dispatch *d = l->all;
	struct host *h = l->host;

	wake(l);
	if (l->relay != NULL && l->relay->queued > 0)
		relay_mark(l->relay);
	h->connections--;
	if (l->live)
		h->live--;
	unassign(l);
	TAILQ_REMOVE(&d->links, l, entry);
	d->counts.connections--;
	free(l);
	host_release(d->relays->hosts, h);
	if (d->stopped != NULL && d->counts.connections == 0)
		d->stopped(d->stopped_arg);
}

static void
on_closed(void *arg, const struct conn_closed *why)
{
	const char *error = why->ready ? NULL : why->status;
	struct link *l = arg;
	struct host *h = l->host;
	struct relay *r;

	if (error != NULL) {
		host_failed(h, error, mono_ms(), mono_wall());
		/* They may have waited for nothing. */
		TAILQ_FOREACH(r, &h->waiters, waiting)
			relay_mark(r);
	} else if ((r = TAILQ_FIRST(&h->waiters)) != NULL) {
		relay_mark(r);
	}
	r = TAILQ_FIRST(&l->all->relays->starving);
	if (r != NULL)
		relay_mark(r);
	close_link(l);
}

static const struct conn_ops conn_ops = { on_ready, on_accepted, on_settle,
	on_over, on_want, on_leaving, on_closed };

static void
open_link(struct dispatch *d, struct relay *r, struct host *h)
{
	struct link *l = mem_zalloc(sizeof(*l));
	struct conn_way way = { .policy = d->policy,
		.addr = h->addr,
		.addrlen = h->addrlen,
		.label = h->label,
		.name = "",
		.helo = d->hostname,
		.messages = 100,
		.recipients = TRANSACTION_RCPTS,
		.keepalive_ms = 5000 };

	l->all = d;
	l->host = h;
	h->refs++;
	h->connections++;
	h->last_connect = mono_wall();
	l->relay = r;
	r->opening++;
	r->bound++;
	TAILQ_INSERT_TAIL(&d->links, l, entry);
	d->counts.connections++;
	l->conn = conn_open(&d->env, &way, l);
}

static enum route_verdict
pick(const struct dispatch *d, const struct relay *r, size_t *which)
{
	struct route_address a[RELAY_ADDRESSES] = { 0 };
	int64_t wall = mono_wall();
	const struct host *h;
	size_t i;

	for (i = 0; i < r->n; i++) {
		h = r->addresses[i].host;
		a[i].preference = r->addresses[i].preference;
		a[i].host = r->addresses[i].number;
		a[i].connections = (uint16_t)h->connections;
		a[i].live = (uint16_t)h->live;
		a[i].failures = (uint16_t)h->failures;
		a[i].idle = !TAILQ_EMPTY(&h->idle);
		a[i].usable_at = host_usable_at(h, wall);
		a[i].failed_at = h->failed_at;
	}
	return route_pick(a, r->n, d->per_host, mono_ms(), which);
}

/* By one connection to h: one that rests, or a new one. */
static void
serve(struct dispatch *d, struct relay *r, struct host *h)
{
	struct link *l = TAILQ_FIRST(&h->idle);

	if (l != NULL) {
		wake(l);
		assign(l, r);
		carry_next(l);
		return;
	}
	if (d->counts.connections < d->most) {
		open_link(d, r, h);
		return;
	}
	relay_starve(r);
	/* One that rests makes room; its end marks the relay. */
	l = TAILQ_FIRST(&d->idle);
	if (l != NULL)
		conn_abort(l->conn);
}

void
dispatch_relay(struct dispatch *d, struct relay *r)
{
	struct host *h;
	size_t which;

	if (d->stopped != NULL)
		return;
	relay_wait(r, NULL);
	while (r->queued > r->opening && r->resolved && !r->starving &&
	    !r->dirty) {
		switch (pick(d, r, &which)) {
		case ROUTE_OPEN:
			serve(d, r, r->addresses[which].host);
			break;
		case ROUTE_BUSY:
			relay_wait(r, r->addresses[which].host);
			return;
		case ROUTE_DEAD:
			h = r->addresses[which].host;
			relay_settle(r, CARRY_LATER,
			    h->error == NULL ? "451 4.4.1 no connection"
					     : h->error,
			    h->label);
			break;
		}
	}
	relay_rest(r);
}

void
dispatch_body(struct dispatch *d, const struct carry_body *piece)
{
	struct link *l = NULL;

	if (piece->stream != 0)
		l = hmap_get(d->streams, piece->stream);
	if (l != NULL)
		conn_body(l->conn, piece);
}

struct dispatch *
dispatch_new(struct event_base *base, struct relays *relays)
{
	struct dispatch *d = mem_zalloc(sizeof(*d));

	d->relays = relays;
	d->env.base = base;
	d->env.ops = &conn_ops;
	d->streams = hmap_new();
	TAILQ_INIT(&d->links);
	TAILQ_INIT(&d->idle);
	return d;
}

void
dispatch_configure(struct dispatch *d, const struct dispatch_limits *limits)
{
	static const struct conf_relay plain;
	char why[POLICY_WHY_MAX];

	policy_unref(d->policy);
	d->policy = policy_new(limits->conf, &plain, NULL, why);
	if (d->policy == NULL)
		fatal("%s", why);
	d->hostname = limits->hostname;
	d->env.deadline_ms = limits->deadline_ms;
	d->per_host = limits->per_host;
	d->most = limits->connections;
}

void
dispatch_stop(struct dispatch *d, void (*done)(void *arg), void *arg)
{
	struct link *l, *next;

	d->stopped = done;
	d->stopped_arg = arg;
	if (d->counts.connections == 0) {
		done(arg);
		return;
	}
	for (l = TAILQ_FIRST(&d->links); l != NULL; l = next) {
		next = TAILQ_NEXT(l, entry);
		if (!conn_committing(l->conn))
			conn_abort(l->conn);
	}
}

const struct dispatch_counts *
dispatch_counts(const struct dispatch *d)
{
	return &d->counts;
}

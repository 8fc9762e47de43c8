#include "daemon/mta/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mta/domain.h"
#include "daemon/mta/engine.h"
#include "lib/base/mem.h"

#define RETURNS 3 /* times in a row that nothing of a transaction is settled */

/* The connection counts as one for the domain it is used for. */
static void
charge(struct link *l, struct domain *d)
{
	struct engine *e = l->engine;
	struct domain *old = l->domain;

	if (old == d)
		return;
	l->domain = d == NULL ? NULL : domain_get(e, d->name);
	if (d != NULL)
		d->connections++;
	if (old == NULL)
		return;
	old->connections--;
	relay_wake(e, &old->waiting);
	domain_release(e, old);
}

static void
unassign(struct link *l)
{
	struct engine *e = l->engine;
	struct relay *r = l->relay;
	struct connector *c;

	charge(l, NULL);
	if (r == NULL)
		return;
	l->relay = NULL;
	c = relay_connector(r, l->route->source);
	if (c != NULL)
		c->connections--;
	r->bound--;
	if (!l->ready)
		r->opening--;
	if (r->queued > 0)
		relay_mark(e, r);
	relay_rest(e, r);
}

static void
assign(struct link *l, struct relay *r)
{
	struct connector *c;

	if (l->relay == r)
		return;
	r->bound++; /* first, so that it does not rest in between */
	unassign(l);
	c = relay_connector(r, l->route->source);
	if (c != NULL)
		c->connections++;
	l->relay = r;
	l->served = 0;
}

void
link_open(
    struct engine *e, struct relay *r, struct connector *c, struct route *route)
{
	struct link *l = mem_zalloc(sizeof(*l));

	l->engine = e;
	if (++e->last_link == 0)
		e->last_link = 1;
	l->id = e->last_link;
	l->opened_at = e->now;
	l->route = route;
	l->in_clear = route->host->clear_until > e->now &&
	    route->manner->may_be_clear && route->tlsa == NULL;
	route->refs++;
	route->connections++;
	route->host->connections++;
	route->source->connections++;
	r->opening++;
	assign(l, r);
	charge(l, relay_first(e, r, 0)->domain);
	c->used = ++r->turn;
	r->connect_at = e->now;
	route_connects(e, route);
	TAILQ_INSERT_TAIL(&e->links, l, all);
	e->counts.connections++;
	e->ops->event(e->arg, ENGINE_CONNECTING, route, l, "");
	e->ops->open(e->arg, l);
}

static void
wake(struct link *l)
{
	if (l->state != LINK_RESTING)
		return;
	l->state = LINK_LEAVING;
	l->engine->counts.idle--;
	TAILQ_REMOVE(&l->route->idle, l, of_route);
	TAILQ_REMOVE(&l->engine->idle, l, of_idle);
}

void
link_quit(struct link *l)
{
	wake(l);
	l->state = LINK_LEAVING;
	l->engine->ops->quit(l->engine->arg, l);
}

static void
put_to_rest(struct link *l)
{
	struct engine *e = l->engine;

	l->state = LINK_RESTING;
	e->counts.idle++;
	TAILQ_INSERT_TAIL(&l->route->idle, l, of_route);
	TAILQ_INSERT_TAIL(&e->idle, l, of_idle);
	if (l->route->carrying == 0)
		route_let_go(e, l->route, false);
	e->ops->rest(e->arg, l);
}

void
link_carry(struct link *l, struct relay *r)
{
	struct engine *e = l->engine;
	struct transaction *t;

	wake(l);
	assign(l, r);
	t = relay_take(e, r, l->route->row);
	charge(l, t->domain);
	l->state = LINK_CARRYING;
	l->transaction = t;
	l->served++;
	l->taken = false;
	l->rejected_only = true;
	l->route->carrying++;
	e->ops->carry(e->arg, l, t);
}

/* A relay stands in a line at most once. */
static bool
waits_else(const struct waiting *w, const struct relay *own)
{
	const struct relay *r = TAILQ_FIRST(&w->line);

	return r != NULL && (r != own || TAILQ_NEXT(r, waiting) != NULL);
}

/* Somebody else waits for what this link holds. */
static bool
is_wanted(const struct link *l)
{
	return waits_else(&l->route->host->waiting, l->relay) ||
	    waits_else(&l->route->source->waiting, l->relay) ||
	    waits_else(&l->engine->waiting, l->relay);
}

static bool
has_mail(const struct link *l, const struct relay *r)
{
	return r != NULL && r->queued > 0 &&
	    !steering_holds(r->steering, l->engine->wall);
}

/* Who gets the session: its relay, until that has had its share and others
 * wait for the host. */
static struct relay *
next_in_turn(struct link *l)
{
	struct waiting *w = &l->route->host->waiting;
	struct relay *own = l->relay, *r;

	if (has_mail(l, own) && (l->served < LINK_SHARE || !is_wanted(l)))
		return own;
	TAILQ_FOREACH(r, &w->line, waiting)
		if (r != own && has_mail(l, r) && relay_has(r, l->route))
			break;
	if (r != NULL) {
		relay_wait(r, NULL);
		return r;
	}
	return has_mail(l, own) && !is_wanted(l) ? own : NULL;
}

/* The session is good for nothing more. */
static bool
must_leave(const struct link *l)
{
	const struct engine *e = l->engine;
	const struct route *r = l->route;

	return route_disabled(r) || steering_holds(r->steering, e->wall) ||
	    steering_holds(r->source->steering, e->wall) ||
	    (r->host->skip_until > e->now && r->host->skip_source == r->source);
}

static void
set_up(struct link *l)
{
	struct engine *e = l->engine;
	struct relay *r = l->relay;

	l->ready = true;
	l->route->ready++;
	l->route->host->ready++;
	r->opening--;
	r->proven = true;
	relay_attempted(r, NULL, "");
	e->counts.sessions++;
	e->ops->event(e->arg, ENGINE_CONNECTED, l->route, l, "");
	route_works(e, l->route);
	relay_mark(e, r);
	relay_wake(e, &l->route->host->waiting);
}

void
link_on_ready(struct link *l)
{
	struct engine *e = l->engine;
	struct relay *own, *r;

	if (!l->ready)
		set_up(l);
	if (e->stopped) {
		e->ops->abort(e->arg, l);
		return;
	}
	if (must_leave(l)) {
		link_quit(l);
		return;
	}
	own = l->relay;
	r = next_in_turn(l);
	if (r == NULL && is_wanted(l)) {
		/* Those who wait cannot use this session: it makes room. */
		link_quit(l);
		return;
	}
	if (r == NULL) {
		put_to_rest(l);
		return;
	}
	if (r == own && l->served >= LINK_SHARE)
		l->served = 0;
	link_carry(l, r);
}

void
link_on_accepted(struct link *l, const struct transaction *t, unsigned i)
{
	(void)t;
	(void)i;
	l->fruitless = 0;
	l->taken = true;
	route_accepted(l->engine, l->route);
}

bool
link_on_settle(struct link *l, const struct transaction *t, unsigned i,
    enum carry_result result, enum conn_phase phase, const char *status)
{
	struct engine *e = l->engine;
	char remote[HOST_LABEL_MAX], relay[TARGET_KEY_MAX];
	struct engine_outcome o = { .arrived = t->rcpts[i].arrived };
	bool full;

	host_label(l->route->host, l->route->name, remote);
	o.relay =
	    l->relay == NULL ? l->domain->name : relay_name(l->relay, relay);
	o.carry.evpid = t->rcpts[i].evpid;
	o.carry.result = result;
	o.carry.status = status;
	o.carry.remote = remote;
	domain_outcome(e, t->domain, status);
	if (result == CARRY_DONE) {
		l->delivered++;
		l->taken = true;
		t->domain->delivered++;
		route_delivered(e, l->route);
		engine_outcome(e, &o);
		return true;
	}
	if (result == CARRY_NEVER)
		t->domain->failed++;
	else
		t->domain->deferred++;
	if (phase == CONN_PHASE_RCPT) {
		full = route_rejected(e, l->route, &o);
		return !full;
	}
	l->rejected_only = false;
	o.carry.destination = result == CARRY_LATER && phase == CONN_PHASE_LOST;
	engine_outcome(e, &o);
	return !route_disabled(l->route);
}

static void
no_use(struct link *l)
{
	struct engine *e = l->engine;
	struct host *h = l->route->host;
	char text[128];

	snprintf(text, sizeof(text),
	    "451 4.4.5 nothing of %u messages in a row was taken",
	    l->fruitless);
	h->skip_until = e->now +
	    (uint64_t)domain_limit(e, l->route->domain, CONF_LIMIT_ASIDE) *
		1000;
	h->skip_source = l->route->source;
	route_aside(e, l->route, text);
	e->ops->event(e->arg, ENGINE_HOST_SKIPPED, l->route, l, text);
}

/* What is left of a transaction is a new one, first in the queue. */
static void
hand_back(struct link *l, struct transaction *t)
{
	struct engine *e = l->engine;
	struct carry_outcome o = { .result = CARRY_LATER,
		.status = "451 4.4.2 the session ended again and again before "
			  "it was tried",
		.remote = "",
		.destination = true };
	unsigned before = t->n;

	if (transaction_compact(t) == 0) {
		engine_drop(e, t);
		return;
	}
	t->returns = t->n == before ? t->returns + 1 : 0;
	if (t->returns > RETURNS)
		engine_settle(e, t, &o, t->domain->name);
	else
		relay_put_back(e, t->relay, t);
}

void
link_on_over(struct link *l, struct transaction *t, bool stale)
{
	struct engine *e = l->engine;

	l->transaction = NULL;
	l->state = LINK_LEAVING;
	l->route->carrying--;
	if (stale) {
		l->stale = true;
		relay_put_back(e, t->relay, t);
		return;
	}
	l->messages++;
	if (l->taken)
		l->fruitless = 0;
	else if (!l->rejected_only &&
	    ++l->fruitless ==
		domain_limit(e, l->route->domain, CONF_LIMIT_FRUITLESS))
		no_use(l);
	hand_back(l, t);
}

void
link_on_leaving(struct link *l)
{
	wake(l);
	l->state = LINK_LEAVING;
}

/* bind() failed: this source is bad for this relay, and nobody else. */
static void
bad_source(struct link *l, const char *status)
{
	struct engine *e = l->engine;
	struct connector *c = l->relay == NULL
	    ? NULL
	    : relay_connector(l->relay, l->route->source);

	if (c == NULL)
		return;
	c->bad_until = e->now + RELAY_BAD_SOURCE_MS;
	free(c->error);
	c->error = mem_strdup(status);
	e->ops->event(e->arg, ENGINE_SOURCE_BAD, l->route, l, status);
}

static void
no_session(struct link *l, const struct conn_closed *why)
{
	struct engine *e = l->engine;
	struct host *h = l->route->host;

	if (why->end == CONN_END_TLS_TRY && !l->in_clear) {
		h->clear_until = e->now + HOST_CLEAR_MS;
		l->route->connect_at = l->route->disconnect_at = 0;
		e->ops->event(
		    e->arg, ENGINE_HOST_CLEAR, l->route, l, why->status);
		return;
	}
	if (why->end == CONN_END_SOURCE) {
		bad_source(l, why->status);
		return;
	}
	if (l->route->ready > 0) {
		route_full(e, l->route, why->status);
		return;
	}
	/* A host that says it takes no mail is believed for a while. */
	if (why->end == CONN_END_REFUSED && why->status[0] == '5') {
		h->skip_until = e->now +
		    (uint64_t)domain_limit(
			e, l->route->domain, CONF_LIMIT_ASIDE) *
			1000;
		h->skip_source = l->route->source;
		e->ops->event(
		    e->arg, ENGINE_HOST_SKIPPED, l->route, l, why->status);
	}
	route_failed(e, l->route, why->status);
}

/* A session that was set up has ended, and not as it should. */
static void
broken(struct link *l, const struct conn_closed *why)
{
	struct engine *e = l->engine;

	if (why->end == CONN_END_421 || l->delivered == 0)
		route_failed(e, l->route, why->status);
	else
		route_erred(e, l->route, why->status);
}

static void
take_apart(struct link *l)
{
	struct engine *e = l->engine;
	struct route *route = l->route;

	wake(l);
	if (l->relay != NULL && l->relay->queued > 0)
		relay_mark(e, l->relay);
	if (l->ready) {
		route->ready--;
		route->host->ready--;
	}
	unassign(l);
	route->connections--;
	route->host->connections--;
	route->source->connections--;
	TAILQ_REMOVE(&e->links, l, all);
	e->counts.connections--;
	relay_wake(e, &route->host->waiting);
	relay_wake(e, &route->source->waiting);
	relay_wake(e, &e->waiting);
	if (route->carrying == 0)
		route_let_go(e, route, false);
	free(l);
	route_release(e, route);
}

void
link_on_closed(struct link *l, const struct conn_closed *why)
{
	struct engine *e = l->engine;
	struct relay *r = l->relay;
	bool resting = l->state == LINK_RESTING || l->stale;
	char remote[HOST_LABEL_MAX];

	e->ops->event(e->arg, why->ready ? ENGINE_CLOSED : ENGINE_NO_SESSION,
	    l->route, l, why->status);
	if (why->end != CONN_END_QUIT && !e->stopped) {
		l->route->disconnect_at = e->now;
		if (!why->ready)
			no_session(l, why);
		else if (!resting)
			broken(l, why);
		/* What waits for it was tried, unless the route goes on. */
		if (r != NULL && !resting &&
		    (l->route->end == ROUTE_FAILED ||
			why->end == CONN_END_SOURCE)) {
			relay_attempted(r, why->status,
			    host_label(l->route->host, l->route->name, remote));
			r->proven = false;
		}
		if (r != NULL && !why->ready)
			r->connect_at = 0; /* the next host may be tried */
	}
	take_apart(l);
}

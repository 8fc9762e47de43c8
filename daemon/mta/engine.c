#include "daemon/mta/engine.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/mta/destination.h"
#include "daemon/mta/dispatch.h"
#include "daemon/mta/domain.h"
#include "daemon/mta/pick.h"
#include "lib/base/hmap.h"
#include "lib/base/mem.h"

struct engine *
engine_new(const struct engine_ops *ops, void *arg)
{
	struct engine *e = mem_zalloc(sizeof(*e));

	e->ops = ops;
	e->arg = arg;
	e->mx_port = TARGET_PORT;
	e->most = UINT32_MAX;
	e->hosts = hosts_new();
	e->sources = hmap_new();
	e->domains = hmap_new();
	e->by_target = hmap_new();
	e->by_question = hmap_new();
	e->by_set = hmap_new();
	e->by_way = hmap_new();
	e->by_id = hmap_new();
	e->growing = hmap_new();
	TAILQ_INIT(&e->relays);
	TAILQ_INIT(&e->dirty);
	TAILQ_INIT(&e->resting);
	TAILQ_INIT(&e->routes);
	TAILQ_INIT(&e->links);
	TAILQ_INIT(&e->idle);
	TAILQ_INIT(&e->destinations);
	TAILQ_INIT(&e->steerings);
	TAILQ_INIT(&e->waiting.line);
	return e;
}

static void
free_maps(struct engine *e)
{
	struct domain *d;
	struct source *s;
	size_t at;

	HMAP_FOREACH(d, e->domains, at)
		free(d);
	HMAP_FOREACH(s, e->sources, at)
		free(s);
	hmap_free(e->domains);
	hmap_free(e->sources);
	hmap_free(e->by_target);
	hmap_free(e->by_question);
	hmap_free(e->by_set);
	hmap_free(e->by_way);
	hmap_free(e->by_id);
	hmap_free(e->growing);
}

void
engine_free(struct engine *e)
{
	struct destination *d;
	struct transaction *t;
	struct relay *r;
	struct route *route;

	assert(TAILQ_EMPTY(&e->links));
	e->stopped = true;
	while ((d = TAILQ_FIRST(&e->destinations)) != NULL)
		destination_free(e, d);
	while ((r = TAILQ_FIRST(&e->relays)) != NULL) {
		while ((t = relay_take(e, r, 0)) != NULL)
			engine_drop(e, t);
		relay_free(e, r);
	}
	while ((route = TAILQ_FIRST(&e->routes)) != NULL) {
		route->end = ROUTE_ENABLED;
		route->penalty = 0;
		route->refs = 1;
		route_release(e, route);
	}
	while (!TAILQ_EMPTY(&e->steerings))
		steering_drop(&e->steerings, TAILQ_FIRST(&e->steerings));
	timers_clear(&e->timers);
	free_maps(e);
	hosts_free(e->hosts);
	free(e);
}

void
engine_configure(struct engine *e, const struct conf *conf,
    const struct sockaddr_storage *own, size_t nown)
{
	struct relay *r;

	e->conf = conf;
	e->own = own;
	e->nown = nown;
	e->configured++;
	TAILQ_FOREACH(r, &e->relays, all)
		if (r->queued > 0)
			relay_mark(e, r);
}

void
engine_clock(struct engine *e, uint64_t now, int64_t wall)
{
	if (now > e->now)
		e->now = now;
	e->wall = wall;
}

int64_t
engine_wall_at(const struct engine *e, uint64_t at)
{
	return at > e->now ? e->wall + (int64_t)((at - e->now + 999) / 1000)
			   : e->wall - (int64_t)((e->now - at) / 1000);
}

void
engine_outcome(struct engine *e, const struct engine_outcome *o)
{
	e->ops->outcome(e->arg, o);
}

void
engine_drop(struct engine *e, struct transaction *t)
{
	if (t->domain != NULL)
		domain_release(e, t->domain);
	choice_unref(t->choice);
	transaction_free(t);
}

void
engine_settle(struct engine *e, struct transaction *t,
    const struct carry_outcome *o, const char *relay)
{
	struct engine_outcome each = { .carry = *o, .relay = relay };
	unsigned i;

	if (o->result != CARRY_UNTRIED && t->domain != NULL)
		domain_outcome(e, t->domain, o->status);
	for (i = 0; i < t->n; i++) {
		if (t->rcpts[i].state == TRANSACTION_SETTLED)
			continue;
		each.carry.evpid = t->rcpts[i].evpid;
		each.arrived = t->rcpts[i].arrived;
		engine_outcome(e, &each);
	}
	engine_drop(e, t);
}

/* None of its hosts may be used now, and that is not a matter of limits. */
static bool
is_down(struct engine *e, const struct destination *d)
{
	struct pick p;

	if (d == NULL || d->relay == NULL)
		return false;
	if (steering_holds(d->relay->steering, e->wall))
		return true;
	p = pick_route(e, d->relay);
	return p.pace.kind != PACE_FREE && !pace_is_limit(p.pace.kind);
}

static void
put(struct engine *e, struct destination *d, struct transaction *t)
{
	if (t->domain != NULL)
		domain_release(e, t->domain);
	t->domain = domain_get(e, d->target.key);
	if (d->relay != NULL) {
		relay_put(e, d->relay, t);
	} else {
		TAILQ_INSERT_TAIL(&d->waiting, t, entry);
		d->queued++;
	}
	destination_ask(e, d);
}

void
engine_place(struct engine *e, struct transaction *t, const struct target *mx)
{
	const struct target *target;
	struct manner *m;

	for (;;) {
		m = t->choice->manners[t->nth];
		target = m->by_mx ? mx : &m->via;
		if (t->left == 0 || !is_down(e, destination_find(e, m, target)))
			break;
		t->left--;
		t->nth = (t->nth + 1) % (unsigned)t->choice->n;
	}
	put(e, destination_get(e, m, target), t);
}

bool
engine_next(struct engine *e, struct transaction *t)
{
	if (t->left == 0)
		return false;
	t->left--;
	t->nth = (t->nth + 1) % (unsigned)t->choice->n;
	engine_place(e, t, NULL);
	return true;
}

void
engine_add(struct engine *e, const struct engine_recipient *r)
{
	struct carry_outcome bad = { .result = CARRY_NEVER,
		.status = "550 5.1.2 the domain is no name of a host",
		.remote = "" };
	struct transaction *t;
	struct target mx;

	t = transaction_new(r->msgid, r->size, r->sender);
	transaction_add(t, r->evpid, r->address, r->arrived);
	t->choice = choice_ref(r->choice);
	t->tried = r->tried;
	t->nth = r->turn % (unsigned)r->choice->n;
	t->left = (unsigned)r->choice->n - 1;
	if (t->choice->manners[t->nth]->by_mx &&
	    !target_set(&mx, NULL, 0, r->domain, e->mx_port)) {
		engine_settle(e, t, &bad, r->domain);
		return;
	}
	engine_place(e, t, &mx);
}

void
engine_resolved(struct engine *e, uint32_t id, enum name_status status,
    const char *text, const struct name_host *hosts, unsigned n)
{
	struct destination *d = id == 0 ? NULL : hmap_get(e->by_question, id);

	if (d != NULL)
		destination_resolved(e, d, status, text, hosts, n);
}

size_t
engine_questions(const struct engine *e)
{
	return hmap_count(e->by_question);
}

static void
on_timer(struct engine *e, struct timer *t)
{
	/* A timer is the first member of what it belongs to. */
	switch (t->kind) {
	case TIMER_ROUTE:
		route_on_timer(e, (struct route *)(void *)t);
		break;
	case TIMER_RELAY:
		relay_on_timer(e, (struct relay *)(void *)t);
		break;
	case TIMER_DOMAIN:
		domain_on_timer(e, (struct domain *)(void *)t);
		break;
	}
}

uint64_t
engine_turn(struct engine *e)
{
	struct timer *t;
	struct relay *r;
	int i;

	if (e->stopped)
		return UINT64_MAX;
	for (i = 0; i < ENGINE_TURN; i++) {
		t = timer_due(&e->timers, e->now);
		if (t == NULL)
			break;
		on_timer(e, t);
	}
	for (i = 0; i < ENGINE_TURN; i++) {
		r = relay_marked(e);
		if (r == NULL)
			break;
		dispatch_relay(e, r);
	}
	return TAILQ_EMPTY(&e->dirty) ? timer_next(&e->timers) : e->now;
}

void
engine_stop(struct engine *e)
{
	struct route *r;

	TAILQ_FOREACH(r, &e->routes, entry)
		route_let_go(e, r, false);
	e->stopped = true;
}

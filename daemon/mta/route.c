#include "daemon/mta/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mta/dane.h"
#include "daemon/mta/domain.h"
#include "daemon/mta/engine.h"
#include "lib/base/hmap.h"
#include "lib/base/mem.h"

#define PENALTY_MOST 100 /* far beyond any sensible cap of the time */
#define JITTER 10 /* percent */

/* Its place, or the one it would have. */
static uint64_t
way_key(const struct engine *e, const struct manner *m, const struct source *s,
    const struct host *h, const char *name)
{
	uint64_t id[4] = { (uint64_t)(uintptr_t)m, (uint64_t)(uintptr_t)s,
		(uint64_t)(uintptr_t)h, hmap_hash(name, strlen(name)) };
	uint64_t key = hmap_hash(id, sizeof(id));
	const struct route *r;

	while ((r = hmap_get(e->by_way, key)) != NULL &&
	    (r->manner != m || r->source != s || r->host != h ||
		strcmp(r->name, name) != 0))
		key = key == UINT64_MAX ? 1 : key + 1;
	return key;
}

struct route *
route_find(const struct engine *e, const struct manner *m,
    const struct source *s, const struct host *h, const char *name)
{
	return hmap_get(e->by_way, way_key(e, m, s, h, name));
}

struct route *
route_new(struct engine *e, struct manner *m, struct source *s, struct host *h,
    const char *name, struct domain *d)
{
	char text[ROUTE_NAME_MAX];
	struct route *r = mem_zalloc(sizeof(*r));

	r->timer.kind = TIMER_ROUTE;
	r->key = way_key(e, m, s, h, name);
	r->id = ++e->last_route;
	r->refs = 1;
	r->manner = manner_ref(m);
	r->source = s;
	r->host = h;
	host_ref(h);
	r->name = mem_strdup(name);
	r->domain = domain_get(e, d->name);
	r->allowed = 1;
	STAILQ_INIT(&r->held);
	TAILQ_INIT(&r->idle);
	r->steering =
	    steering_find(&e->steerings, CARRY_ROUTE, route_name(r, text));
	hmap_put(e->by_way, r->key, r);
	hmap_put(e->by_id, r->id, r);
	TAILQ_INSERT_TAIL(&e->routes, r, entry);
	e->ops->event(e->arg, ENGINE_ROUTE_NEW, r, NULL, "");
	return r;
}

static void
discard(struct engine *e, struct route *r)
{
	e->ops->event(e->arg, ENGINE_ROUTE_GONE, r, NULL, "");
	route_let_go(e, r, false);
	timer_clear(&e->timers, &r->timer);
	hmap_del(e->by_way, r->key);
	hmap_del(e->by_id, r->id);
	TAILQ_REMOVE(&e->routes, r, entry);
	tlsa_unref(r->tlsa);
	manner_unref(r->manner);
	domain_release(e, r->domain);
	host_release(e->hosts, r->host);
	free(r->name);
	free(r->error);
	free(r);
}

/* What it has done wrong is not forgotten with its mail. */
void
route_release(struct engine *e, struct route *r)
{
	if (--r->refs == 0 && !route_disabled(r) && r->penalty == 0)
		discard(e, r);
}

bool
route_disabled(const struct route *r)
{
	return r->end != ROUTE_ENABLED;
}

uint64_t
route_rest(unsigned penalty, uint32_t base_s, uint32_t most_s)
{
	uint64_t s = (uint64_t)base_s * penalty * penalty;

	return (s < most_s ? s : most_s) * 1000;
}

static uint64_t
rest_of(const struct engine *e, const struct route *r)
{
	uint32_t base = domain_limit(e, r->domain, CONF_LIMIT_PENALTY);
	uint32_t most = domain_limit(e, r->domain, CONF_LIMIT_PENALTY_MAX);
	uint64_t rest = route_rest(r->penalty, base, most);

	/* Many routes that failed together do not come back together. */
	rest += rest * (e->ops->random(e->arg) % (JITTER * 10 + 1)) / 1000;
	return rest < (uint64_t)most * 1000 ? rest : (uint64_t)most * 1000;
}

void
route_erred(struct engine *e, struct route *r, const char *status)
{
	r->errors++;
	r->error_at = e->wall;
	free(r->error);
	r->error = mem_strndup(status, ROUTE_ERROR_MAX);
	host_failed(r->host, status, e->wall);
}

static void
disable(struct engine *e, struct route *r, enum route_end end, uint64_t rest)
{
	r->end = end;
	r->validated = false;
	r->allowed = 1;
	r->disabled_until = e->now + rest;
	timer_set(&e->timers, &r->timer, r->disabled_until);
}

void
route_failed(struct engine *e, struct route *r, const char *status)
{
	route_erred(e, r, status);
	/* Connections that were opened together fail together: once. */
	if (route_disabled(r))
		return;
	r->penalty += r->lent ? 2 : 1;
	r->lent = false;
	if (r->penalty > PENALTY_MOST)
		r->penalty = PENALTY_MOST;
	disable(e, r, ROUTE_FAILED, rest_of(e, r));
	e->ops->event(e->arg, ENGINE_ROUTE_FAILED, r, NULL, status);
}

void
route_full(struct engine *e, struct route *r, const char *status)
{
	route_erred(e, r, status);
	r->allowed = r->ready > 0 ? r->ready : 1;
}

void
route_aside(struct engine *e, struct route *r, const char *status)
{
	if (route_disabled(r))
		return;
	route_erred(e, r, status);
	disable(e, r, ROUTE_ASIDE,
	    (uint64_t)domain_limit(e, r->domain, CONF_LIMIT_ASIDE) * 1000);
	e->ops->event(e->arg, ENGINE_ROUTE_ASIDE, r, NULL, status);
}

/* A penalty that is left falls further while nothing goes wrong. */
static void
set_timer(struct engine *e, struct route *r)
{
	if (r->penalty > 0)
		timer_set(&e->timers, &r->timer, e->now + rest_of(e, r));
	else
		timer_clear(&e->timers, &r->timer);
}

static void
lower(struct route *r)
{
	if (r->penalty == 0)
		return;
	r->penalty--;
	r->lent = true;
}

void
route_enable(struct engine *e, struct route *r)
{
	if (!route_disabled(r))
		return;
	if (r->end == ROUTE_FAILED)
		lower(r);
	r->end = ROUTE_ENABLED;
	r->disabled_until = 0;
	r->validated = false;
	r->allowed = 1;
	r->row = 0;
	set_timer(e, r);
	e->ops->event(e->arg, ENGINE_ROUTE_USABLE, r, NULL, "");
}

void
route_on_timer(struct engine *e, struct route *r)
{
	if (route_disabled(r)) {
		route_enable(e, r);
	} else if (r->penalty > 0) {
		lower(r);
		set_timer(e, r);
		e->ops->event(e->arg, ENGINE_ROUTE_USABLE, r, NULL, "");
	}
	if (r->refs == 0 && r->penalty == 0)
		discard(e, r);
}

void
route_connects(struct engine *e, struct route *r)
{
	r->connect_at = e->now;
	r->host->last_connect = e->wall;
}

void
route_works(struct engine *e, struct route *r)
{
	unsigned cap = domain_limit(e, r->domain, CONF_LIMIT_ROUTE);
	bool first = !r->validated;

	if (route_disabled(r))
		return;
	r->validated = true;
	/* The host of `relay via` has agreed to take our mail. */
	r->allowed =
	    r->manner->by_mx && r->allowed < cap ? r->allowed + 1 : cap;
	r->host->failures = 0;
	if (first)
		e->ops->event(e->arg, ENGINE_ROUTE_WORKS, r, NULL, "");
}

static void
count(struct route *r, uint64_t second)
{
	uint64_t gap = second - r->rate_second;

	if (gap >= ROUTE_RATE_SECONDS)
		memset(r->rate, 0, sizeof(r->rate));
	else
		for (; gap > 0; gap--)
			r->rate[(r->rate_second + gap) % ROUTE_RATE_SECONDS] =
			    0;
	r->rate_second = second;
}

void
route_delivered(struct engine *e, struct route *r)
{
	count(r, e->now / 1000);
	r->rate[r->rate_second % ROUTE_RATE_SECONDS]++;
	r->delivered++;
	r->host->delivered++;
	if (r->penalty == 0 || route_disabled(r))
		return;
	r->penalty = 0;
	r->lent = false;
	set_timer(e, r);
	e->ops->event(e->arg, ENGINE_ROUTE_WORKS, r, NULL, "");
}

unsigned
route_recent(const struct route *r, uint64_t now)
{
	uint64_t second = now / 1000, back;
	unsigned sum = 0;

	for (back = 0; back < ROUTE_RATE_SECONDS; back++)
		if (second >= back && second - back <= r->rate_second &&
		    r->rate_second - (second - back) < ROUTE_RATE_SECONDS)
			sum += r->rate[(second - back) % ROUTE_RATE_SECONDS];
	return sum;
}

static void
hold(struct route *r, const struct engine_outcome *o)
{
	struct route_held *h = mem_zalloc(sizeof(*h));

	h->evpid = o->carry.evpid;
	h->arrived = o->arrived;
	h->result = o->carry.result;
	h->status = mem_strdup(o->carry.status);
	h->relay = mem_strdup(o->relay);
	STAILQ_INSERT_TAIL(&r->held, h, entry);
}

void
route_let_go(struct engine *e, struct route *r, bool step)
{
	char remote[HOST_LABEL_MAX];
	struct engine_outcome o = { 0 };
	struct route_held *h;

	host_label(r->host, r->name, remote);
	while ((h = STAILQ_FIRST(&r->held)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->held, entry);
		o.carry.evpid = h->evpid;
		o.carry.result = h->result;
		o.carry.status = h->status;
		o.carry.remote = remote;
		o.carry.step = step;
		o.arrived = h->arrived;
		o.relay = h->relay;
		engine_outcome(e, &o);
		free(h->status);
		free(h->relay);
		free(h);
	}
}

bool
route_rejected(struct engine *e, struct route *r, struct engine_outcome *o)
{
	char text[128];

	/* A permanent rejection is the answer for that recipient, and says
	 * nothing of the next. */
	if (o->carry.result != CARRY_LATER) {
		engine_outcome(e, o);
		return r->end == ROUTE_ASIDE;
	}
	r->row++;
	if (r->end == ROUTE_ASIDE) {
		o->carry.step = true;
		engine_outcome(e, o);
	} else {
		hold(r, o);
	}
	if (r->row < domain_limit(e, r->domain, CONF_LIMIT_REJECTS))
		return r->end == ROUTE_ASIDE;
	snprintf(text, sizeof(text),
	    "451 4.4.5 %u recipients were rejected in a row", r->row);
	route_aside(e, r, text);
	route_let_go(e, r, true);
	return true;
}

void
route_accepted(struct engine *e, struct route *r)
{
	r->row = 0;
	route_let_go(e, r, false);
}

void
route_flags(const struct route *r, char flags[5])
{
	flags[0] = r->validated ? '-' : 'N';
	flags[1] = route_disabled(r) ? 'D' : '-';
	flags[2] = r->timer.place != 0 ? 'Q' : '-';
	flags[3] = TAILQ_EMPTY(&r->idle) ? '-' : 'K';
	flags[4] = '\0';
}

const char *
route_name(const struct route *r, char dst[ROUTE_NAME_MAX])
{
	char label[HOST_LABEL_MAX];

	snprintf(dst, ROUTE_NAME_MAX, "%s -> %s", r->source->text,
	    host_label(r->host, r->name, label));
	return dst;
}

struct route *
route_by_id(const struct engine *e, uint32_t id)
{
	return id == 0 ? NULL : hmap_get(e->by_id, id);
}

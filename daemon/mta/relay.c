#include "daemon/mta/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mta/dane.h"
#include "daemon/mta/destination.h"
#include "daemon/mta/domain.h"
#include "daemon/mta/engine.h"
#include "lib/base/hmap.h"
#include "lib/base/mem.h"

#define RESTING_MAX 4096

static void
unlist(struct engine *e, struct relay *r)
{
	if (r->dirty)
		TAILQ_REMOVE(&e->dirty, r, entry);
	if (r->resting) {
		TAILQ_REMOVE(&e->resting, r, entry);
		e->nresting--;
		timer_clear(&e->timers, &r->timer);
	}
	r->dirty = r->resting = false;
}

void
relay_mark(struct engine *e, struct relay *r)
{
	if (r->dirty)
		return;
	unlist(e, r);
	r->dirty = true;
	TAILQ_INSERT_TAIL(&e->dirty, r, entry);
}

struct relay *
relay_marked(struct engine *e)
{
	struct relay *r = TAILQ_FIRST(&e->dirty);

	if (r != NULL)
		unlist(e, r);
	return r;
}

void
relay_wait(struct relay *r, struct waiting *w)
{
	if (r->waits == w)
		return;
	if (r->waits != NULL)
		TAILQ_REMOVE(&r->waits->line, r, waiting);
	r->waits = w;
	if (w != NULL)
		TAILQ_INSERT_TAIL(&w->line, r, waiting);
}

void
relay_wake(struct engine *e, struct waiting *w)
{
	struct relay *r = TAILQ_FIRST(&w->line);

	if (r == NULL)
		return;
	relay_wait(r, NULL);
	r->woken = w;
	relay_mark(e, r);
}

struct connector *
relay_connector(struct relay *r, const struct source *s)
{
	size_t i;

	for (i = 0; i < r->nconnectors; i++)
		if (r->connectors[i].source == s)
			return &r->connectors[i];
	return NULL;
}

static void
set_connectors(struct engine *e, struct relay *r)
{
	const struct manner *m = r->manner;
	struct source *s;
	size_t i;

	r->connectors = mem_zarray(m->nsources + 1, sizeof(*r->connectors));
	for (i = 0; i < m->nsources; i++) {
		s = source_get(e, m->sources[i]);
		if (s != NULL && relay_connector(r, s) == NULL)
			r->connectors[r->nconnectors++].source = s;
	}
	if (m->nsources == 0)
		r->connectors[r->nconnectors++].source =
		    source_get(e, SOURCE_ANY);
}

struct relay *
relay_get(
    struct engine *e, struct manner *m, struct domain *d, const char *text)
{
	uint64_t id[2] = { (uint64_t)(uintptr_t)m,
		hmap_hash(text, strlen(text)) };
	uint64_t key = hmap_hash(id, sizeof(id));
	struct relay *r;

	/* Two sets of one hash would be a wonder; they are kept apart. */
	while ((r = hmap_get(e->by_set, key)) != NULL &&
	    (r->manner != m || strcmp(r->text, text) != 0))
		key = key == UINT64_MAX ? 1 : key + 1;
	if (r != NULL)
		return r;
	r = mem_zalloc(sizeof(*r));
	r->timer.kind = TIMER_RELAY;
	r->key = key;
	r->text = mem_strdup(text);
	r->manner = manner_ref(m);
	r->domain = domain_get(e, d->name);
	TAILQ_INIT(&r->fresh);
	TAILQ_INIT(&r->tried);
	TAILQ_INIT(&r->destinations);
	set_connectors(e, r);
	hmap_put(e->by_set, key, r);
	TAILQ_INSERT_TAIL(&e->relays, r, all);
	return r;
}

void
relay_addresses_free(struct engine *e, struct relay_address *a, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		host_release(e->hosts, a[i].host);
		tlsa_unref(a[i].tlsa);
		free(a[i].name);
		free(a[i].trouble);
	}
	free(a);
}

static void
drop_routes(struct engine *e, struct relay *r)
{
	size_t i, k;

	r->pace = (struct pace){ 0 };
	for (i = 0; i < r->nconnectors; i++) {
		if (r->connectors[i].routes == NULL)
			continue;
		for (k = 0; k < r->n; k++)
			if (r->connectors[i].routes[k] != NULL)
				route_release(e, r->connectors[i].routes[k]);
		free(r->connectors[i].routes);
		r->connectors[i].routes = NULL;
	}
}

static bool
same_addresses(const struct relay *r, const struct relay_address *a, size_t n)
{
	size_t i;

	if (n != r->n)
		return false;
	for (i = 0; i < n; i++)
		if (a[i].host != r->addresses[i].host ||
		    a[i].preference != r->addresses[i].preference ||
		    strcmp(a[i].name, r->addresses[i].name) != 0)
			return false;
	return true;
}

void
relay_set_addresses(
    struct engine *e, struct relay *r, struct relay_address *a, size_t n)
{
	struct relay_address *old = r->addresses;
	struct connector *c;
	size_t nold = r->n, i, k;

	/* Routes are looked up again, so that new records reach them; the old
	 * list holds what it refers to until that is done. */
	if (same_addresses(r, a, n)) {
		for (i = 0; i < r->nconnectors; i++) {
			c = &r->connectors[i];
			for (k = 0; c->routes != NULL && k < n; k++)
				if (c->routes[k] != NULL) {
					tlsa_unref(c->routes[k]->tlsa);
					c->routes[k]->tlsa =
					    tlsa_ref(a[k].tlsa);
				}
		}
	} else {
		drop_routes(e, r);
		relay_wait(r, NULL);
		r->woken = NULL;
		relay_mark(e, r);
	}
	r->addresses = a;
	r->n = n;
	relay_addresses_free(e, old, nold);
}

struct route *
relay_route(struct engine *e, struct relay *r, struct connector *c,
    size_t address, bool make)
{
	const struct relay_address *a = &r->addresses[address];
	struct route *route;

	if (c->routes == NULL)
		c->routes = mem_zarray(r->n, sizeof(struct route *));
	if (c->routes[address] != NULL)
		return c->routes[address];
	route = route_find(e, r->manner, c->source, a->host, a->name);
	if (route == NULL && !make)
		return NULL;
	if (route == NULL)
		route = route_new(
		    e, r->manner, c->source, a->host, a->name, r->domain);
	else
		route->refs++;
	if (!tlsa_same(route->tlsa, a->tlsa)) {
		tlsa_unref(route->tlsa);
		route->tlsa = tlsa_ref(a->tlsa);
	}
	c->routes[address] = route;
	return route;
}

void
relay_attempted(struct relay *r, const char *status, const char *remote)
{
	r->attempted = status != NULL;
	if (status == NULL)
		return;
	free(r->failure);
	r->failure = mem_strdup(status);
	snprintf(r->remote, sizeof(r->remote), "%s", remote);
}

bool
relay_has(const struct relay *r, const struct route *route)
{
	size_t i, k;

	for (i = 0; i < r->nconnectors; i++) {
		if (r->connectors[i].source != route->source ||
		    r->connectors[i].routes == NULL)
			continue;
		for (k = 0; k < r->n; k++)
			if (r->connectors[i].routes[k] == route)
				return true;
	}
	return false;
}

void
relay_steer(struct engine *e, struct relay *r)
{
	const struct destination *d;
	const struct steering *s;

	r->steering = NULL;
	if (TAILQ_EMPTY(&e->steerings))
		return;
	TAILQ_FOREACH(d, &r->destinations, entry) {
		s = steering_find(&e->steerings, CARRY_RELAY, d->target.key);
		if (steering_holds(s, e->wall)) {
			r->steering = s;
			return;
		}
	}
}

void
relay_add(struct engine *e, struct relay *r, struct destination *d)
{
	if (d->relay == r)
		return;
	unlist(e, r); /* first: one that rests may be freed for another */
	if (d->relay != NULL)
		relay_remove(e, d->relay, d);
	d->relay = r;
	r->ndestinations++;
	TAILQ_INSERT_TAIL(&r->destinations, d, entry);
	if (!steering_holds(r->steering, e->wall))
		r->steering =
		    steering_find(&e->steerings, CARRY_RELAY, d->target.key);
}

void
relay_remove(struct engine *e, struct relay *r, struct destination *d)
{
	TAILQ_REMOVE(&r->destinations, d, entry);
	r->ndestinations--;
	d->relay = NULL;
	if (r->steering != NULL)
		relay_steer(e, r);
	relay_rest(e, r);
}

static uint64_t
growing_key(const struct relay *r, uint64_t msgid)
{
	uint64_t id[2] = { (uint64_t)(uintptr_t)r, msgid };

	return hmap_hash(id, sizeof(id));
}

/* Its recipients join one of the same message and sender that waits, as far
 * as there is room. */
static bool
join(struct engine *e, struct relay *r, struct transaction *t)
{
	struct transaction *to = hmap_get(e->growing, growing_key(r, t->msgid));
	unsigned most = domain_limit(e, r->domain, CONF_LIMIT_RECIPIENTS);
	unsigned i;

	if (to == NULL || to->relay != r || to->msgid != t->msgid ||
	    strcmp(to->sender, t->sender) != 0 || to->choice != t->choice ||
	    to->nth != t->nth || to->tried != t->tried || to->n + t->n > most ||
	    to->n + t->n > TRANSACTION_RCPTS)
		return false;
	for (i = 0; i < t->n; i++)
		transaction_add(to, t->rcpts[i].evpid, t->rcpts[i].address,
		    t->rcpts[i].arrived);
	engine_drop(e, t);
	return true;
}

static struct relay_queue *
queue_of(struct relay *r, const struct transaction *t)
{
	return t->tried ? &r->tried : &r->fresh;
}

void
relay_put(struct engine *e, struct relay *r, struct transaction *t)
{
	t->relay = r;
	relay_mark(e, r);
	if (join(e, r, t))
		return;
	TAILQ_INSERT_TAIL(queue_of(r, t), t, entry);
	r->queued++;
	e->counts.waiting++;
	hmap_put(e->growing, growing_key(r, t->msgid), t);
}

void
relay_put_back(struct engine *e, struct relay *r, struct transaction *t)
{
	t->relay = r;
	relay_mark(e, r);
	TAILQ_INSERT_HEAD(queue_of(r, t), t, entry);
	r->queued++;
	e->counts.waiting++;
}

struct transaction *
relay_first(const struct engine *e, const struct relay *r, unsigned row)
{
	struct transaction *tried = TAILQ_FIRST(&r->tried);
	struct transaction *fresh = TAILQ_FIRST(&r->fresh);

	if (tried == NULL || fresh == NULL)
		return tried == NULL ? fresh : tried;
	if (row == 0)
		return r->tried_next ? tried : fresh;
	return row * 2 < domain_limit(e, r->domain, CONF_LIMIT_REJECTS) ? fresh
									: tried;
}

struct transaction *
relay_take(struct engine *e, struct relay *r, unsigned row)
{
	struct transaction *t = relay_first(e, r, row);
	uint64_t key;

	if (t == NULL)
		return NULL;
	r->tried_next = !t->tried;
	TAILQ_REMOVE(queue_of(r, t), t, entry);
	r->queued--;
	e->counts.waiting--;
	/* It grows no more. */
	key = growing_key(r, t->msgid);
	if (hmap_get(e->growing, key) == t)
		hmap_del(e->growing, key);
	return t;
}

void
relay_free(struct engine *e, struct relay *r)
{
	struct destination *d;

	while ((d = TAILQ_FIRST(&r->destinations)) != NULL) {
		TAILQ_REMOVE(&r->destinations, d, entry);
		d->relay = NULL;
	}
	relay_wait(r, NULL);
	unlist(e, r);
	timer_clear(&e->timers, &r->timer);
	drop_routes(e, r);
	relay_addresses_free(e, r->addresses, r->n);
	while (r->nconnectors > 0)
		free(r->connectors[--r->nconnectors].error);
	free(r->connectors);
	hmap_del(e->by_set, r->key);
	TAILQ_REMOVE(&e->relays, r, all);
	domain_release(e, r->domain);
	manner_unref(r->manner);
	free(r->text);
	free(r->failure);
	free(r);
}

void
relay_rest(struct engine *e, struct relay *r)
{
	if (r->resting || r->queued > 0 || r->bound > 0)
		return;
	relay_wait(r, NULL);
	unlist(e, r);
	r->pace = (struct pace){ 0 };
	r->resting = true;
	TAILQ_INSERT_TAIL(&e->resting, r, entry);
	timer_set(&e->timers, &r->timer, e->now + RELAY_KEPT_MS);
	if (++e->nresting > RESTING_MAX)
		relay_free(e, TAILQ_FIRST(&e->resting));
}

void
relay_on_timer(struct engine *e, struct relay *r)
{
	if (r->resting)
		relay_free(e, r);
	else
		relay_mark(e, r);
}

const char *
relay_name(const struct relay *r, char dst[TARGET_KEY_MAX])
{
	const struct destination *d = TAILQ_FIRST(&r->destinations);

	snprintf(dst, TARGET_KEY_MAX, "%s",
	    d == NULL ? r->domain->name : d->target.key);
	return dst;
}

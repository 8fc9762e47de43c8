#include "daemon/mta/pace.h"

#include <stdio.h>
#include <string.h>

#include "daemon/mta/domain.h"
#include "daemon/mta/engine.h"
#include "lib/base/text.h"

static const char *const words[PACE_KINDS] = {
	[PACE_FREE] = "",
	[PACE_ROUTE_NEW] = "route-new",
	[PACE_ROUTE_GROWS] = "route-grows",
	[PACE_ROUTE] = "max-connections-per-route",
	[PACE_HOST] = "max-connections-per-host",
	[PACE_SOURCE] = "max-connections-per-source",
	[PACE_RELAY] = "max-connections-per-relay",
	[PACE_DOMAIN] = "max-connections-per-domain",
	[PACE_TOTAL] = "connections",
	[PACE_ROUTE_DELAY] = "route-delay",
	[PACE_DISCONNECT_DELAY] = "disconnect-delay",
	[PACE_RELAY_DELAY] = "relay-delay",
	[PACE_OPENING] = "connecting",
	[PACE_DISABLED] = "penalty",
	[PACE_ASIDE] = "put-aside",
	[PACE_ROUTE_PAUSED] = "route-paused",
	[PACE_SOURCE_PAUSED] = "source-paused",
	[PACE_RELAY_PAUSED] = "relay-paused",
	[PACE_SKIPPED] = "host-skipped",
	[PACE_BAD_SOURCE] = "bad-source",
	[PACE_TROUBLE] = "dane",
	[PACE_FAMILY] = "address-family",
	[PACE_NOWHERE] = "no-host",
};

bool
pace_is_limit(enum pace_kind kind)
{
	return kind > PACE_FREE && kind < PACE_DISABLED;
}

const char *
pace_word(enum pace_kind kind)
{
	return words[kind];
}

uint64_t
pace_pause_end(const struct engine *e, const struct steering *s)
{
	return s->until == 0 ? UINT64_MAX
			     : e->now + (uint64_t)(s->until - e->wall) * 1000;
}

static struct pace
paused(const struct engine *e, enum pace_kind kind, const struct steering *s)
{
	return (struct pace){ .kind = kind, .at = pace_pause_end(e, s) };
}

struct pace
pace_relay(const struct engine *e, const struct relay *r)
{
	struct domain *d = r->domain;

	if (steering_holds(r->steering, e->wall))
		return paused(e, PACE_RELAY_PAUSED, r->steering);
	if (r->bound >= domain_limit(e, d, CONF_LIMIT_RELAY))
		return (struct pace){ .kind = PACE_RELAY };
	if (d->connections >= domain_limit(e, d, CONF_LIMIT_DOMAIN))
		return (
		    struct pace){ .kind = PACE_DOMAIN, .line = &d->waiting };
	if (e->counts.connections >= e->most)
		return (struct pace){ .kind = PACE_TOTAL,
			.line = (struct waiting *)&e->waiting };
	return (struct pace){ .kind = PACE_FREE };
}

/* A gap that has not passed yet. */
static bool
gap(const struct engine *e, struct domain *d, enum conf_limit_key key,
    uint64_t since, uint64_t *at)
{
	if (since == 0)
		return false;
	*at = since + (uint64_t)domain_limit(e, d, key) * 1000;
	return *at > e->now;
}

/* What the route itself allows. */
static struct pace
by_route(
    const struct engine *e, const struct relay *r, const struct route *route)
{
	struct pace p = { .kind = PACE_FREE, .line = &route->host->waiting };

	if (steering_holds(route->steering, e->wall))
		return paused(e, PACE_ROUTE_PAUSED, route->steering);
	if (route_disabled(route)) {
		p.kind = route->end == ROUTE_ASIDE ? PACE_ASIDE : PACE_DISABLED;
		p.at = route->disabled_until;
		return p;
	}
	if (!TAILQ_EMPTY(&route->idle))
		return p;
	if (route->connections >= domain_limit(e, r->domain, CONF_LIMIT_ROUTE))
		p.kind = PACE_ROUTE;
	else if (!route->validated && route->connections > 0)
		p.kind = PACE_ROUTE_NEW;
	else if (route->connections >= route->allowed)
		p.kind = PACE_ROUTE_GROWS;
	if (p.kind != PACE_FREE || (route->validated && route->penalty == 0))
		return p;
	if (gap(e, r->domain, CONF_LIMIT_ROUTE_DELAY, route->connect_at, &p.at))
		p.kind = PACE_ROUTE_DELAY;
	else if (gap(e, r->domain, CONF_LIMIT_DISCONNECT_DELAY,
		     route->disconnect_at, &p.at))
		p.kind = PACE_DISCONNECT_DELAY;
	else
		p.at = 0;
	return p;
}

/* What its ends allow, whatever the route. */
static struct pace
by_ends(const struct engine *e, const struct relay *r,
    const struct connector *c, struct host *h, bool proven)
{
	struct pace p = { .kind = PACE_FREE };

	if (h->connections >= domain_limit(e, r->domain, CONF_LIMIT_HOST)) {
		p.kind = PACE_HOST;
		p.line = &h->waiting;
	} else if (c->source->connections >=
	    domain_limit(e, r->domain, CONF_LIMIT_SOURCE)) {
		p.kind = PACE_SOURCE;
		p.line = &c->source->waiting;
	} else if (!proven && r->manner->by_mx && !r->proven &&
	    gap(e, r->domain, CONF_LIMIT_RELAY_DELAY, r->connect_at, &p.at)) {
		p.kind = PACE_RELAY_DELAY;
	} else {
		p.at = 0;
	}
	return p;
}

static struct pace
by_state(const struct engine *e, const struct connector *c,
    const struct relay_address *a)
{
	struct pace p = { .kind = PACE_FREE, .at = UINT64_MAX };

	if (c->source->addrlen > 0 &&
	    c->source->addr.ss_family != a->host->addr.ss_family) {
		p.kind = PACE_FAMILY;
	} else if (a->trouble != NULL) {
		p.kind = PACE_TROUBLE;
	} else if (steering_holds(c->source->steering, e->wall)) {
		p = paused(e, PACE_SOURCE_PAUSED, c->source->steering);
	} else if (c->bad_until > e->now) {
		p.kind = PACE_BAD_SOURCE;
		p.at = c->bad_until;
	} else if (a->host->skip_until > e->now &&
	    a->host->skip_source == c->source) {
		p.kind = PACE_SKIPPED;
		p.at = a->host->skip_until;
	}
	return p;
}

/* A route that was never used may be paused all the same: then it is made, to
 * be named. */
static const struct route *
route_of(struct engine *e, struct relay *r, struct connector *c, size_t i)
{
	const struct relay_address *a = &r->addresses[i];
	const struct route *route = relay_route(e, r, c, i, false);
	char name[ROUTE_NAME_MAX], label[HOST_LABEL_MAX];

	if (route != NULL || TAILQ_EMPTY(&e->steerings))
		return route;
	snprintf(name, sizeof(name), "%s -> %s", c->source->text,
	    host_label(a->host, a->name, label));
	if (steering_find(&e->steerings, CARRY_ROUTE, name) != NULL)
		route = relay_route(e, r, c, i, true);
	return route;
}

struct pace
pace_route(
    struct engine *e, struct relay *r, struct connector *c, size_t address)
{
	const struct relay_address *a = &r->addresses[address];
	const struct route *route = route_of(e, r, c, address);
	bool proven = route != NULL && route->validated && route->penalty == 0;
	struct pace p = by_state(e, c, a);

	if (p.kind == PACE_FREE && route != NULL)
		p = by_route(e, r, route);
	if (p.kind == PACE_FREE && (route == NULL || TAILQ_EMPTY(&route->idle)))
		p = by_ends(e, r, c, a->host, proven);
	p.route = route;
	p.connector = c;
	p.host = a->host;
	return p;
}

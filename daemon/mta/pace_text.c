#include <assert.h>
#include <stdio.h>

#include "daemon/mta/domain.h"
#include "daemon/mta/engine.h"
#include "daemon/mta/pace.h"
#include "lib/base/text.h"

/* What each says, with who, a number or a time, and why. */
static const char *const sentences[PACE_KINDS] = {
	[PACE_ROUTE_NEW] = "%s is new: one connection until a session works",
	[PACE_ROUTE_GROWS] = "%s may get one connection more once another "
			     "session works",
	[PACE_ROUTE] = "%s has its %u connections (max-connections-per-route)",
	[PACE_HOST] = "host %s has its %u connections "
		      "(max-connections-per-host)",
	[PACE_SOURCE] = "source %s has its %u connections "
			"(max-connections-per-source)",
	[PACE_RELAY] = "relay %s has its %u connections "
		       "(max-connections-per-relay)",
	[PACE_DOMAIN] = "domain %s has its %u connections "
			"(max-connections-per-domain)",
	[PACE_TOTAL] = "%s: all %u connections are in use",
	[PACE_ROUTE_DELAY] = "%s gets its next connection in %us "
			     "(route-delay)",
	[PACE_DISCONNECT_DELAY] = "%s gets its next connection in %us "
				  "(disconnect-delay)",
	[PACE_RELAY_DELAY] = "relay %s gets its next connection in %us "
			     "(relay-delay)",
	[PACE_OPENING] = "relay %s waits for %u connections being set up",
	[PACE_DISABLED] = "%s is disabled until %s after: %s",
	[PACE_ASIDE] = "%s is put aside until %s after: %s",
	[PACE_ROUTE_PAUSED] = "%s is paused until %s: %s",
	[PACE_SOURCE_PAUSED] = "source %s is paused until %s: %s",
	[PACE_RELAY_PAUSED] = "relay %s is paused until %s: %s",
	[PACE_SKIPPED] = "host %s is left alone until %s after: %s",
	[PACE_BAD_SOURCE] = "source %s cannot be used until %s: %s",
	[PACE_TROUBLE] = "host %s must not be used until %s: %s",
	[PACE_FAMILY] = "source %s has no address of the family of the hosts",
	[PACE_NOWHERE] = "relay %s has no host",
};

static const enum conf_limit_key caps[PACE_KINDS] = {
	[PACE_ROUTE] = CONF_LIMIT_ROUTE,
	[PACE_HOST] = CONF_LIMIT_HOST,
	[PACE_SOURCE] = CONF_LIMIT_SOURCE,
	[PACE_RELAY] = CONF_LIMIT_RELAY,
	[PACE_DOMAIN] = CONF_LIMIT_DOMAIN,
};

static const char *
who(const struct relay *r, const struct pace *p, char dst[ROUTE_NAME_MAX + 32])
{
	char name[ROUTE_NAME_MAX];

	switch (p->kind) {
	case PACE_HOST:
	case PACE_SKIPPED:
	case PACE_TROUBLE:
		return p->host->label;
	case PACE_SOURCE:
	case PACE_SOURCE_PAUSED:
	case PACE_BAD_SOURCE:
	case PACE_FAMILY:
		return p->connector->source->text;
	case PACE_DOMAIN:
		return r->domain->name;
	case PACE_RELAY:
	case PACE_TOTAL:
	case PACE_RELAY_DELAY:
	case PACE_RELAY_PAUSED:
	case PACE_OPENING:
	case PACE_NOWHERE:
		return relay_name(r, dst);
	default:
		assert(p->route != NULL);
		snprintf(dst, ROUTE_NAME_MAX + 32, "route r%u (%s)",
		    p->route->id, route_name(p->route, name));
		return dst;
	}
}

/* It may have ended since. */
static const char *
reason(const struct steering *s)
{
	return s == NULL ? "it was resumed" : s->reason;
}

static const char *
why(const struct relay *r, const struct pace *p)
{
	const char *text = NULL;
	size_t i;

	switch (p->kind) {
	case PACE_ROUTE_PAUSED:
		return reason(p->route->steering);
	case PACE_SOURCE_PAUSED:
		return reason(p->connector->source->steering);
	case PACE_RELAY_PAUSED:
		return reason(r->steering);
	case PACE_BAD_SOURCE:
		text = p->connector->error;
		break;
	case PACE_SKIPPED:
		text = p->host->error;
		break;
	case PACE_TROUBLE:
		for (i = 0; i < r->n; i++)
			if (r->addresses[i].host == p->host)
				text = r->addresses[i].trouble;
		break;
	default:
		text = p->route != NULL ? p->route->error : NULL;
	}
	return text == NULL ? "an error that is not known" : text;
}

static const char *
until(const struct engine *e, uint64_t at, char dst[TEXT_TIME_MAX])
{
	if (at == UINT64_MAX) {
		snprintf(dst, TEXT_TIME_MAX, "further notice");
		return dst;
	}
	return text_time(dst, engine_wall_at(e, at));
}

const char *
pace_text(const struct engine *e, const struct relay *r, const struct pace *p,
    char dst[PACE_TEXT_MAX])
{
	char name[ROUTE_NAME_MAX + 32], time[TEXT_TIME_MAX];
	const char *sentence = sentences[p->kind];
	unsigned n = 0;

	dst[0] = '\0';
	if (sentence == NULL)
		return dst;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (p->kind >= PACE_DISABLED) {
		snprintf(dst, PACE_TEXT_MAX, sentence, who(r, p, name),
		    until(e, p->at, time), why(r, p));
		return dst;
	}
	if (caps[p->kind] != 0 || p->kind == PACE_HOST)
		n = domain_limit(e, r->domain, caps[p->kind]);
	else if (p->kind == PACE_TOTAL)
		n = e->most;
	else if (p->kind == PACE_OPENING)
		n = r->opening;
	else if (p->at > e->now)
		n = (unsigned)((p->at - e->now + 999) / 1000);
	snprintf(dst, PACE_TEXT_MAX, sentence, who(r, p, name), n);
#pragma GCC diagnostic pop
	return dst;
}

const char *
pace_route_text(
    const struct engine *e, const struct route *r, char dst[PACE_TEXT_MAX])
{
	const struct connector source = { .source = r->source };
	struct pace p = { .route = r, .connector = &source, .host = r->host };
	struct relay none = { .domain = r->domain };

	TAILQ_INIT(&none.destinations);
	if (steering_holds(r->steering, e->wall)) {
		p.kind = PACE_ROUTE_PAUSED;
		p.at = pace_pause_end(e, r->steering);
	} else if (steering_holds(r->source->steering, e->wall)) {
		p.kind = PACE_SOURCE_PAUSED;
		p.at = pace_pause_end(e, r->source->steering);
	} else if (route_disabled(r)) {
		p.kind = r->end == ROUTE_ASIDE ? PACE_ASIDE : PACE_DISABLED;
		p.at = r->disabled_until;
	} else if (r->host->skip_until > e->now &&
	    r->host->skip_source == r->source) {
		p.kind = PACE_SKIPPED;
		p.at = r->host->skip_until;
	} else if (r->connections >=
	    domain_limit(e, r->domain, CONF_LIMIT_ROUTE)) {
		p.kind = PACE_ROUTE;
	} else if (r->host->connections >=
	    domain_limit(e, r->domain, CONF_LIMIT_HOST)) {
		p.kind = PACE_HOST;
	} else if (!r->validated && r->connections > 0) {
		p.kind = PACE_ROUTE_NEW;
	} else if (r->connections > 0 && r->connections >= r->allowed) {
		p.kind = PACE_ROUTE_GROWS;
	}
	return pace_text(e, &none, &p, dst);
}

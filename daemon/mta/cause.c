#include "daemon/mta/cause.h"

#include <stdio.h>
#include <string.h>

#include "daemon/mta/destination.h"
#include "daemon/mta/domain.h"
#include "daemon/mta/engine.h"
#include "daemon/mta/pick.h"
#include "lib/base/text.h"

static const char *const unresolved[NAME_STATUSES] = {
	[NAME_FOUND] = "mail-loop", /* all of its hosts are ourselves */
	[NAME_TEMPORARY] = "dns-failure",
	[NAME_NONE] = "no-such-domain",
	[NAME_NULL_MX] = "null-mx",
};

static const char *
word_of(const struct pace *p)
{
	const char *error =
	    p->route != NULL && p->route->error != NULL ? p->route->error : "";

	if (pace_is_limit(p->kind))
		return "limit";
	switch (p->kind) {
	case PACE_DISABLED:
		/* What is said where TLS is a must and fails (conn.c). */
		return strncmp(error, "451 4.7.", 8) == 0 &&
			strstr(error, "TLS") != NULL
		    ? "tls-policy"
		    : "route-penalty";
	case PACE_ASIDE:
		return "route-aside";
	case PACE_ROUTE_PAUSED:
	case PACE_SOURCE_PAUSED:
	case PACE_RELAY_PAUSED:
		return "paused";
	case PACE_TROUBLE:
		return "tls-policy";
	default:
		return pace_word(p->kind);
	}
}

/* The host's own 4xx, and not what we say when a connection fails. */
static bool
put_off_by_host(const struct domain *d)
{
	return d != NULL && d->last != 0 && d->status[0] == '4' &&
	    strncmp(d->status, "451 4.4.", 8) != 0 &&
	    strncmp(d->status, "451 4.3.", 8) != 0 &&
	    strncmp(d->status, "451 4.7.4 ", 10) != 0 &&
	    strncmp(d->status, "451 4.7.5 ", 10) != 0;
}

static void
ready(const struct engine *e, const struct relay *r, const struct pick *pick,
    const struct domain *last, struct cause *c)
{
	const struct connector *k = pick->connector;
	const struct route *route = k->routes[pick->address];
	const struct relay_address *a = &r->addresses[pick->address];
	char way[ROUTE_NAME_MAX + 32], name[ROUTE_NAME_MAX],
	    label[HOST_LABEL_MAX], span[TEXT_SPAN_MAX];

	if (route != NULL)
		snprintf(way, sizeof(way), "route r%u (%s)", route->id,
		    route_name(route, name));
	else
		snprintf(way, sizeof(way), "a new route, %s -> %s",
		    k->source->text, host_label(a->host, a->name, label));
	if (!put_off_by_host(last)) {
		c->word = "ready";
		snprintf(c->text, sizeof(c->text),
		    "mail for it would go at once, by %s%s", way,
		    pick->idle != NULL ? ", over a session that is open" : "");
		return;
	}
	c->word = "greylisting";
	snprintf(c->text, sizeof(c->text),
	    "its host puts mail off, as hosts that greylist do: %s, %s ago; "
	    "new mail would be tried at once, by %s, and what was put off is "
	    "tried at its own times, see why",
	    last->status, text_span(span, e->wall - last->last), way);
}

void
cause_find(struct engine *e, struct destination *d, const struct domain *last,
    struct cause *c)
{
	struct relay *r = d->relay;
	struct pick pick = { 0 };

	c->until = 0;
	if (r == NULL && d->asking) {
		c->word = "dns";
		snprintf(c->text, sizeof(c->text),
		    "the DNS has been asked for the hosts of %s, and has not "
		    "answered yet",
		    d->target.name);
		return;
	}
	if (r == NULL) {
		c->word = unresolved[d->status];
		snprintf(c->text, sizeof(c->text), "%s",
		    d->text != NULL ? d->text : "the DNS was not asked yet");
		return;
	}
	pick.pace = pace_relay(e, r);
	if (pick.pace.kind == PACE_FREE)
		pick = pick_route(e, r);
	if (pick.pace.kind == PACE_FREE) {
		ready(e, r, &pick, last, c);
		return;
	}
	c->word = word_of(&pick.pace);
	pace_text(e, r, &pick.pace, c->text);
	if (pick.pace.at > e->now && pick.pace.at != UINT64_MAX)
		c->until = engine_wall_at(e, pick.pace.at);
}

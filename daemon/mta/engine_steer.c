#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/mta/destination.h"
#include "daemon/mta/engine.h"
#include "lib/base/hmap.h"
#include "lib/base/text.h"

/* r12, or a name as printed. */
static struct route *
find_route(const struct engine *e, const char *name)
{
	char text[ROUTE_NAME_MAX];
	struct route *r;
	uint64_t id;

	if (name[0] == 'r' && text_number(name + 1, UINT32_MAX, &id))
		return route_by_id(e, (uint32_t)id);
	TAILQ_FOREACH(r, &e->routes, entry)
		if (strcasecmp(route_name(r, text), name) == 0)
			return r;
	return NULL;
}

/* Sessions that rest on what is paused end. */
static void
end_idle(struct engine *e)
{
	struct link *l, *next;

	for (l = TAILQ_FIRST(&e->idle); l != NULL; l = next) {
		next = TAILQ_NEXT(l, of_idle);
		if (steering_holds(l->route->steering, e->wall) ||
		    steering_holds(l->route->source->steering, e->wall))
			link_quit(l);
	}
}

static bool
steer_routes(struct engine *e, const char *name, const struct steering *s)
{
	char text[ROUTE_NAME_MAX];
	struct route *r;
	bool any = false;

	TAILQ_FOREACH(r, &e->routes, entry) {
		if (strcasecmp(route_name(r, text), name) != 0)
			continue;
		any = true;
		r->steering = s;
		e->ops->event(e->arg,
		    s != NULL ? ENGINE_ROUTE_PAUSED : ENGINE_ROUTE_RESUMED, r,
		    NULL, s != NULL ? s->reason : "");
	}
	return any;
}

static bool
steer_relays(struct engine *e, const char *name)
{
	struct destination *d;
	bool any = false;

	TAILQ_FOREACH(d, &e->destinations, all) {
		if (d->relay == NULL || strcasecmp(d->target.key, name) != 0)
			continue;
		any = true;
		relay_steer(e, d->relay);
	}
	return any;
}

static bool
steer(struct engine *e, enum carry_part part, const char *name,
    const struct steering *s)
{
	struct source *source;
	struct relay *r;
	bool any = false;

	switch (part) {
	case CARRY_ROUTE:
		any = steer_routes(e, name, s);
		break;
	case CARRY_SOURCE:
		source = source_get(e, name);
		if (source != NULL)
			source->steering = s;
		any = source != NULL;
		break;
	case CARRY_RELAY:
		any = steer_relays(e, name);
		break;
	default:
		break;
	}
	TAILQ_FOREACH(r, &e->relays, all)
		if (r->queued > 0)
			relay_mark(e, r);
	return any;
}

bool
engine_pause(struct engine *e, enum carry_part part, const char *name,
    int64_t until, uint32_t uid, const char *reason)
{
	char text[ROUTE_NAME_MAX];
	struct steering *s;
	struct route *r;
	bool any;

	if (part == CARRY_ROUTE && (r = find_route(e, name)) != NULL)
		name = route_name(r, text);
	s = steering_put(&e->steerings, part, name, until, uid, reason);
	any = steer(e, part, s->name, s);
	end_idle(e);
	return any;
}

bool
engine_resume(struct engine *e, enum carry_part part, const char *name)
{
	char text[ROUTE_NAME_MAX];
	struct steering *s;
	struct route *r;

	if (part == CARRY_ROUTE && (r = find_route(e, name)) != NULL)
		name = route_name(r, text);
	s = steering_find(&e->steerings, part, name);
	if (s == NULL)
		return false;
	steering_drop(&e->steerings, s);
	steer(e, part, name, NULL);
	return true;
}

unsigned
engine_enable_all(struct engine *e)
{
	struct route *r, *next;
	struct relay *relay;
	unsigned n = 0;
	size_t i;

	for (r = TAILQ_FIRST(&e->routes); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		r->host->skip_until = 0;
		r->connect_at = r->disconnect_at = 0;
		if (!route_disabled(r))
			continue;
		n++;
		route_enable(e, r);
	}
	TAILQ_FOREACH(relay, &e->relays, all) {
		for (i = 0; i < relay->nconnectors; i++)
			relay->connectors[i].bad_until = 0;
		relay->connect_at = 0;
		if (relay->queued > 0)
			relay_mark(e, relay);
	}
	return n;
}

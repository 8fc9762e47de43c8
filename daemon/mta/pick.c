#include "daemon/mta/pick.h"

#include "daemon/mta/engine.h"

struct place {
	struct connector *connector;
	size_t address;
	struct link *idle;
	unsigned connections;
	uint64_t connect_at;
};

static struct place
place_of(struct engine *e, struct relay *r, struct connector *c, size_t i)
{
	struct place p = { .connector = c, .address = i };
	const struct route *route = relay_route(e, r, c, i, false);

	if (route != NULL) {
		p.idle = TAILQ_FIRST(&route->idle);
		p.connections = route->connections;
		p.connect_at = route->connect_at;
	}
	return p;
}

static bool
better(const struct place *a, const struct place *b)
{
	if ((a->idle == NULL) != (b->idle == NULL))
		return a->idle != NULL;
	if (a->connections != b->connections)
		return a->connections < b->connections;
	if (a->connector->used != b->connector->used)
		return a->connector->used < b->connector->used;
	return a->connect_at < b->connect_at;
}

/* Of two reasons not to go: waits for an event by the first that came, but
 * looks again at the earliest time of any. */
static void
merge(struct pace *to, const struct pace *p, bool first)
{
	uint64_t at = to->at;

	if (first || (to->at > 0 && p->at < to->at))
		*to = *p;
	if (!first && p->at == 0 && at > 0)
		to->at = at;
	if (!first && p->at > 0 && to->at == 0)
		to->at = p->at;
}

struct pick
pick_route(struct engine *e, struct relay *r)
{
	struct pick pick = { .pace = {
				 .kind = PACE_NOWHERE, .at = UINT64_MAX } };
	struct place best = { 0 }, place;
	struct pace limit = { 0 }, p;
	bool found = false, limited = false, unusable = false;
	size_t i, k;

	for (i = 0; i < r->n; i++) {
		if (i > 0 && (found || limited) &&
		    r->addresses[i].preference !=
			r->addresses[i - 1].preference)
			break;
		for (k = 0; k < r->nconnectors; k++) {
			p = pace_route(e, r, &r->connectors[k], i);
			if (p.kind == PACE_FREE) {
				place = place_of(e, r, &r->connectors[k], i);
				if (!found || better(&place, &best))
					best = place;
				found = true;
			} else if (pace_is_limit(p.kind)) {
				merge(&limit, &p, !limited);
				limited = true;
			} else if (p.kind != PACE_FAMILY || !unusable) {
				/* The one that may be used first is named. */
				if (!unusable || p.at < pick.pace.at ||
				    pick.pace.kind == PACE_FAMILY)
					pick.pace = p;
				unusable = true;
			}
		}
	}
	if (!found && !limited)
		return pick;
	pick.pace = limit;
	if (found) {
		pick.pace = (struct pace){ .kind = PACE_FREE };
		pick.connector = best.connector;
		pick.address = best.address;
		pick.idle = best.idle;
	}
	return pick;
}

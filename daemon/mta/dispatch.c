#include "daemon/mta/dispatch.h"

#include <stdio.h>

#include "daemon/mta/engine.h"
#include "daemon/mta/pick.h"

#define LOOK_AGAIN_MS 30000u /* at what waits for an event: limits change */
#define DELAY_MOST 86400u /* seconds */
#define STATUS_MAX (PACE_TEXT_MAX + 16)

/* A session that rests makes room for one that a limit denies. */
static void
make_room(struct engine *e, const struct relay *r, const struct pace *p)
{
	struct link *l;

	TAILQ_FOREACH(l, &e->idle, of_idle) {
		if (p->kind == PACE_TOTAL ||
		    (p->kind == PACE_RELAY && l->relay == r) ||
		    (p->kind == PACE_DOMAIN && l->domain == r->domain) ||
		    (p->kind == PACE_SOURCE &&
			l->route->source == p->connector->source) ||
		    (p->kind == PACE_HOST && l->route->host == p->host)) {
			link_quit(l);
			return;
		}
	}
}

static uint32_t
delay_of(const struct engine *e, const struct pace *p)
{
	uint64_t s;

	if (p->at == UINT64_MAX || p->at <= e->now)
		return p->at == UINT64_MAX ? ENGINE_PAUSED_S : 1;
	/* Rather a moment early: it is waited for here. */
	s = (p->at - e->now) / 1000;
	if (s < 1)
		return 1;
	return s < DELAY_MOST ? (uint32_t)s : DELAY_MOST;
}

/* What time will not mend counts as an attempt, or it would go on for ever. */
static bool
is_attempt(const struct relay *r, const struct pace *p)
{
	return r->attempted || p->kind == PACE_TROUBLE ||
	    p->kind == PACE_FAMILY || p->kind == PACE_NOWHERE;
}

static void
give_back(struct engine *e, struct relay *r, const struct pace *p)
{
	char text[PACE_TEXT_MAX], status[STATUS_MAX], name[TARGET_KEY_MAX];
	struct carry_outcome o = { .remote = "", .destination = true };
	struct transaction *t;
	int i;

	pace_text(e, r, p, text);
	snprintf(status, sizeof(status), "451 4.4.1 %s", text);
	o.status = status;
	o.result = CARRY_UNTRIED;
	o.delay = delay_of(e, p);
	if (is_attempt(r, p)) {
		o.result = CARRY_LATER;
		o.delay = 0;
		if (r->attempted) {
			o.status = r->failure;
			o.remote = r->remote;
		}
	}
	relay_name(r, name);
	for (i = 0; i < ENGINE_TURN; i++) {
		t = relay_take(e, r, 0);
		if (t == NULL)
			break;
		if (!engine_next(e, t))
			engine_settle(e, t, &o, name);
	}
	if (r->queued > 0)
		relay_mark(e, r);
	else
		relay_attempted(r, NULL, "");
}

/* It comes soon enough, or there are sessions that carry its mail on. */
static bool
is_soon(const struct engine *e, const struct relay *r, const struct pace *p)
{
	if (p->at != 0 && p->at <= e->now + ENGINE_SOON_MS)
		return pace_is_limit(p->kind) || !r->attempted;
	return pace_is_limit(p->kind) && (p->at == 0 || r->bound > 0);
}

static void
stay(struct engine *e, struct relay *r, const struct pace *p)
{
	uint64_t at = p->at == 0 ? e->now + LOOK_AGAIN_MS : p->at;

	r->pace = *p;
	if (!is_soon(e, r, p)) {
		give_back(e, r, p);
		return;
	}
	make_room(e, r, p);
	relay_wait(r, p->line);
	timer_set(&e->timers, &r->timer, at > e->now ? at : e->now + 1);
}

/* One session more; false: that cannot be now. */
static bool
serve(struct engine *e, struct relay *r)
{
	struct pick pick;
	struct pace p;

	if (steering_holds(r->steering, e->wall)) {
		p = pace_relay(e, r);
		stay(e, r, &p);
		return false;
	}
	pick = pick_route(e, r);
	if (pick.pace.kind != PACE_FREE) {
		stay(e, r, &pick.pace);
		return false;
	}
	if (pick.idle != NULL) {
		link_carry(pick.idle, r);
		return true;
	}
	p = pace_relay(e, r);
	if (p.kind != PACE_FREE) {
		stay(e, r, &p);
		return false;
	}
	link_open(e, r, pick.connector,
	    relay_route(e, r, pick.connector, pick.address, true));
	return true;
}

void
dispatch_relay(struct engine *e, struct relay *r)
{
	struct waiting *woken = r->woken;

	r->woken = NULL;
	timer_clear(&e->timers, &r->timer);
	r->pace = (struct pace){ 0 };
	while (r->queued > r->opening && serve(e, r))
		;
	if (r->queued == 0 || !pace_is_limit(r->pace.kind))
		relay_wait(r, NULL); /* else it keeps its place in the line */
	if (r->queued > 0 && r->pace.kind == PACE_FREE)
		r->pace.kind = PACE_OPENING;
	/* What woke it may have room for others still. */
	if (woken != NULL && r->waits != woken)
		relay_wake(e, woken);
	if (!r->dirty)
		relay_rest(e, r);
}

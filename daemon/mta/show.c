#include "daemon/mta/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mta/bounds.h"
#include "daemon/mta/conn.h"
#include "daemon/mta/destination.h"
#include "daemon/mta/domain.h"
#include "daemon/mta/engine.h"
#include "daemon/mta/pick.h"
#include "daemon/mta/policy.h"
#include "lib/base/hmap.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "lib/cli/exitcode.h"
#include "lib/proto/record.h"

#define DOMAINS_NAMED 4 /* of a relay */

/* One listing under way. */
struct listing {
	const struct show_env *env;
	struct answer *a;
	/* Fills the row for a key; false: it is gone, or nothing to show. */
	bool (*row)(struct engine *e, uint64_t key, struct buf *b);
	uint64_t *keys; /* as they were when it began */
	size_t n, at;
	uint32_t rows;
};

static void
free_listing(void *ctx)
{
	struct listing *l = ctx;

	free(l->keys);
	free(l);
}

static void
go_on(void *ctx, struct answer *a)
{
	struct listing *l = ctx;
	uint32_t rows;

	l->env->clock(l->env->arg);
	while (l->at < l->n && !answer_full(a)) {
		if (!l->row(l->env->engine, l->keys[l->at++], answer_row(a)))
			continue;
		answer_send(a);
		l->rows++;
	}
	if (l->at < l->n) {
		answer_on_more(a, go_on, free_listing, l);
		return;
	}
	rows = l->rows;
	free_listing(l);
	answer_end(a, EXIT_DONE, rows, 0, "");
}

static struct listing *
listing_new(const struct show_env *env, struct answer *a, size_t room,
    bool (*row)(struct engine *, uint64_t, struct buf *))
{
	struct listing *l = mem_zalloc(sizeof(*l));

	l->env = env;
	l->a = a;
	l->row = row;
	l->keys = mem_zarray(room > 0 ? room : 1, sizeof(*l->keys));
	return l;
}

static const char *
text_of(const char *s)
{
	return s == NULL ? "" : s;
}

/* Seconds until a time of the engine's clock. */
static uint64_t
left_s(const struct engine *e, uint64_t at)
{
	return at > e->now ? (at - e->now + 999) / 1000 : 0;
}

/* Until when a route is not used, whatever the reason; 0: it may be. */
static uint64_t
route_rests_until(const struct engine *e, const struct route *r)
{
	if (steering_holds(r->steering, e->wall))
		return pace_pause_end(e, r->steering);
	if (steering_holds(r->source->steering, e->wall))
		return pace_pause_end(e, r->source->steering);
	if (route_disabled(r))
		return r->disabled_until;
	return 0;
}

static bool
route_row(struct engine *e, uint64_t key, struct buf *b)
{
	const struct route *r = route_by_id(e, (uint32_t)key);
	char id[16], flags[5], rate[24], why[PACE_TEXT_MAX],
	    name[ROUTE_NAME_MAX];
	unsigned recent;
	uint64_t until;

	if (r == NULL)
		return false;
	snprintf(id, sizeof(id), "r%u", r->id);
	route_flags(r, flags);
	until = route_rests_until(e, r);
	if (until > 0)
		flags[1] = 'D';
	recent = route_recent(r, e->now);
	snprintf(rate, sizeof(rate), "%u.%u", recent / ROUTE_RATE_SECONDS,
	    recent % ROUTE_RATE_SECONDS);
	record_begin(b, "route");
	record_str(b, "id", id);
	record_str(b, "name", route_name(r, name));
	record_str(b, "flags", flags);
	record_str(b, "source", r->source->text);
	record_str(b, "host", *r->name != '\0' ? r->name : r->host->address);
	record_str(b, "address", r->host->address);
	record_u64(b, "port", r->host->port);
	record_str(b, "relay", r->domain->name);
	record_str(b, "action", r->manner->action);
	record_u64(b, "connections", r->connections);
	record_u64(b, "ready", r->ready);
	record_u64(b, "errors", r->errors);
	record_u64(b, "penalty", r->penalty);
	record_u64(b, "timeout_s", until == UINT64_MAX ? 0 : left_s(e, until));
	record_i64(b, "until",
	    until == UINT64_MAX || until == 0 ? 0 : engine_wall_at(e, until));
	record_str(b, "last_error", text_of(r->error));
	record_i64(b, "last_error_time", r->error_at);
	record_u64(b, "rejected_in_a_row", r->row);
	record_u64(b, "delivered", r->delivered);
	record_str(b, "rate", rate);
	record_str(b, "why", pace_route_text(e, r, why));
	return true;
}

static int
on_routes(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	const struct show_env *env = arg;
	struct listing *l =
	    listing_new(env, a, hmap_count(env->engine->by_id), route_row);
	struct route *r;

	(void)args;
	if (q->n > 1) {
		free_listing(l);
		answer_end(a, EXIT_USAGE, 0, 0, "why is the one word it takes");
		return 0;
	}
	TAILQ_FOREACH(r, &env->engine->routes, entry)
		l->keys[l->n++] = r->id;
	/* What is paused is said even where no route of it is known. */
	if (q->n == 1)
		bounds_pauses(env->engine, a);
	go_on(l, a);
	return 0;
}

static const char *
host_state(const struct host *h, uint64_t now)
{
	if (h->ready > 0)
		return "connected";
	if (h->connections > 0)
		return "connecting";
	if (h->skip_until > now)
		return "skipped";
	return h->failures > 0 ? "failed" : "ok";
}

static void
host_reason(
    const struct engine *e, const struct host *h, char *dst, size_t size)
{
	char when[TEXT_TIME_MAX];

	*dst = '\0';
	if (h->skip_until > e->now)
		snprintf(dst, size,
		    "left alone until %s, no session of use was possible "
		    "from %s: %.300s",
		    text_time(when, engine_wall_at(e, h->skip_until)),
		    h->skip_source != NULL ? h->skip_source->text : SOURCE_ANY,
		    text_of(h->error));
	else if (h->clear_until > e->now)
		snprintf(dst, size,
		    "no STARTTLS until %s, where TLS need not be: it failed",
		    text_time(when, engine_wall_at(e, h->clear_until)));
	else if (!TAILQ_EMPTY(&h->waiting.line))
		snprintf(dst, size, "%u connections: mail waits for one",
		    h->connections);
}

static void
host_row(const struct engine *e, const struct host *h, struct buf *b)
{
	char reason[512], clear[64] = "", when[TEXT_TIME_MAX];

	host_reason(e, h, reason, sizeof(reason));
	if (h->clear_until > e->now)
		snprintf(clear, sizeof(clear), "clear until %s",
		    text_time(when, engine_wall_at(e, h->clear_until)));
	record_begin(b, "host");
	record_str(b, "host", h->label);
	record_str(b, "state", host_state(h, e->now));
	record_u64(b, "connections", h->connections);
	record_u64(b, "delivered", h->delivered);
	record_u64(b, "failures", h->failures);
	record_i64(b, "last_connect", h->last_connect);
	record_i64(b, "last_error", h->last_error);
	record_str(b, "error", text_of(h->error));
	record_str(b, "reason", reason);
	record_str(b, "tls", clear);
	record_bool(b, "fruitless", h->skip_until > e->now);
}

/* Hosts have no key of ours: a place in their table. One that comes or goes
 * meanwhile may be missed, or met twice. */
struct hosts_listing {
	const struct show_env *env;
	size_t at;
	uint32_t rows;
};

static void
hosts_on(void *ctx, struct answer *a)
{
	struct hosts_listing *l = ctx;
	const struct host *h;
	uint32_t rows;

	l->env->clock(l->env->arg);
	while (!answer_full(a)) {
		h = hosts_next(l->env->engine->hosts, &l->at);
		if (h == NULL) {
			rows = l->rows;
			free(l);
			answer_end(a, EXIT_DONE, rows, 0, "");
			return;
		}
		host_row(l->env->engine, h, answer_row(a));
		answer_send(a);
		l->rows++;
	}
	answer_on_more(a, hosts_on, free, l);
}

static int
on_hosts(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	struct hosts_listing *l = mem_zalloc(sizeof(*l));

	(void)q;
	(void)args;
	l->env = arg;
	hosts_on(l, a);
	return 0;
}

static bool
hoststat_row(struct engine *e, uint64_t key, struct buf *b)
{
	const struct domain *d = hmap_get(e->domains, key);

	if (d == NULL || d->last == 0 || e->now - d->used_at >= DOMAIN_KEPT_MS)
		return false;
	record_begin(b, "hoststat");
	record_str(b, "domain", d->name);
	record_i64(b, "time", d->last);
	record_str(b, "status", d->status);
	record_u64(b, "connections", d->connections);
	record_u64(b, "delivered", d->delivered);
	record_u64(b, "deferred", d->deferred);
	record_u64(b, "failed", d->failed);
	return true;
}

static int
on_hoststats(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	const struct show_env *env = arg;
	struct listing *l =
	    listing_new(env, a, hmap_count(env->engine->domains), hoststat_row);
	struct domain *d;
	size_t at;

	(void)q;
	(void)args;
	HMAP_FOREACH(d, env->engine->domains, at)
		l->keys[l->n++] = d->key;
	go_on(l, a);
	return 0;
}

static void
name_domains(const struct relay *r, char *dst, size_t size)
{
	const struct destination *d;
	unsigned n = 0;

	*dst = '\0';
	TAILQ_FOREACH(d, &r->destinations, entry) {
		if (n++ == DOMAINS_NAMED) {
			strlcat(dst, ", ...", size);
			return;
		}
		if (n > 1)
			strlcat(dst, ", ", size);
		strlcat(dst, d->target.key, size);
	}
}

static bool
relay_row(struct engine *e, uint64_t key, struct buf *b)
{
	struct relay *r = hmap_get(e->by_set, key);
	char name[TARGET_KEY_MAX], why[PACE_TEXT_MAX], domains[1024];
	struct pace pace;
	bool limit;

	if (r == NULL)
		return false;
	pace = pace_relay(e, r);
	if (pace.kind == PACE_FREE)
		pace = pick_route(e, r).pace;
	/* At a limit that nothing waits for, it waits for nothing. */
	limit = pace_is_limit(pace.kind);
	if (limit && r->queued == 0) {
		pace.kind = PACE_FREE;
		limit = false;
	}
	pace_text(e, r, &pace, why);
	name_domains(r, domains, sizeof(domains));
	record_begin(b, "relay");
	record_str(b, "name", relay_name(r, name));
	record_str(b, "action", r->manner->action);
	record_u64(b, "domains", r->ndestinations);
	record_str(b, "domain_names", domains);
	record_str(b, "mx", r->text);
	record_u64(b, "connectors", r->nconnectors);
	record_u64(b, "connections", r->bound);
	record_u64(b, "queued", r->queued);
	record_str(b, "waits_for", pace_word(pace.kind));
	record_str(b, "limit", limit ? why : "");
	record_str(b, "why", why);
	record_str(b, "policy",
	    r->manner->policy != NULL ? policy_text(r->manner->policy) : "");
	return true;
}

/* Where the DNS has not said yet, or has said no. */
static void
unresolved_row(const struct destination *d, struct buf *b)
{
	record_begin(b, "relay");
	record_str(b, "name", d->target.key);
	record_str(b, "action", d->manner->action);
	record_u64(b, "domains", 1);
	record_str(b, "domain_names", d->target.key);
	record_str(b, "mx", "");
	record_u64(b, "connectors", 0);
	record_u64(b, "connections", 0);
	record_u64(b, "queued", d->queued);
	record_str(b, "waits_for", d->asking ? "dns" : "");
	record_str(b, "limit", "");
	record_str(b, "why",
	    d->asking ? "its hosts are asked for at the DNS"
		      : text_of(d->text));
	record_str(b, "policy",
	    d->manner->policy != NULL ? policy_text(d->manner->policy) : "");
}

static bool
destination_row(struct engine *e, uint64_t key, struct buf *b)
{
	const struct destination *d = hmap_get(e->by_target, key);

	if (d == NULL)
		return relay_row(e, key, b);
	if (d->relay != NULL || (!d->asking && d->queued == 0))
		return false;
	unresolved_row(d, b);
	return true;
}

static int
on_relays(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	const struct show_env *env = arg;
	const struct engine *e = env->engine;
	struct listing *l = listing_new(
	    env, a, hmap_count(e->by_set) + e->ndestinations, destination_row);
	struct destination *d;
	struct relay *r;

	(void)args;
	if (q->n > 1) {
		free_listing(l);
		answer_end(a, EXIT_USAGE, 0, 0, "why is the one word it takes");
		return 0;
	}
	TAILQ_FOREACH(r, &e->relays, all)
		l->keys[l->n++] = r->key;
	TAILQ_FOREACH(d, &e->destinations, all)
		if (d->relay == NULL && (d->asking || d->queued > 0))
			l->keys[l->n++] = d->key;
	go_on(l, a);
	return 0;
}

static void
session_row(const struct engine *e, const struct link *l, struct buf *b)
{
	char id[16], route[16], name[TARGET_KEY_MAX];
	struct conn_facts f = { .state = "connect", .phase = "", .tls = "" };

	if (l->conn != NULL)
		conn_facts(l->conn, &f);
	snprintf(id, sizeof(id), "%08x", f.session);
	snprintf(route, sizeof(route), "r%u", l->route->id);
	record_begin(b, "session");
	record_str(b, "session", id);
	record_str(b, "route", route);
	record_str(b, "host", l->route->host->label);
	record_str(b, "source", l->route->source->text);
	record_str(b, "state", f.state);
	record_str(b, "phase", text_of(f.phase));
	record_str(b, "tls", text_of(f.tls));
	record_u64(b, "messages", l->messages);
	record_u64(b, "delivered", l->delivered);
	record_u64(b, "octets", f.octets);
	record_u64(b, "since_s",
	    e->now > l->opened_at ? (e->now - l->opened_at) / 1000 : 0);
	record_str(
	    b, "relay", l->relay != NULL ? relay_name(l->relay, name) : "");
}

/* Sessions go by number, in the order in which they were opened. */
struct links_listing {
	const struct show_env *env;
	uint32_t last, rows;
};

static void
links_on(void *ctx, struct answer *a)
{
	struct links_listing *ll = ctx;
	const struct link *l;
	uint32_t rows;

	ll->env->clock(ll->env->arg);
	TAILQ_FOREACH(l, &ll->env->engine->links, all) {
		if (l->id <= ll->last)
			continue;
		if (answer_full(a)) {
			answer_on_more(a, links_on, free, ll);
			return;
		}
		ll->last = l->id;
		session_row(ll->env->engine, l, answer_row(a));
		answer_send(a);
		ll->rows++;
	}
	rows = ll->rows;
	free(ll);
	answer_end(a, EXIT_DONE, rows, 0, "");
}

static int
on_sessions(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	struct links_listing *ll = mem_zalloc(sizeof(*ll));

	(void)q;
	(void)args;
	ll->env = arg;
	links_on(ll, a);
	return 0;
}

static int
on_limits(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	const struct show_env *env = arg;
	const char *domain = NULL;

	if (q->n > 1) {
		answer_end(a, EXIT_USAGE, 0, 0, "one domain at most is wanted");
		return 0;
	}
	if (q->n == 1)
		domain = unpack_str(args);
	env->clock(env->arg);
	bounds_answer(env->engine, a, domain);
	return 0;
}

static const struct answer_entry answers[] = {
	{ QUERY_ROUTES, on_routes },
	{ QUERY_HOSTS, on_hosts },
	{ QUERY_HOSTSTATS, on_hoststats },
	{ QUERY_RELAYS, on_relays },
	{ QUERY_SESSIONS, on_sessions },
	{ QUERY_LIMITS, on_limits },
};

void
show_start(const struct show_env *env)
{
	answer_register(env->proc, answers,
	    sizeof(answers) / sizeof(answers[0]), (void *)(uintptr_t)env);
}

#include "daemon/mta/bounds.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/mta/destination.h"
#include "daemon/mta/domain.h"
#include "daemon/mta/engine.h"
#include "daemon/proc/answer.h"
#include "lib/base/hmap.h"
#include "lib/base/text.h"
#include "lib/cli/exitcode.h"
#include "lib/proto/record.h"

/* The reason that a limit is to the mail of a relay. */
static bool
key_of(enum pace_kind kind, enum conf_limit_key *key)
{
	static const struct {
		enum pace_kind kind;
		enum conf_limit_key key;
	} pairs[] = {
		{ PACE_ROUTE, CONF_LIMIT_ROUTE },
		{ PACE_HOST, CONF_LIMIT_HOST },
		{ PACE_SOURCE, CONF_LIMIT_SOURCE },
		{ PACE_RELAY, CONF_LIMIT_RELAY },
		{ PACE_DOMAIN, CONF_LIMIT_DOMAIN },
		{ PACE_ROUTE_DELAY, CONF_LIMIT_ROUTE_DELAY },
		{ PACE_DISCONNECT_DELAY, CONF_LIMIT_DISCONNECT_DELAY },
		{ PACE_RELAY_DELAY, CONF_LIMIT_RELAY_DELAY },
		{ PACE_DISABLED, CONF_LIMIT_PENALTY },
		{ PACE_ASIDE, CONF_LIMIT_ASIDE },
	};
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (pairs[i].kind != kind)
			continue;
		*key = pairs[i].key;
		return true;
	}
	return false;
}

/* How much of each is in use where it is used most, and by whom mail waits. */
struct use {
	uint64_t in_use[CONF_LIMITS];
	unsigned waiting[CONF_LIMITS]; /* relays */
	char first[CONF_LIMITS][TARGET_KEY_MAX];
};

static void
most(struct use *u, enum conf_limit_key key, uint64_t n)
{
	if (n > u->in_use[key])
		u->in_use[key] = n;
}

static bool
relay_is_for(const struct relay *r, const char *domain)
{
	const struct destination *d;

	if (domain == NULL)
		return true;
	TAILQ_FOREACH(d, &r->destinations, entry)
		if (strcasecmp(d->target.key, domain) == 0)
			return true;
	return false;
}

static void
use_of_relay(struct engine *e, struct use *u, struct relay *r)
{
	const struct route *route;
	enum conf_limit_key key;
	size_t c, i;

	most(u, CONF_LIMIT_RELAY, r->bound);
	most(u, CONF_LIMIT_DOMAIN, r->domain->connections);
	for (c = 0; c < r->nconnectors; c++) {
		most(
		    u, CONF_LIMIT_SOURCE, r->connectors[c].source->connections);
		for (i = 0; i < r->n; i++)
			if ((route = relay_route(
				 e, r, &r->connectors[c], i, false)) != NULL)
				most(u, CONF_LIMIT_ROUTE, route->connections);
	}
	for (i = 0; i < r->n; i++)
		most(u, CONF_LIMIT_HOST, r->addresses[i].host->connections);
	if (r->queued == 0 || !key_of(r->pace.kind, &key))
		return;
	if (u->waiting[key]++ == 0)
		relay_name(r, u->first[key]);
}

/* u NULL: whose use is not known. */
static void
send_limit(const struct use *u, struct answer *a, const char *domain,
    enum conf_limit_key key, uint32_t value)
{
	char text[TEXT_SPAN_MAX], binding[TARGET_KEY_MAX + 64] = "";
	struct buf *b = answer_row(a);

	if (conf_limit_seconds(key))
		text_span(text, value);
	else
		snprintf(text, sizeof(text), "%u", value);
	if (u != NULL && u->waiting[key] == 1)
		snprintf(binding, sizeof(binding), "mail for %s waits",
		    u->first[key]);
	else if (u != NULL && u->waiting[key] > 1)
		snprintf(binding, sizeof(binding),
		    "mail for %s and %u other relays waits", u->first[key],
		    u->waiting[key] - 1);
	record_begin(b, "limit");
	record_str(b, "domain", domain == NULL ? "*" : domain);
	record_str(b, "name", conf_limit_name(key));
	record_str(b, "value", text);
	if (u != NULL)
		record_u64(b, "in_use", u->in_use[key]);
	record_str(b, "binding", binding);
	answer_send(a);
}

static void
send_pause(struct answer *a, const struct steering *s)
{
	static const char *const parts[CARRY_PARTS] = {
		[CARRY_ROUTE] = "route",
		[CARRY_SOURCE] = "source",
		[CARRY_RELAY] = "relay",
	};
	struct buf *b = answer_row(a);

	record_begin(b, "steer");
	record_str(b, "part", parts[s->part]);
	record_str(b, "name", s->name);
	record_i64(b, "until", s->until);
	record_str(b, "reason", s->reason);
	record_u64(b, "uid", s->uid);
	answer_send(a);
}

unsigned
bounds_pauses(const struct engine *e, struct answer *a)
{
	const struct steering *s;
	unsigned n = 0;

	TAILQ_FOREACH(s, &e->steerings, entry) {
		if (!steering_holds(s, e->wall))
			continue;
		send_pause(a, s);
		n++;
	}
	return n;
}

/* Limits that name a domain, beside those for all mail. */
static unsigned
special_limits(const struct engine *e, struct answer *a)
{
	const struct conf_limit *l;
	char names[512];
	unsigned n = 0;
	size_t i;

	for (i = 0; i < e->conf->nlimits; i++) {
		l = &e->conf->limits[i];
		if (l->domain == NULL && l->domains.table == NULL)
			continue;
		if (l->domain != NULL)
			snprintf(names, sizeof(names), "%s", l->domain);
		else
			snprintf(
			    names, sizeof(names), "<%s>", l->domains.table);
		send_limit(NULL, a, names, l->key, l->value);
		n++;
	}
	return n;
}

void
bounds_answer(struct engine *e, struct answer *a, const char *domain)
{
	struct use u = { .in_use = { 0 } };
	struct relay *r;
	unsigned n = 0;
	int key;

	if (domain != NULL && (*domain == '\0' || strlen(domain) > 255)) {
		answer_end(a, EXIT_USAGE, 0, 0, "that is no name of a domain");
		return;
	}
	TAILQ_FOREACH(r, &e->relays, all)
		if (relay_is_for(r, domain))
			use_of_relay(e, &u, r);
	for (key = 0; key < CONF_LIMITS; key++, n++)
		send_limit(&u, a, domain, (enum conf_limit_key)key,
		    conf_limit(e->conf, domain, (enum conf_limit_key)key));
	if (domain == NULL)
		n += special_limits(e, a);
	n += bounds_pauses(e, a);
	answer_end(a, EXIT_DONE, n, 0, "");
}

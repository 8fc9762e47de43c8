#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "daemon/conf/conf.h"

static const struct {
	const char *name;
	uint32_t value;
	bool seconds;
} limits[CONF_LIMITS] = {
	[CONF_LIMIT_HOST] = { "max-connections-per-host", 10, false },
	[CONF_LIMIT_ROUTE] = { "max-connections-per-route", 5, false },
	[CONF_LIMIT_SOURCE] = { "max-connections-per-source", 100, false },
	[CONF_LIMIT_RELAY] = { "max-connections-per-relay", 100, false },
	[CONF_LIMIT_DOMAIN] = { "max-connections-per-domain", 100, false },
	[CONF_LIMIT_MESSAGES] = { "messages-per-connection", 100, false },
	[CONF_LIMIT_RECIPIENTS] = { "recipients-per-transaction", 100, false },
	[CONF_LIMIT_REJECTS] = { "rejects-in-a-row", 25, false },
	[CONF_LIMIT_FRUITLESS] = { "transactions-without-recipient", 10,
	    false },
	[CONF_LIMIT_ROUTE_DELAY] = { "route-delay", 5, true },
	[CONF_LIMIT_DISCONNECT_DELAY] = { "disconnect-delay", 3, true },
	[CONF_LIMIT_RELAY_DELAY] = { "relay-delay", 2, true },
	[CONF_LIMIT_KEEPALIVE] = { "keep-alive", 10, true },
	[CONF_LIMIT_PENALTY] = { "penalty", 30, true },
	[CONF_LIMIT_PENALTY_MAX] = { "penalty-max", 3600, true },
	[CONF_LIMIT_ASIDE] = { "put-aside", 400, true },
};

const char *
conf_limit_name(enum conf_limit_key key)
{
	return limits[key].name;
}

bool
conf_limit_seconds(enum conf_limit_key key)
{
	return limits[key].seconds;
}

/* A name, or "*.d" for all below d. */
static bool
covers(const char *pattern, const char *domain)
{
	size_t p, d;

	if (pattern[0] != '*')
		return strcasecmp(pattern, domain) == 0;
	p = strlen(pattern + 1);
	d = strlen(domain);
	return d > p && strcasecmp(pattern + 1, domain + d - p) == 0;
}

static bool
fits(const struct conf_limit *l, const char *domain)
{
	size_t i;

	if (l->domain == NULL && l->domains.table == NULL)
		return true;
	if (domain == NULL)
		return false;
	if (l->domain != NULL)
		return covers(l->domain, domain);
	for (i = 0; i < l->domains.n; i++)
		if (covers(l->domains.pairs[i].key, domain))
			return true;
	return false;
}

uint32_t
conf_limit(const struct conf *c, const char *domain, enum conf_limit_key key)
{
	size_t i = c->nlimits;

	while (i-- > 0)
		if (c->limits[i].key == key && fits(&c->limits[i], domain))
			return c->limits[i].value;
	return limits[key].value;
}

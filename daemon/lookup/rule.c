#include "daemon/lookup/rule.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/mail/addr.h"

static bool
own_address(const struct rule_world *w, const struct network *address)
{
	size_t i;

	if (network_is_loopback(address))
		return true;
	for (i = 0; i < w->nown; i++)
		if (network_has(&w->own[i], address))
			return true;
	return false;
}

/* [192.0.2.1] or [IPv6:2001:db8::1]. */
static bool
literal(struct network *n, const char *domain)
{
	char inner[64];
	size_t len = strlen(domain);

	if (len < 3 || len - 2 >= sizeof(inner) || domain[0] != '[' ||
	    domain[len - 1] != ']')
		return false;
	memcpy(inner, domain + 1, len - 2);
	inner[len - 2] = '\0';
	return network_parse(
	    n, strncasecmp(inner, "ipv6:", 5) == 0 ? inner + 5 : inner);
}

bool
rule_is_local(const struct rule_world *w, const char *domain)
{
	const struct conf *c = w->conf;
	struct network n;
	size_t i;

	if (domain[0] == '[')
		return literal(&n, domain) && own_address(w, &n);
	if (strcasecmp(domain, "localhost") == 0 ||
	    strcasecmp(domain, c->hostname) == 0)
		return true;
	for (i = 0; i < c->nlisteners; i++)
		if (c->listeners[i].hostname != NULL &&
		    strcasecmp(domain, c->listeners[i].hostname) == 0)
			return true;
	return false;
}

static enum rule_result
yes_or_no(bool yes)
{
	return yes ? RULE_YES : RULE_NO;
}

static enum rule_result
from(const struct rule_world *w, const struct conf_rule *r,
    const struct rule_question *q)
{
	struct network address, net;
	bool known = network_parse(&address, q->client);

	switch (r->from) {
	case CONF_FROM_ANY:
		return RULE_YES;
	case CONF_FROM_LOCAL:
		return yes_or_no(known ? own_address(w, &address)
				       : strcmp(q->client, "local") == 0);
	case CONF_FROM_CIDR:
		return yes_or_no(known && network_parse(&net, r->from_what) &&
		    network_has(&net, &address));
	case CONF_FROM_TABLE:
		if (!known)
			return w->has(w->arg, r->from_what, q->client);
		return w->has_address(w->arg, r->from_what, &address);
	}
	return RULE_NO;
}

/* Every key under which a table may hold an address: itself, @domain, and the
 * domain. */
static enum rule_result
sender_in_table(
    const struct rule_world *w, const char *table, const char *sender)
{
	const char *at = strrchr(sender, '@');
	enum rule_result found = w->has(w->arg, table, sender);

	if (found == RULE_NO && at != NULL)
		found = w->has(w->arg, table, at);
	if (found == RULE_NO && at != NULL)
		found = w->has(w->arg, table, at + 1);
	return found;
}

static enum rule_result
sender(const struct rule_world *w, const struct conf_rule *r,
    const struct rule_question *q)
{
	char table[128];
	const char *at = strrchr(q->sender, '@');
	size_t len;

	if (r->sender == NULL)
		return RULE_YES;
	if (strcmp(r->sender, "<>") == 0)
		return yes_or_no(q->sender[0] == '\0');
	if (q->sender[0] == '\0')
		return RULE_NO;
	if (r->sender[0] == '@')
		return yes_or_no(at != NULL && strcmp(at, r->sender) == 0);
	len = strlen(r->sender);
	if (r->sender[0] != '<')
		return yes_or_no(strcmp(r->sender, q->sender) == 0);
	if (len - 2 >= sizeof(table))
		return RULE_TROUBLE;
	memcpy(table, r->sender + 1, len - 2);
	table[len - 2] = '\0';
	return sender_in_table(w, table, q->sender);
}

/* The domain itself, or *.parent for each of its parents. */
static enum rule_result
domain_in_table(
    const struct rule_world *w, const char *table, const char *domain)
{
	char wild[ADDR_DOMAIN_MAX + 3];
	enum rule_result found = w->has(w->arg, table, domain);
	const char *dot;

	for (dot = strchr(domain, '.'); found == RULE_NO && dot != NULL;
	     dot = strchr(dot + 1, '.')) {
		snprintf(wild, sizeof(wild), "*%s", dot);
		found = w->has(w->arg, table, wild);
	}
	return found;
}

static bool
domain_fits(const char *pattern, const char *domain)
{
	size_t n, m;

	if (strncmp(pattern, "*.", 2) != 0)
		return strcasecmp(pattern, domain) == 0;
	n = strlen(pattern) - 1;
	m = strlen(domain);
	return m > n && strcasecmp(pattern + 1, domain + m - n) == 0;
}

static enum rule_result
destination(const struct rule_world *w, const struct conf_rule *r,
    const struct rule_question *q)
{
	switch (r->dest) {
	case CONF_FOR_ANY:
		return RULE_YES;
	case CONF_FOR_LOCAL:
		return yes_or_no(rule_is_local(w, q->domain));
	case CONF_FOR_DOMAIN:
		return yes_or_no(domain_fits(r->dest_what, q->domain));
	case CONF_FOR_TABLE:
		return domain_in_table(w, r->dest_what, q->domain);
	}
	return RULE_NO;
}

static enum rule_result
negate(enum rule_result found, bool not )
{
	if (!not || found == RULE_TROUBLE)
		return found;
	return found == RULE_YES ? RULE_NO : RULE_YES;
}

/* Trouble counts only where the other parts fit: what they exclude, no table
 * can bring back. */
static enum rule_result
fits(const struct rule_world *w, const struct conf_rule *r,
    const struct rule_question *q)
{
	enum rule_result parts[3];
	enum rule_result all = RULE_YES;
	size_t i;

	parts[0] = negate(destination(w, r, q), r->for_not);
	if (parts[0] == RULE_NO)
		return RULE_NO;
	parts[1] = negate(from(w, r, q), r->from_not);
	if (parts[1] == RULE_NO)
		return RULE_NO;
	parts[2] = negate(sender(w, r, q), r->sender_not);
	for (i = 0; i < 3; i++) {
		if (parts[i] == RULE_NO)
			return RULE_NO;
		if (parts[i] == RULE_TROUBLE)
			all = RULE_TROUBLE;
	}
	return all;
}

enum rule_result
rule_find(const struct rule_world *w, const struct rule_question *q,
    const struct conf_rule **rule)
{
	enum rule_result result = RULE_NO;
	size_t i;

	for (i = 0; i < w->conf->nrules; i++) {
		result = fits(w, &w->conf->rules[i], q);
		*rule = &w->conf->rules[i];
		if (result != RULE_NO)
			return result;
	}
	*rule = NULL;
	return RULE_NO;
}

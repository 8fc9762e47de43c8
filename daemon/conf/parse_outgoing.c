/*
 * parse_outgoing - the limits, certificates and trust of outgoing mail
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/pairs.h"
#include "daemon/conf/parse.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define COUNT_MOST 1000000u
#define SECONDS_MOST (7u * 86400u)

/* One statement: its scope, and the values by key. */
struct limits {
	char *domain, *table;
	uint32_t values[CONF_LIMITS];
	bool said[CONF_LIMITS];
};

static struct conf_limit *
add_limit(struct parse *p, enum conf_limit_key key, uint32_t value)
{
	struct conf *c = p->conf;
	struct conf_limit *l;

	c->limits =
	    mem_rearray(c->limits, c->nlimits + 1, sizeof(c->limits[0]));
	l = &c->limits[c->nlimits++];
	memset(l, 0, sizeof(*l));
	l->key = key;
	l->value = value;
	l->place = parse_place_text(&p->statement);
	return l;
}

/* The old spelling of one of them. */
bool
parse_mta(struct parse *p, void *unused)
{
	uint32_t n;

	(void)unused;
	if (!parse_accept(p, "max-per-host"))
		return parse_expected(p, "max-per-host");
	if (!parse_u32(p, 1, COUNT_MOST, &n))
		return false;
	add_limit(p, CONF_LIMIT_HOST, n);
	return true;
}

static bool
on_limit_for(struct parse *p, void *ctx)
{
	static const char what[] = "a domain, *.domain or a table";
	struct limits *l = ctx;

	if (!parse_accept(p, "domain"))
		return parse_expected(p, "domain");
	if (p->tok.kind == LEX_TABLE)
		return parse_outgoing_use(p, &l->table, false);
	if (p->tok.kind != LEX_WORD || !pairs_domain_ok(p->tok.text))
		return parse_expected(p, what);
	if (!parse_value(p, what, &l->domain))
		return false;
	text_lower(l->domain);
	return true;
}

/* A delay may be none at all; a penalty or a number may not. */
static bool
limit_value(struct parse *p, enum conf_limit_key key, uint32_t *value)
{
	bool zero = key == CONF_LIMIT_ROUTE_DELAY ||
	    key == CONF_LIMIT_DISCONNECT_DELAY ||
	    key == CONF_LIMIT_RELAY_DELAY || key == CONF_LIMIT_KEEPALIVE;

	if (!conf_limit_seconds(key))
		return parse_u32(p, 1, COUNT_MOST, value);
	if (zero && (parse_accept(p, "0") || parse_accept(p, "0s"))) {
		*value = 0;
		return true;
	}
	return parse_span(p, SECONDS_MOST, value);
}

/* The key is the word behind which we are. */
static bool
on_limit_key(struct parse *p, void *ctx)
{
	struct limits *l = ctx;
	unsigned key = 0;

	while (
	    strcmp(conf_limit_name((enum conf_limit_key)key), p->option) != 0)
		key++;
	l->said[key] = true;
	return limit_value(p, (enum conf_limit_key)key, &l->values[key]);
}

static bool
keep_limits(struct parse *p, const struct limits *l)
{
	struct conf_limit *kept;
	unsigned key, n = 0;

	for (key = 0; key < CONF_LIMITS; key++)
		n += l->said[key];
	if (n == 0)
		return parse_expected(p, "a limit");
	if (p->conf->nlimits + n > PARSE_LIST_MAX)
		return parse_error(p, "there are too many");
	for (key = 0; key < CONF_LIMITS; key++) {
		if (!l->said[key])
			continue;
		kept = add_limit(p, (enum conf_limit_key)key, l->values[key]);
		if (l->domain != NULL)
			kept->domain = mem_strdup(l->domain);
		if (l->table != NULL)
			kept->domains.table = mem_strdup(l->table);
	}
	return true;
}

bool
parse_limit(struct parse *p, void *unused)
{
	struct parse_word words[CONF_LIMITS + 1];
	struct limits l = { 0 };
	uint32_t seen = 0;
	unsigned i;
	bool ok;

	(void)unused;
	if (!parse_accept(p, "mta"))
		return parse_expected(p, "mta");
	for (i = 0; i < CONF_LIMITS; i++)
		words[i] = (struct parse_word){ conf_limit_name(
						    (enum conf_limit_key)i),
			on_limit_key, false };
	words[i] = (struct parse_word){ "for", on_limit_for, false };
	ok = parse_words(p, words, COUNT(words), &l, &seen) &&
	    keep_limits(p, &l);
	free(l.domain);
	free(l.table);
	return ok;
}

static bool
on_certificate(struct parse *p, void *ctx)
{
	struct conf_pki *k = ctx;

	if (k->certificate != NULL)
		return parse_error(p, "\"%s\" has one already", k->name);
	return parse_path(p, &k->certificate);
}

static bool
on_key(struct parse *p, void *ctx)
{
	struct conf_pki *k = ctx;

	if (k->key != NULL)
		return parse_error(p, "\"%s\" has one already", k->name);
	return parse_path(p, &k->key);
}

static struct conf_pki *
pki_named(struct parse *p, const char *name)
{
	struct conf *c = p->conf;
	struct conf_pki *k;
	size_t i;

	for (i = 0; i < c->npkis; i++)
		if (strcmp(c->pkis[i].name, name) == 0)
			return &c->pkis[i];
	c->pkis = mem_rearray(c->pkis, c->npkis + 1, sizeof(c->pkis[0]));
	k = &c->pkis[c->npkis++];
	memset(k, 0, sizeof(*k));
	k->name = mem_strdup(name);
	k->place = parse_place_text(&p->statement);
	return k;
}

/* pki NAME certificate "FILE" | pki NAME key "FILE" */
bool
parse_pki(struct parse *p, void *unused)
{
	static const struct parse_word words[] = {
		{ "certificate", on_certificate, false },
		{ "key", on_key, false },
	};
	struct conf_pki *k;
	char *name = NULL;
	uint32_t seen = 0;

	(void)unused;
	if (!parse_domain(p, &name))
		return false;
	if (p->conf->npkis == PARSE_LIST_MAX) {
		free(name);
		return parse_error(p, "there are too many");
	}
	k = pki_named(p, name);
	free(name);
	return parse_one(p, words, COUNT(words), k, &seen) &&
	    parse_words(p, words, COUNT(words), k, &seen);
}

void
parse_pki_finish(struct parse *p)
{
	const struct conf_pki *k;
	size_t i;

	for (i = 0; i < p->conf->npkis; i++) {
		k = &p->conf->pkis[i];
		if (k->certificate == NULL || k->key == NULL)
			lex_error(p->lex, k->place, 0, "pki: \"%s\" has no %s",
			    k->name, k->key == NULL ? "key" : "certificate");
	}
}

bool
parse_trust_anchor(struct parse *p, void *unused)
{
	(void)unused;
	p->conf->trust_anchor_place = parse_place_text(&p->statement);
	return parse_path(p, &p->conf->trust_anchor);
}

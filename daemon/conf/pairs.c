#include "daemon/conf/pairs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/conf/draft.h"
#include "daemon/conf/network.h"
#include "daemon/conf/parse.h"
#include "daemon/conf/url.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/mail/addr.h"

void
pairs_add(struct conf_list *l, const char *key, const char *value)
{
	/* Room grows by doubling. */
	if ((l->n & (l->n - 1)) == 0)
		l->pairs = mem_rearray(
		    l->pairs, l->n == 0 ? 1 : 2 * l->n, sizeof(l->pairs[0]));
	l->pairs[l->n].key = mem_strdup(key);
	l->pairs[l->n++].value = mem_strdup(value);
}

void
pairs_wipe(char *s)
{
	if (s != NULL)
		explicit_bzero(s, strlen(s));
	free(s);
}

void
pairs_empty(struct conf_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		free(l->pairs[i].key);
		pairs_wipe(l->pairs[i].value);
	}
	free(l->pairs);
	l->pairs = NULL;
	l->n = 0;
}

void
pairs_clear(struct conf_list *l)
{
	pairs_empty(l);
	free(l->table);
	l->table = NULL;
}

bool
pairs_address_ok(const char *s)
{
	struct network n;

	return strchr(s, '/') == NULL && network_parse(&n, s);
}

bool
pairs_domain_ok(const char *s)
{
	return parse_domain_ok(strncmp(s, "*.", 2) == 0 ? s + 2 : s);
}

bool
pairs_sender_ok(const char *s)
{
	char whole[ADDR_TEXT_MAX + 1];
	struct addr a;
	int n;

	if (s[0] == '@')
		return parse_domain_ok(s + 1);
	n = snprintf(whole, sizeof(whole), "%s%s", s,
	    strchr(s, '@') == NULL ? "@x" : "");
	return n > 0 && (size_t)n < sizeof(whole) &&
	    addr_parse(&a, whole, (size_t)n, false, true) == ADDR_OK &&
	    !addr_is_null(&a);
}

/* What reports go to. */
struct filling {
	struct conf *conf;
	void (*report)(void *, const char *);
	void *arg;
	bool ok;
};

static void
complain(struct filling *f, const char *place, const char *word,
    const char *table, const char *text)
{
	char line[1000];

	f->ok = false;
	if (f->report == NULL)
		return;
	snprintf(line, sizeof(line), "%.300s: %s: table <%s>: %s", place, word,
	    table, text);
	f->report(f->arg, line);
}

/* Why a row will not do, or NULL. The value of a secret one is not shown. */
static const char *
address_row(const char *key, const char *value)
{
	(void)value;
	return pairs_address_ok(key) ? NULL : "is no address";
}

static const char *
helo_row(const char *key, const char *value)
{
	if (!pairs_address_ok(key))
		return "is no address";
	return parse_domain_ok(value) ? NULL : "has no name of a host";
}

static const char *
auth_row(const char *key, const char *value)
{
	const char *colon = strchr(value, ':');

	(void)key;
	if (colon == NULL || colon == value || colon[1] == '\0')
		return "has no USER:PASSWORD";
	return NULL;
}

static const char *
domain_row(const char *key, const char *value)
{
	(void)value;
	return pairs_domain_ok(key) ? NULL : "is no domain and no *.domain";
}

static void
fill(struct filling *f, struct conf_list *l, const char *place,
    const char *word, const char *(*row)(const char *, const char *))
{
	const struct conf_table *t;
	const char *why;
	char shown[100], text[300];
	size_t i;

	if (l->table == NULL || (t = conf_table(f->conf, l->table)) == NULL ||
	    (t->path != NULL && !t->given))
		return;
	pairs_empty(l);
	for (i = 0; i < t->n; i++) {
		why = row(t->keys[i], t->values[i]);
		if (why == NULL) {
			pairs_add(l, t->keys[i], t->values[i]);
			continue;
		}
		snprintf(text, sizeof(text), "\"%s\" %s",
		    text_printable(shown, sizeof(shown), t->keys[i]), why);
		complain(f, place, word, l->table, text);
	}
}

static void
fill_urls(struct filling *f, struct conf_action *a)
{
	struct conf_relay *r = &a->relay;
	const struct conf_table *t;
	const char *said;
	const char *text;
	char why[320];
	struct conf_url u;
	size_t i;

	if (r->via == NULL || (t = conf_table(f->conf, r->via)) == NULL ||
	    (t->path != NULL && !t->given))
		return;
	for (i = 0; i < r->nurls; i++)
		url_clear(&r->urls[i]);
	free(r->urls);
	r->urls = mem_zarray(t->n, sizeof(r->urls[0]));
	r->nurls = 0;
	for (i = 0; i < t->n; i++) {
		/* "URL", or NAME = "URL" */
		text = t->values[i][0] != '\0' ? t->values[i] : t->keys[i];
		said = NULL;
		if (!url_parse(&u, text, why, sizeof(why)))
			said = why;
		else if ((said = draft_refuses(r, &u)) != NULL)
			url_clear(&u);
		else
			r->urls[r->nurls++] = u;
		if (said != NULL)
			complain(f, a->place, "via", r->via, said);
	}
}

bool
pairs_fill(struct conf *c, void (*report)(void *, const char *), void *arg)
{
	struct filling f = { c, report, arg, true };
	struct conf_action *a;
	size_t i;

	for (i = 0; i < c->nactions; i++) {
		a = &c->actions[i];
		fill_urls(&f, a);
		fill(&f, &a->relay.source, a->place, "source", address_row);
		fill(&f, &a->relay.helo, a->place, "helo", helo_row);
		fill(&f, &a->relay.auth, a->place, "auth", auth_row);
	}
	for (i = 0; i < c->nlimits; i++)
		fill(&f, &c->limits[i].domains, c->limits[i].place, "limit",
		    domain_row);
	return f.ok;
}

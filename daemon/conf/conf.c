#include "daemon/conf/conf.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "daemon/conf/draft.h"
#include "daemon/conf/lex.h"
#include "daemon/conf/pairs.h"
#include "daemon/conf/parse.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

static struct conf *
conf_new(void)
{
	struct conf *c = mem_zalloc(sizeof(*c));

	c->ttl = 4 * 86400;
	c->bounce_ttl = 7 * 86400;
	c->retry_relay = 400;
	c->retry_local = 10;
	c->max_message_size = UINT64_C(35) << 20;
	c->reserve_percent = 5;
	c->max_inflight_relay = 2000;
	c->max_inflight_local = 100;
	c->max_recipients = 1000;
	c->max_sessions = 2000;
	c->max_sessions_per_client = 200;
	c->idle_timeout = 300;
	return c;
}

/* What was not said. */
static void
fill(struct conf *c)
{
	char name[256];

	if (c->hostname == NULL) {
		if (gethostname(name, sizeof(name) - 1) == -1)
			name[0] = '\0';
		name[sizeof(name) - 1] = '\0';
		text_lower(name);
		c->hostname =
		    mem_strdup(parse_domain_ok(name) ? name : "localhost");
	}
	if (c->spool == NULL)
		c->spool = mem_strdup("/var/spool/spoolkit");
	if (c->control == NULL)
		c->control = mem_strdup("/var/run/smtpd.sock");
}

/* The directory of a file, absolute; without its links resolved, since the
 * paths are shown to people who know them by that name. */
static char *
directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char cwd[PATH_MAX];

	if (slash == path)
		return mem_strdup("");
	if (path[0] == '/')
		return mem_strndup(path, (size_t)(slash - path));
	if (getcwd(cwd, sizeof(cwd)) == NULL)
		return mem_strdup("");
	if (slash == NULL)
		return mem_strdup(strcmp(cwd, "/") == 0 ? "" : cwd);
	return mem_printf("%s/%.*s", strcmp(cwd, "/") == 0 ? "" : cwd,
	    (int)(slash - path), path);
}

struct conf *
conf_load(const char *path, void (*report)(void *, const char *), void *arg)
{
	struct lex *lex = lex_new(report, arg);
	struct conf *c = conf_new();
	char *base = directory(path);

	if (lex_push_file(lex, path, NULL) == -1 ||
	    !parse_all(lex, c, base, false)) {
		conf_free(c);
		c = NULL;
	} else {
		fill(c);
	}
	free(base);
	lex_free(lex);
	return c;
}

struct conf *
conf_parse(const char *name, const char *text, size_t len,
    void (*report)(void *, const char *), void *arg)
{
	struct lex *lex = lex_new(report, arg);
	struct conf *c = conf_new();

	if (lex_push_text(lex, name, text, len) == -1 ||
	    !parse_all(lex, c, NULL, true)) {
		conf_free(c);
		c = NULL;
	} else {
		fill(c);
	}
	lex_free(lex);
	return c;
}

static void
free_tables(struct conf *c)
{
	struct conf_table *t;
	size_t i, k;

	for (i = 0; i < c->ntables; i++) {
		t = &c->tables[i];
		for (k = 0; k < t->n; k++) {
			free(t->keys[k]);
			pairs_wipe(t->values[k]);
		}
		free(t->keys);
		free(t->values);
		free(t->name);
		free(t->path);
		free(t->place);
	}
	free(c->tables);
}

static void
free_limits(struct conf *c)
{
	size_t i;

	for (i = 0; i < c->nlimits; i++) {
		free(c->limits[i].domain);
		pairs_clear(&c->limits[i].domains);
		free(c->limits[i].place);
	}
	free(c->limits);
}

static void
free_pkis(struct conf *c)
{
	struct conf_pki *k;
	size_t i;

	for (i = 0; i < c->npkis; i++) {
		k = &c->pkis[i];
		free(k->name);
		free(k->certificate);
		free(k->key);
		free(k->certificate_pem);
		pairs_wipe(k->key_pem);
		free(k->place);
	}
	free(c->pkis);
}

static void
free_rules(struct conf *c)
{
	struct conf_rule *r;
	size_t i;

	for (i = 0; i < c->nrules; i++) {
		r = &c->rules[i];
		free(r->from_what);
		free(r->sender);
		free(r->dest_what);
		free(r->aliases);
		free(r->users_table);
	}
	free(c->rules);
}

static void
free_actions(struct conf *c)
{
	size_t i;

	for (i = 0; i < c->nactions; i++) {
		draft_free_action(&c->actions[i]);
	}
	free(c->actions);
}

void
conf_free(struct conf *c)
{
	size_t i;

	if (c == NULL)
		return;
	free(c->hostname);
	free(c->spool);
	free(c->control);
	free(c->control_group);
	free(c->keys_path);
	free(c->passphrase_path);
	free(c->keys_place);
	for (i = 0; i < c->nlisteners; i++) {
		free(c->listeners[i].where);
		free(c->listeners[i].hostname);
		free(c->listeners[i].tag);
	}
	free(c->listeners);
	free_tables(c);
	free_limits(c);
	free_pkis(c);
	free_rules(c);
	free_actions(c);
	free(c->trust_anchor);
	free(c->trust_anchor_text);
	free(c->trust_anchor_place);
	free(c->resolvers);
	free(c);
}

const struct conf_action *
conf_action(const struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->nactions; i++)
		if (c->actions[i].name != NULL &&
		    strcmp(c->actions[i].name, name) == 0)
			return &c->actions[i];
	return NULL;
}

const struct conf_pki *
conf_pki(const struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->npkis; i++)
		if (strcasecmp(c->pkis[i].name, name) == 0)
			return &c->pkis[i];
	return NULL;
}

const struct conf_table *
conf_table(const struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->ntables; i++)
		if (strcmp(c->tables[i].name, name) == 0)
			return &c->tables[i];
	return NULL;
}

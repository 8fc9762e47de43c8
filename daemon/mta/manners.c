#include "daemon/mta/manners.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mta/policy.h"
#include "lib/base/buf.h"
#include "lib/base/hmap.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define KEY_MAX (1u << 20)

struct usage { /* an action */
	char *name;
	struct choice *choice; /* NULL: why not */
	char why[POLICY_WHY_MAX];
};

struct manners {
	struct usage *all;
	size_t n;
	struct hmap *by_name; /* usage */
	struct hmap *by_key; /* manner, of this configuration */
};

struct manners *
manners_new(void)
{
	struct manners *ms = mem_zalloc(sizeof(*ms));

	ms->by_name = hmap_new();
	ms->by_key = hmap_new();
	return ms;
}

static uint64_t
hash(const char *text)
{
	return hmap_hash(text, strlen(text));
}

static void
put_list(struct buf *b, const char *what, const struct conf_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		buf_putf(b, " %s=%s>%s", what, l->pairs[i].key,
		    l->pairs[i].value == NULL ? "" : l->pairs[i].value);
}

/* Equal policies are one, so that its place stands for what it says. */
static char *
key_of(const struct manner *m, const struct conf_relay *r)
{
	struct buf *b = buf_new(KEY_MAX);
	char *key;

	buf_putf(b, "policy=%p via=%s", (void *)m->policy,
	    m->by_mx ? "" : m->via.key);
	put_list(b, "source", &r->source);
	put_list(b, "helo", &r->helo);
	buf_putf(b, " backup=%s", m->backup == NULL ? "" : m->backup);
	key = mem_strdup(buf_text(b));
	buf_free(b);
	return key;
}

static void
fill(struct manner *m, const struct conf *conf, const struct conf_relay *r)
{
	size_t i;

	m->sources = mem_zarray(r->source.n + 1, sizeof(*m->sources));
	for (i = 0; i < r->source.n; i++)
		m->sources[m->nsources++] = mem_strdup(r->source.pairs[i].key);
	m->names = mem_zarray(r->helo.n + 1, sizeof(*m->names));
	for (i = 0; i < r->helo.n; i++) {
		m->names[i].source = mem_strdup(r->helo.pairs[i].key);
		m->names[i].name = mem_strdup(r->helo.pairs[i].value);
	}
	m->nnames = r->helo.n;
	if (r->backup)
		m->backup = mem_strdup(
		    r->backup_name == NULL ? conf->hostname : r->backup_name);
}

static bool
set_target(struct manner *m, const struct conf_url *url)
{
	if (url == NULL)
		m->by_mx = true;
	else if (url->path != NULL)
		return target_set_path(&m->via, url->path);
	else
		return target_set(&m->via, url->host, url->port, NULL, 0);
	return true;
}

/* The one of before, when it says the same. */
static struct manner *
intern(struct manners *ms, const struct hmap *old, struct manner *m)
{
	uint64_t key = hash(m->key);
	struct manner *same = hmap_get(ms->by_key, key);

	if (same == NULL)
		same = hmap_get(old, key);
	if (same != NULL && strcmp(same->key, m->key) == 0) {
		manner_unref(m);
		m = manner_ref(same);
	}
	if (hmap_get(ms->by_key, key) == NULL)
		hmap_put(ms->by_key, key, manner_ref(m));
	return m;
}

static struct manner *
make(const struct conf *conf, const struct conf_action *a,
    const struct conf_url *url, char why[POLICY_WHY_MAX])
{
	struct manner *m = manner_new();

	m->policy = policy_new(conf, &a->relay, url, why);
	if (m->policy == NULL) {
		manner_unref(m);
		return NULL;
	}
	m->free_policy = policy_unref;
	if (!set_target(m, url)) {
		snprintf(why, POLICY_WHY_MAX, "its host has no valid name");
		manner_unref(m);
		return NULL;
	}
	m->action = mem_strdup(a->name);
	m->may_be_clear = policy_may_be_clear(m->policy);
	m->dane = !policy_no_tls(m->policy);
	fill(m, conf, &a->relay);
	m->key = key_of(m, &a->relay);
	return m;
}

static void
add(struct manners *ms, const struct hmap *old, const struct conf *conf,
    const struct conf_action *a)
{
	struct usage *u = &ms->all[ms->n++];
	size_t n = a->relay.nurls, i;
	struct choice *c;
	struct manner *m;

	u->name = mem_strdup(a->name);
	hmap_put(ms->by_name, hash(u->name), u);
	if (n == 0 && a->relay.via != NULL) {
		snprintf(
		    u->why, sizeof(u->why), "table %s is empty", a->relay.via);
		return;
	}
	c = choice_new(n == 0 ? 1 : n);
	for (i = 0; i < c->n; i++) {
		m = make(conf, a, n == 0 ? NULL : &a->relay.urls[i], u->why);
		if (m == NULL)
			break;
		c->manners[i] = intern(ms, old, m);
	}
	if (i < c->n) {
		log_err(
		    "action=%s event=unusable text=\"%s\"", a->name, u->why);
		choice_unref(c);
		return;
	}
	u->choice = c;
}

void
manners_configure(struct manners *ms, const struct conf *conf)
{
	struct hmap *old = ms->by_key;
	struct usage *before = ms->all;
	size_t nbefore = ms->n, i, at;
	struct manner *m;

	hmap_free(ms->by_name);
	ms->by_name = hmap_new();
	ms->by_key = hmap_new();
	ms->all = mem_zarray(conf->nactions + 1, sizeof(*ms->all));
	ms->n = 0;
	for (i = 0; i < conf->nactions; i++)
		if (conf->actions[i].kind == CONF_RELAY)
			add(ms, old, conf, &conf->actions[i]);
	for (i = 0; i < nbefore; i++) {
		choice_unref(before[i].choice);
		free(before[i].name);
	}
	free(before);
	HMAP_FOREACH(m, old, at)
		manner_unref(m);
	hmap_free(old);
}

struct choice *
manners_of(const struct manners *ms, const char *action, const char **why)
{
	const struct usage *u = hmap_get(ms->by_name, hash(action));

	*why = "its action is not in the configuration";
	if (u == NULL || strcmp(u->name, action) != 0)
		return NULL;
	*why = u->why;
	return u->choice;
}

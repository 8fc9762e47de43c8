#include "daemon/lookup/expand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/conf/lines.h"
#include "daemon/edge/ask.h"
#include "lib/base/hmap.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/mail/addr.h"

/* An address we have been at. */
struct seen {
	char *key;
	bool open; /* we stand below it: coming back here is a loop */
	struct seen *next;
};

struct expand {
	const struct expand_world *world;
	const char *client;
	char sender_key[ADDR_TEXT_MAX];
	enum expand_verdict first; /* why the first branch that failed did */
	bool trouble, wide;
	struct expand_target *targets;
	size_t n, octets;
	unsigned steps;
	struct hmap *seen;
	struct seen *list;
};

/* One address on the way. */
struct node {
	const struct node *parent;
	const struct conf_rule *rule;
	const struct addr *addr;
	unsigned depth;
	struct expand *e;
};

static void one(struct expand *e, const struct addr *a,
    const struct conf_rule *rule, const struct node *parent);

static const char *const verdicts[EXPAND_VERDICTS] = {
	[EXPAND_OK] = "",
	[EXPAND_REJECTED] = "550 5.7.1 relaying denied",
	[EXPAND_SYNTAX] = "550 5.1.3 no valid address",
	[EXPAND_NO_USER] = "550 5.1.1 no such user",
	[EXPAND_LOOP] = "550 5.4.6 alias loop",
	[EXPAND_WIDE] = "550 5.4.6 alias expands to too many recipients",
	[EXPAND_TROUBLE] = "451 4.3.0 lookup trouble, try again later",
};

const char *
expand_reply(enum expand_verdict v)
{
	return verdicts[v];
}

/* A branch ends without a target. */
static void
fail(struct expand *e, const struct addr *a, const struct node *parent,
    enum expand_verdict why)
{
	char text[ADDR_TEXT_MAX], shown[ADDR_TEXT_MAX + 50],
	    name[ADDR_TEXT_MAX];

	if (e->first == EXPAND_OK)
		e->first = why;
	if (why == EXPAND_TROUBLE)
		e->trouble = true;
	if (why == EXPAND_WIDE)
		e->wide = true;
	text_quote(shown, sizeof(shown), addr_text(text, a));
	trace(TRACE_EXPAND, "rcpt=%s result=\"%s\"", shown, verdicts[why]);
	/* Nobody but the administrator can mend an alias. */
	if (parent != NULL)
		log_warn("alias=%s event=dropped rcpt=%s reason=\"%s\"",
		    text_quote(name, sizeof(name), parent->addr->local), shown,
		    verdicts[why]);
}

static struct seen *
seen_find(const struct expand *e, const char *key)
{
	struct seen *s = hmap_get(e->seen, hmap_hash(key, strlen(key)));

	while (s != NULL && strcmp(s->key, key) != 0)
		s = s->next;
	return s;
}

static struct seen *
seen_add(struct expand *e, const char *key)
{
	struct seen *s = mem_zalloc(sizeof(*s));

	s->key = mem_strdup(key);
	s->next = hmap_put(e->seen, hmap_hash(key, strlen(key)), s);
	return s;
}

static void
add_target(struct expand *e, const struct node *n, const char *destination)
{
	const struct conf *c = e->world->rules.conf;
	const struct conf_action *action = &c->actions[n->rule->action];
	size_t len = strlen(destination) + strlen(action->name) + 32, i;
	char shown[ADDR_TEXT_MAX + 50];

	for (i = 0; i < e->n; i++)
		if (e->targets[i].action == action &&
		    strcasecmp(e->targets[i].destination, destination) == 0)
			return;
	if (e->n == ASK_TARGETS || len > EXPAND_OCTETS - e->octets) {
		fail(e, n->addr, n->parent, EXPAND_WIDE);
		return;
	}
	trace(TRACE_EXPAND, "dest=%s action=%s",
	    text_quote(shown, sizeof(shown), destination), action->name);
	e->octets += len;
	e->targets = mem_rearray(e->targets, e->n + 1, sizeof(e->targets[0]));
	e->targets[e->n].action = action;
	e->targets[e->n++].destination = mem_strdup(destination);
}

/* local@domain with the domain in lower case; local too when folded. */
static const char *
destination_of(char dst[ADDR_TEXT_MAX], const char *local, const char *domain)
{
	char *at;

	snprintf(dst, ADDR_TEXT_MAX, "%s@%s", local, domain);
	at = strrchr(dst, '@');
	text_lower(at);
	return dst;
}

/* The name without its +tag; false when there is none. A quoted name has no
 * tag. */
static bool
without_tag(char *dst, size_t size, const char *local)
{
	const char *plus = strchr(local, '+');

	if (plus == NULL || plus == local || local[0] == '"' ||
	    (size_t)(plus - local) >= size)
		return false;
	memcpy(dst, local, (size_t)(plus - local));
	dst[plus - local] = '\0';
	return true;
}

static enum rule_result
find_alias(const struct expand *e, const struct conf_rule *r, const char *local,
    const char *domain, const char **value)
{
	const struct expand_world *w = e->world;
	char key[ADDR_TEXT_MAX];
	enum rule_result found;

	snprintf(key, sizeof(key), "%s@%s", local, domain);
	found = w->alias(w->rules.arg, r->aliases, key, value);
	if (found != RULE_NO || local[0] == '\0')
		return found;
	return w->alias(w->rules.arg, r->aliases, local, value);
}

static bool
same_key(const struct addr *a, const struct addr *b)
{
	return strcasecmp(a->local, b->local) == 0 &&
	    strcasecmp(a->domain, b->domain) == 0;
}

static void deliver(struct expand *e, const struct node *n);

/* One word of an alias's value. */
static int
on_target(void *arg, const char *text)
{
	const struct node *n = arg;
	struct expand *e = n->e;
	char whole[ADDR_TEXT_MAX], shown[200], name[200];
	struct addr a;
	bool bare, last = text[0] == '\\';

	text += last;
	bare = strchr(text, '@') == NULL;
	snprintf(whole, sizeof(whole), "%s%s%s", text, bare ? "@" : "",
	    bare ? n->addr->domain : "");
	if (strchr("|/:", text[0]) != NULL || strlen(text) > 400 ||
	    addr_parse(&a, whole, strlen(whole), false, true) != ADDR_OK ||
	    addr_is_null(&a)) {
		/* To leave it out in silence would lose mail. */
		log_warn("alias=%s event=refused target=%s",
		    text_quote(name, sizeof(name), n->addr->local),
		    text_quote(shown, sizeof(shown), text));
		fail(e, n->addr, n->parent, EXPAND_TROUBLE);
		return -1;
	}
	/* ann: \ann, bob and ann: ann, bob end with ann herself. */
	if (same_key(&a, n->addr) || (last && bare))
		deliver(e,
		    &(struct node){ n->parent, n->rule, &a, n->depth + 1, e });
	else
		one(e, &a, bare ? n->rule : NULL, n);
	return e->trouble || e->wide ? -1 : 0;
}

/* Follows the alias of a node; false when it has none. */
static bool
follow(struct expand *e, struct node *n, const char *local)
{
	const char *value = "";
	enum rule_result found;
	char base[ADDR_LOCAL_MAX + 1];

	found = find_alias(e, n->rule, local, n->addr->domain, &value);
	if (found == RULE_NO && without_tag(base, sizeof(base), local))
		found = find_alias(e, n->rule, base, n->addr->domain, &value);
	if (found == RULE_NO)
		return false;
	if (found == RULE_TROUBLE) {
		fail(e, n->addr, n->parent, EXPAND_TROUBLE);
		return true;
	}
	if (value[strspn(value, " \t,")] == '\0')
		fail(e, n->addr, n->parent, EXPAND_NO_USER);
	else
		lines_targets(value, on_target, n);
	return true;
}

static enum rule_result
user_named(const struct expand *e, const struct conf_rule *r, const char *local,
    const char *domain)
{
	const struct expand_world *w = e->world;
	char key[ADDR_TEXT_MAX];
	enum rule_result found;

	if (r->users == CONF_USERS_ANY)
		return RULE_YES;
	if (r->users == CONF_USERS_SYSTEM) {
		snprintf(key, sizeof(key), "%s", local);
		text_lower(key);
		return w->user(w->rules.arg, key);
	}
	snprintf(key, sizeof(key), "%s@%s", local, domain);
	found = w->rules.has(w->rules.arg, r->users_table, key);
	if (found != RULE_NO)
		return found;
	return w->rules.has(w->rules.arg, r->users_table, local);
}

static enum rule_result
user_of(const struct expand *e, const struct conf_rule *r, const char *local,
    const char *domain)
{
	char base[ADDR_LOCAL_MAX + 1];
	enum rule_result found = user_named(e, r, local, domain);

	if (found == RULE_NO && without_tag(base, sizeof(base), local))
		found = user_named(e, r, base, domain);
	return found;
}

/* A name that becomes part of a path must not lead out of it, with its quotes
 * or without. */
static bool
path_ok(const char *local)
{
	static const char *const never[] = { ".", "..", "\".\"", "\"..\"" };
	size_t i;

	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (strcmp(local, never[i]) == 0)
			return false;
	return strchr(local, '/') == NULL;
}

/* No alias any more: a user, or a place to relay to. */
static void
deliver(struct expand *e, const struct node *n)
{
	const struct conf *c = e->world->rules.conf;
	char local[sizeof(n->addr->local)], dst[ADDR_TEXT_MAX];
	enum rule_result found;

	snprintf(local, sizeof(local), "%s", n->addr->local);
	/* What is delivered here has one spelling. */
	if (c->actions[n->rule->action].kind != CONF_RELAY) {
		text_lower(local);
		if (!path_ok(local)) {
			fail(e, n->addr, n->parent, EXPAND_NO_USER);
			return;
		}
	}
	found = user_of(e, n->rule, local, n->addr->domain);
	if (found == RULE_NO && strcasecmp(local, "postmaster") == 0) {
		snprintf(local, sizeof(local), "root");
		found = user_of(e, n->rule, local, n->addr->domain);
	}
	if (found == RULE_TROUBLE)
		fail(e, n->addr, n->parent, EXPAND_TROUBLE);
	else if (found == RULE_NO)
		fail(e, n->addr, n->parent, EXPAND_NO_USER);
	else
		add_target(e, n, destination_of(dst, local, n->addr->domain));
}

/* Its own alias, postmaster's by way of root, or the alias of all who have
 * none ("@domain"): but that is not for users there are. */
static void
resolve(struct expand *e, struct node *n)
{
	const struct conf_rule *r = n->rule;
	const char *local = n->addr->local, *domain = n->addr->domain;

	if (r->aliases != NULL) {
		if (follow(e, n, local))
			return;
		if (strcasecmp(local, "postmaster") == 0 &&
		    user_of(e, r, local, domain) == RULE_NO &&
		    follow(e, n, "root"))
			return;
		if ((r->users == CONF_USERS_ANY ||
			user_of(e, r, local, domain) == RULE_NO) &&
		    follow(e, n, ""))
			return;
	}
	deliver(e, n);
}

static enum rule_result
find_rule(struct expand *e, const struct addr *a, const char *client,
    const struct conf_rule **rule)
{
	struct rule_question q = { client, e->sender_key, a->domain };
	enum rule_result found = rule_find(&e->world->rules, &q, rule);
	char shown[2][ADDR_TEXT_MAX];

	if (trace_on(TRACE_RULES))
		trace(TRACE_RULES,
		    "client=%s sender=%s domain=%s line=%u result=%s", client,
		    text_quote(shown[0], sizeof(shown[0]), e->sender_key),
		    text_quote(shown[1], sizeof(shown[1]), a->domain),
		    *rule != NULL ? (*rule)->line : 0,
		    found == RULE_TROUBLE  ? "trouble"
			: found == RULE_NO ? "none"
			: (*rule)->accept  ? "accept"
					   : "reject");
	if (found == RULE_YES && !(*rule)->accept)
		found = RULE_NO;
	return found;
}

/* One address: rule is NULL for one that must find its own. */
static void
one(struct expand *e, const struct addr *address, const struct conf_rule *rule,
    const struct node *parent)
{
	struct node n = { parent, rule, address,
		parent != NULL ? parent->depth + 1 : 0, e };
	enum rule_result found = RULE_YES;
	char key[ADDR_TEXT_MAX];
	struct addr folded = *address;
	struct seen *s;

	text_lower(folded.domain);
	n.addr = &folded;
	s = seen_find(e, addr_key(key, &folded));
	if (s != NULL && !s->open)
		return;
	if (s != NULL || n.depth > EXPAND_DEPTH) {
		fail(e, &folded, parent, EXPAND_LOOP);
		return;
	}
	if (++e->steps > EXPAND_STEPS) {
		fail(e, &folded, parent, EXPAND_WIDE);
		return;
	}
	s = seen_add(e, key);
	s->open = true;
	if (rule == NULL) {
		found = find_rule(e, &folded, e->client, &n.rule);
		/* Mail that an alias of ours sends on is our own. */
		if (found == RULE_NO && parent != NULL)
			found = find_rule(e, &folded, "local", &n.rule);
	}
	if (found == RULE_TROUBLE)
		fail(e, &folded, parent, EXPAND_TROUBLE);
	else if (found == RULE_NO)
		fail(e, &folded, parent, EXPAND_REJECTED);
	else
		resolve(e, &n);
	s->open = false;
}

struct expand *
expand_run(const struct expand_world *w, const char *client, const char *sender,
    const char *recipient)
{
	struct expand *e = mem_zalloc(sizeof(*e));
	struct addr a;

	e->world = w;
	e->client = client;
	snprintf(e->sender_key, sizeof(e->sender_key), "%s", sender);
	text_lower(e->sender_key);
	e->seen = hmap_new();
	if (addr_parse(&a, recipient, strlen(recipient), true, true) !=
		ADDR_OK ||
	    addr_is_null(&a)) {
		e->first = EXPAND_SYNTAX;
		return e;
	}
	/* postmaster alone is ours. */
	if (a.domain[0] == '\0')
		snprintf(
		    a.domain, sizeof(a.domain), "%s", w->rules.conf->hostname);
	one(e, &a, NULL, NULL);
	return e;
}

void
expand_free(struct expand *e)
{
	struct seen *s, *next;
	size_t at, i;

	if (e == NULL)
		return;
	HMAP_FOREACH(s, e->seen, at) {
		for (; s != NULL; s = next) {
			next = s->next;
			free(s->key);
			free(s);
		}
	}
	hmap_free(e->seen);
	for (i = 0; i < e->n; i++)
		free(e->targets[i].destination);
	free(e->targets);
	free(e);
}

enum expand_verdict
expand_result(const struct expand *e)
{
	if (e->trouble)
		return EXPAND_TROUBLE;
	if (e->wide)
		return EXPAND_WIDE;
	if (e->n > 0)
		return EXPAND_OK;
	return e->first != EXPAND_OK ? e->first : EXPAND_NO_USER;
}

size_t
expand_count(const struct expand *e)
{
	return expand_result(e) == EXPAND_OK ? e->n : 0;
}

const struct expand_target *
expand_target(const struct expand *e, size_t i)
{
	return &e->targets[i];
}

/*
 * parse_rule - accept, reject and action statements
 *
 * A statement is put together in a draft, checked as a whole, and then moved
 * into the configuration.
 */
#include <netinet/in.h>

#include <arpa/inet.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/parse.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* One accept, reject or action statement while it is read. */
struct draft {
	struct conf_rule rule;
	struct conf_action action;
	bool has_action, has_for, has_users; /* has_action: relay or deliver */
	bool has_via, has_owner, has_ttl;
	char *name; /* action "NAME" */
	struct parse_place name_at;
};

static void
free_draft(struct draft *d)
{
	free(d->rule.from_what);
	free(d->rule.sender);
	free(d->rule.dest_what);
	free(d->rule.aliases);
	free(d->rule.users_table);
	free(d->action.path);
	free(d->action.owner);
	free(d->action.via_host);
	free(d->name);
}

static bool not(struct parse * p)
{
	if (p->tok.kind != LEX_NOT)
		return false;
	parse_next(p);
	return true;
}

static bool
is_network(const char *s)
{
	char address[INET6_ADDRSTRLEN];
	unsigned char octets[16];
	const char *slash = strchr(s, '/');
	size_t len = slash != NULL ? (size_t)(slash - s) : strlen(s);
	uint64_t bits;
	bool v6 = strchr(s, ':') != NULL;

	if (len >= sizeof(address))
		return false;
	memcpy(address, s, len);
	address[len] = '\0';
	if (inet_pton(v6 ? AF_INET6 : AF_INET, address, octets) != 1)
		return false;
	return slash == NULL || text_number(slash + 1, v6 ? 128 : 32, &bits);
}

static bool
on_from(struct parse *p, void *ctx)
{
	static const char what[] =
	    "any, local, a table, an address or a network";
	struct conf_rule *r = &((struct draft *)ctx)->rule;

	r->from_not = not(p);
	if (parse_accept(p, "any")) {
		r->from = CONF_FROM_ANY;
		return true;
	}
	if (parse_accept(p, "local")) {
		r->from = CONF_FROM_LOCAL;
		return true;
	}
	if (p->tok.kind == LEX_TABLE) {
		r->from = CONF_FROM_TABLE;
		return parse_table_use(p, &r->from_what);
	}
	if (p->tok.kind != LEX_WORD || !is_network(p->tok.text))
		return parse_expected(p, what);
	r->from = CONF_FROM_CIDR;
	return parse_value(p, what, &r->from_what);
}

static bool
on_sender(struct parse *p, void *ctx)
{
	static const char what[] = "an address, @domain, <> or a table";
	struct conf_rule *r = &((struct draft *)ctx)->rule;
	char *table = NULL;
	const char *at;

	r->sender_not = not(p);
	if (p->tok.kind == LEX_TABLE && p->tok.text[0] == '\0') {
		r->sender = mem_strdup("<>");
		parse_next(p);
		return true;
	}
	if (p->tok.kind == LEX_TABLE) {
		if (!parse_table_use(p, &table))
			return false;
		r->sender = mem_printf("<%s>", table);
		free(table);
		return true;
	}
	at = p->tok.kind == LEX_WORD ? strrchr(p->tok.text, '@') : NULL;
	if (at == NULL || !parse_domain_ok(at + 1) || p->tok.text[0] == '<' ||
	    strlen(p->tok.text) > 320)
		return parse_expected(p, what);
	if (!parse_value(p, what, &r->sender))
		return false;
	text_lower(r->sender);
	return true;
}

static bool
on_for_domain(struct parse *p, struct conf_rule *r)
{
	static const char what[] = "a domain, *.domain or a table";
	const char *s = p->tok.text;

	if (!r->for_not)
		r->for_not = not(p);
	if (p->tok.kind == LEX_TABLE) {
		r->dest = CONF_FOR_TABLE;
		return parse_table_use(p, &r->dest_what);
	}
	s = p->tok.text;
	if (p->tok.kind != LEX_WORD ||
	    !parse_domain_ok(strncmp(s, "*.", 2) == 0 ? s + 2 : s))
		return parse_expected(p, what);
	r->dest = CONF_FOR_DOMAIN;
	if (!parse_value(p, what, &r->dest_what))
		return false;
	text_lower(r->dest_what);
	return true;
}

static bool
on_for(struct parse *p, void *ctx)
{
	struct draft *d = ctx;
	struct conf_rule *r = &d->rule;

	d->has_for = true;
	r->for_not = not(p);
	if (p->tok.kind == LEX_TABLE)
		return on_for_domain(p, r);
	if (parse_accept(p, "domain"))
		return on_for_domain(p, r);
	if (parse_accept(p, "any"))
		r->dest = CONF_FOR_ANY;
	else if (parse_accept(p, "local"))
		r->dest = CONF_FOR_LOCAL;
	else
		return parse_expected(p, "any, local, domain or a table");
	return true;
}

static bool
on_alias(struct parse *p, void *ctx)
{
	struct draft *d = ctx;

	return parse_table_use(p, &d->rule.aliases);
}

static bool
on_users(struct parse *p, void *ctx)
{
	struct draft *d = ctx;

	d->has_users = true;
	if (parse_accept(p, "system")) {
		d->rule.users = CONF_USERS_SYSTEM;
	} else if (parse_accept(p, "any")) {
		d->rule.users = CONF_USERS_ANY;
	} else if (p->tok.kind == LEX_TABLE) {
		d->rule.users = CONF_USERS_TABLE;
		return parse_table_use(p, &d->rule.users_table);
	} else {
		return parse_expected(p, "system, any or a table");
	}
	return true;
}

static bool
one_action(struct parse *p, struct draft *d)
{
	if (d->has_action)
		return parse_error(p, "relay and deliver exclude each other");
	d->has_action = true;
	return true;
}

static bool
on_relay(struct parse *p, void *ctx)
{
	struct draft *d = ctx;

	d->action.kind = CONF_RELAY;
	return one_action(p, d);
}

/* The path of a delivery, whose %{...} are filled in later. */
static bool
path_template(struct parse *p, char **path)
{
	static const char *const known[] = { "%%", "%{user}", "%{tag}",
		"%{domain}" };
	const char *s = p->tok.text;
	size_t i;

	if (p->tok.kind != LEX_WORD)
		return parse_expected(p, "a path");
	while ((s = strchr(s, '%')) != NULL) {
		for (i = 0; i < COUNT(known); i++)
			if (strncmp(s, known[i], strlen(known[i])) == 0)
				break;
		if (i == COUNT(known))
			return parse_error(p,
			    "\"%.20s\" is none of %%{user}, %%{tag}, "
			    "%%{domain}, %%%%",
			    s);
		s += strlen(known[i]);
	}
	/* The agent knows where that is. */
	if (p->tok.text[0] == '~')
		return parse_value(p, "a path", path);
	return parse_path(p, path);
}

/* maildir PATH | mbox [PATH]: without its quotes a path must look like one,
 * for an option may follow. */
static bool
on_deliver(struct parse *p, void *ctx)
{
	struct draft *d = ctx;

	if (!one_action(p, d))
		return false;
	if (!parse_accept(p, "to"))
		return parse_expected(p, "to");
	if (parse_accept(p, "maildir")) {
		d->action.kind = CONF_MAILDIR;
		return path_template(p, &d->action.path);
	}
	if (!parse_accept(p, "mbox"))
		return parse_expected(p, "maildir or mbox");
	d->action.kind = CONF_MBOX;
	if (p->tok.kind == LEX_WORD &&
	    (p->tok.quoted || strchr("/~.%", p->tok.text[0]) != NULL))
		return path_template(p, &d->action.path);
	return true;
}

/* smtp://host[:port], where host may be an address, IPv6 in brackets. */
static bool
split_url(const char *url, char **host, uint16_t *port)
{
	static const char scheme[] = "smtp://";
	unsigned char octets[16];
	const char *end, *colon;
	uint64_t n = 25;
	char *h;
	bool ok;

	if (strncmp(url, scheme, strlen(scheme)) != 0)
		return false;
	url += strlen(scheme);
	end = url[0] == '[' ? strchr(url, ']') : NULL;
	colon = strchr(end != NULL ? end : url, ':');
	if (end != NULL && end[1] != '\0' && end[1] != ':')
		return false;
	if (colon != NULL && (!text_number(colon + 1, 65535, &n) || n == 0))
		return false;
	h = colon != NULL ? mem_strndup(url, (size_t)(colon - url))
			  : mem_strdup(url);
	text_lower(h);
	if (end != NULL) {
		h[end - url] = '\0';
		ok = inet_pton(AF_INET6, h + 1, octets) == 1 ||
		    inet_pton(AF_INET, h + 1, octets) == 1;
		h[end - url] = ']';
	} else {
		ok = parse_domain_ok(h) && strpbrk(h, "[]:") == NULL;
	}
	if (!ok) {
		free(h);
		return false;
	}
	*host = end == NULL && inet_pton(AF_INET, h, octets) == 1
	    ? mem_printf("[%s]", h)
	    : mem_strdup(h);
	free(h);
	*port = (uint16_t)n;
	return true;
}

static bool
on_via(struct parse *p, void *ctx)
{
	struct draft *d = ctx;

	d->has_via = true;
	if (p->tok.kind != LEX_WORD ||
	    !split_url(p->tok.text, &d->action.via_host, &d->action.via_port))
		return parse_expected(p, "\"smtp://host[:port]\"");
	parse_next(p);
	return true;
}

static bool
on_ttl(struct parse *p, void *ctx)
{
	struct draft *d = ctx;

	d->has_ttl = true;
	return parse_span(p, 365u * 86400u, &d->action.ttl);
}

static bool
on_owner(struct parse *p, void *ctx)
{
	struct draft *d = ctx;

	d->has_owner = true;
	if (!p->is_slice && geteuid() == 0 && p->tok.kind == LEX_WORD &&
	    getpwnam(p->tok.text) == NULL)
		return parse_error(
		    p, "there is no user \"%.60s\"", p->tok.text);
	return parse_name(p, "the name of a user", &d->action.owner);
}

static bool
on_action(struct parse *p, void *ctx)
{
	struct draft *d = ctx;

	d->name_at = (struct parse_place){ p->tok.file, p->tok.line };
	return parse_name(p, "the name of an action", &d->name);
}

/* Reports a fault of the statement as a whole, at its line. */
static bool
fault(struct parse *p, const char *text)
{
	lex_error(p->lex, p->statement.file, p->statement.line, "%s", text);
	return false;
}

static bool
check_action(struct parse *p, const struct draft *d)
{
	bool relay = d->has_action && d->action.kind == CONF_RELAY;

	if (d->has_via && !relay)
		return fault(p, "via: belongs to relay");
	if (d->has_ttl && !d->has_action)
		return fault(p, "ttl: belongs to relay or deliver");
	if (d->has_owner && (relay || !d->has_action))
		return fault(p, "owner: belongs to deliver");
	return true;
}

/* Moves the draft's action to the list. */
static bool
keep_action(struct parse *p, struct draft *d)
{
	struct conf *c = p->conf;

	if (d->name != NULL && conf_action(c, d->name) != NULL) {
		lex_error(p->lex, d->name_at.file, d->name_at.line,
		    "action: \"%s\" is defined twice", d->name);
		return false;
	}
	if (c->nactions == PARSE_LIST_MAX)
		return fault(p, "action: there are too many");
	c->actions =
	    mem_rearray(c->actions, c->nactions + 1, sizeof(c->actions[0]));
	p->actions =
	    mem_rearray(p->actions, c->nactions + 1, sizeof(p->actions[0]));
	p->actions[c->nactions] = p->statement;
	c->actions[c->nactions] = d->action;
	c->actions[c->nactions++].name = d->name;
	memset(&d->action, 0, sizeof(d->action));
	d->name = NULL;
	return true;
}

static void
use_action(struct parse *p, struct draft *d)
{
	struct parse_use *u;

	p->uses = mem_rearray(p->uses, p->nuses + 1, sizeof(p->uses[0]));
	u = &p->uses[p->nuses++];
	u->at = d->name_at;
	u->name = d->name;
	u->is_action = true;
	u->rule = p->conf->nrules;
	d->name = NULL;
}

static bool
keep_rule(struct parse *p, struct draft *d)
{
	struct conf *c = p->conf;
	bool acts = d->has_action || d->name != NULL;

	if (!d->has_for)
		return fault(p, "for: is missing: whose mail is it about?");
	if (d->rule.accept && !acts)
		return fault(p, "accept: needs deliver, relay or action");
	if (!d->rule.accept && acts)
		return fault(p, "reject: takes no deliver, relay or action");
	if (!d->rule.accept && (d->has_users || d->rule.aliases != NULL))
		return fault(p, "reject: takes no alias and no users");
	if (!check_action(p, d))
		return false;
	if (c->nrules == PARSE_LIST_MAX)
		return fault(p, "there are too many rules");
	/* What is relayed elsewhere has its users there. */
	if (!d->has_users && d->has_action && d->action.kind == CONF_RELAY)
		d->rule.users = CONF_USERS_ANY;
	d->rule.line = p->rule_line != 0 ? p->rule_line : p->statement.line;
	p->rule_line = 0;
	if (d->has_action) {
		d->rule.action = (unsigned)c->nactions;
		if (!keep_action(p, d))
			return false;
	} else if (d->name != NULL) {
		/* Which users there are depends on the action: see finish. */
		d->rule.action = d->has_users ? 0 : 1;
		use_action(p, d);
	}
	c->rules = mem_rearray(c->rules, c->nrules + 1, sizeof(c->rules[0]));
	p->rules = mem_rearray(p->rules, c->nrules + 1, sizeof(p->rules[0]));
	p->rules[c->nrules] = p->statement;
	c->rules[c->nrules++] = d->rule;
	memset(&d->rule, 0, sizeof(d->rule));
	return true;
}

static bool
rule(struct parse *p, bool accept)
{
	static const struct parse_word words[] = {
		{ "from", on_from, false },
		{ "sender", on_sender, false },
		{ "for", on_for, false },
		{ "alias", on_alias, false },
		{ "users", on_users, false },
		{ "deliver", on_deliver, false },
		{ "relay", on_relay, false },
		{ "via", on_via, false },
		{ "ttl", on_ttl, false },
		{ "owner", on_owner, false },
		{ "action", on_action, false },
	};
	struct draft d;
	uint32_t seen = 0;
	bool ok;

	memset(&d, 0, sizeof(d));
	d.rule.accept = accept;
	ok = parse_words(p, words, COUNT(words), &d, &seen) && keep_rule(p, &d);
	free_draft(&d);
	return ok;
}

bool
parse_rule_accept(struct parse *p, void *unused)
{
	(void)unused;
	return rule(p, true);
}

bool
parse_rule_reject(struct parse *p, void *unused)
{
	(void)unused;
	return rule(p, false);
}

bool
parse_rule_action(struct parse *p, void *unused)
{
	static const struct parse_word words[] = {
		{ "deliver", on_deliver, false },
		{ "relay", on_relay, false },
		{ "via", on_via, false },
		{ "ttl", on_ttl, false },
		{ "owner", on_owner, false },
	};
	struct draft d;
	uint32_t seen = 0;
	bool ok;

	(void)unused;
	memset(&d, 0, sizeof(d));
	ok = on_action(p, &d) && parse_words(p, words, COUNT(words), &d, &seen);
	if (ok && !d.has_action)
		ok = fault(p, "action: needs deliver or relay");
	ok = ok && check_action(p, &d) && keep_action(p, &d);
	free_draft(&d);
	return ok;
}

static const char *
nth_table(const void *list, size_t i)
{
	return ((const struct conf_table *)list)[i].name;
}

static const char *
nth_action(const void *list, size_t i)
{
	return ((const struct conf_action *)list)[i].name;
}

/* relay-1, relay-2, mbox-1: by kind, in order of appearance. */
static void
name_actions(struct conf *c)
{
	static const char *const kinds[] = { [CONF_RELAY] = "relay",
		[CONF_MAILDIR] = "maildir",
		[CONF_MBOX] = "mbox" };
	unsigned next[COUNT(kinds)] = { 0 };
	struct conf_action *a;
	char name[32];
	size_t i;

	for (i = 0; i < c->nactions; i++) {
		a = &c->actions[i];
		if (a->name != NULL)
			continue;
		do {
			snprintf(name, sizeof(name), "%s-%u", kinds[a->kind],
			    ++next[a->kind]);
		} while (conf_action(c, name) != NULL);
		a->name = mem_strdup(name);
	}
}

static void
resolve(struct parse *p, struct parse_use *u)
{
	struct conf *c = p->conf;
	const struct conf_action *a;
	struct conf_rule *r;
	char nearest[100], shown[100];

	if (u->is_action && (a = conf_action(c, u->name)) != NULL) {
		r = &c->rules[u->rule];
		if (r->action == 1 && a->kind == CONF_RELAY)
			r->users = CONF_USERS_ANY;
		r->action = (unsigned)(a - c->actions);
		return;
	}
	if (!u->is_action && conf_table(c, u->name) != NULL)
		return;
	if (u->is_action)
		parse_nearest(nearest, sizeof(nearest), u->name, nth_action,
		    c->actions, c->nactions);
	else
		parse_nearest(nearest, sizeof(nearest), u->name, nth_table,
		    c->tables, c->ntables);
	text_printable(shown, sizeof(shown), u->name);
	if (u->is_action)
		lex_error(p->lex, u->at.file, u->at.line,
		    "action: there is no action \"%s\"%s", shown, nearest);
	else
		lex_error(p->lex, u->at.file, u->at.line,
		    "there is no table <%s>%s", shown, nearest);
}

/* Started by root an agent runs as the user it delivers to: there must be
 * one. */
static void
check_owners(struct parse *p)
{
	const struct conf *c = p->conf;
	const struct conf_action *a;
	size_t i;

	for (i = 0; i < c->nrules; i++) {
		if (!c->rules[i].accept)
			continue;
		a = &c->actions[c->rules[i].action];
		if (a->kind == CONF_RELAY || a->owner != NULL ||
		    c->rules[i].users == CONF_USERS_SYSTEM)
			continue;
		lex_error(p->lex, p->rules[i].file, p->rules[i].line,
		    "users: who are not of the system need an owner for "
		    "action \"%s\" when root starts the daemon",
		    a->name);
	}
}

void
parse_rule_finish(struct parse *p)
{
	size_t i;

	name_actions(p->conf);
	for (i = 0; i < p->nuses; i++)
		resolve(p, &p->uses[i]);
	if (!p->is_slice && geteuid() == 0 && lex_errors(p->lex) == 0)
		check_owners(p);
}

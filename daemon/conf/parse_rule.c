/*
 * parse_rule - accept, reject and action statements
 *
 * A statement is put together in a draft, checked as a whole, and then moved
 * into the configuration.
 */
#include <netinet/in.h>

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/draft.h"
#include "daemon/conf/parse.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
free_draft(struct draft *d)
{
	free(d->rule.from_what);
	free(d->rule.sender);
	free(d->rule.dest_what);
	free(d->rule.aliases);
	free(d->rule.users_table);
	draft_free_action(&d->action);
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
on_action(struct parse *p, void *ctx)
{
	struct draft *d = ctx;

	d->name_at = (struct parse_place){ p->tok.file, p->tok.line };
	return parse_name(p, "the name of an action", &d->name);
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
		return draft_fault(p, "action: there are too many");
	c->actions =
	    mem_rearray(c->actions, c->nactions + 1, sizeof(c->actions[0]));
	p->actions =
	    mem_rearray(p->actions, c->nactions + 1, sizeof(p->actions[0]));
	p->actions[c->nactions] = p->statement;
	d->action.name = d->name;
	d->action.place = parse_place_text(&p->statement);
	c->actions[c->nactions++] = d->action;
	memset(&d->action, 0, sizeof(d->action));
	d->name = NULL;
	return true;
}

static void
use_action(struct parse *p, struct draft *d)
{
	struct parse_use *u = parse_use(p, PARSE_ACTION, d->name);

	u->at = d->name_at;
	u->rule = p->conf->nrules;
}

static bool
keep_rule(struct parse *p, struct draft *d)
{
	struct conf *c = p->conf;
	bool acts = d->has_action || d->name != NULL;

	if (!d->has_for)
		return draft_fault(
		    p, "for: is missing: whose mail is it about?");
	if (d->rule.accept && !acts)
		return draft_fault(p, "accept: needs deliver, relay or action");
	if (!d->rule.accept && acts)
		return draft_fault(
		    p, "reject: takes no deliver, relay or action");
	if (!d->rule.accept && (d->has_users || d->rule.aliases != NULL))
		return draft_fault(p, "reject: takes no alias and no users");
	if (!draft_check_action(p, d))
		return false;
	if (c->nrules == PARSE_LIST_MAX)
		return draft_fault(p, "there are too many rules");
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
	static const struct parse_word own[] = {
		{ "from", on_from, false },
		{ "sender", on_sender, false },
		{ "for", on_for, false },
		{ "alias", on_alias, false },
		{ "users", on_users, false },
		{ "action", on_action, false },
	};
	struct parse_word words[32];
	size_t n = COUNT(own);
	struct draft d;
	uint32_t seen = 0;
	bool ok;

	memset(&d, 0, sizeof(d));
	d.rule.accept = accept;
	assert(n + draft_word_count <= COUNT(words));
	memcpy(words, own, sizeof(own));
	memcpy(words + n, draft_words, draft_word_count * sizeof(words[0]));
	n += draft_word_count;
	ok = parse_words(p, words, n, &d, &seen) && keep_rule(p, &d);
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
	struct draft d;
	uint32_t seen = 0;
	bool ok;

	(void)unused;
	memset(&d, 0, sizeof(d));
	ok = on_action(p, &d) &&
	    parse_words(p, draft_words, draft_word_count, &d, &seen);
	if (ok && !d.has_action)
		ok = draft_fault(p, "action: needs deliver or relay");
	ok = ok && draft_check_action(p, &d) && keep_action(p, &d);
	free_draft(&d);
	return ok;
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
	name_actions(p->conf);
	parse_resolve(p);
	if (!p->is_slice && geteuid() == 0 && lex_errors(p->lex) == 0)
		check_owners(p);
}

/*
 * parse_resolve - the names that were used, at the end
 */
#include <stdio.h>
#include <string.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/parse.h"
#include "lib/base/text.h"

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

static const char *
nth_pki(const void *list, size_t i)
{
	return ((const struct conf_pki *)list)[i].name;
}

static void
unknown(struct parse *p, const struct parse_use *u)
{
	const struct conf *c = p->conf;
	char nearest[300] = "", shown[100];

	text_printable(shown, sizeof(shown), u->name);
	switch (u->what) {
	case PARSE_ACTION:
		parse_nearest(nearest, sizeof(nearest), u->name, nth_action,
		    c->actions, c->nactions);
		lex_error(p->lex, u->at.file, u->at.line,
		    "action: there is no action \"%s\"%s", shown, nearest);
		break;
	case PARSE_TABLE:
		parse_nearest(nearest, sizeof(nearest), u->name, nth_table,
		    c->tables, c->ntables);
		lex_error(p->lex, u->at.file, u->at.line,
		    "there is no table <%s>%s", shown, nearest);
		break;
	case PARSE_PKI:
		parse_nearest(nearest, sizeof(nearest), u->name, nth_pki,
		    c->pkis, c->npkis);
		lex_error(p->lex, u->at.file, u->at.line,
		    "pki: there is no pki \"%s\"%s", shown, nearest);
		break;
	}
}

static struct conf_table *
find_table(struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->ntables; i++)
		if (strcmp(c->tables[i].name, name) == 0)
			return &c->tables[i];
	return NULL;
}

static void
resolve(struct parse *p, const struct parse_use *u)
{
	struct conf *c = p->conf;
	const struct conf_action *a;
	struct conf_table *t;
	struct conf_rule *r;

	if (u->what == PARSE_ACTION && (a = conf_action(c, u->name)) != NULL) {
		r = &c->rules[u->rule];
		if (r->action == 1 && a->kind == CONF_RELAY)
			r->users = CONF_USERS_ANY;
		r->action = (unsigned)(a - c->actions);
	} else if (u->what == PARSE_TABLE &&
	    (t = find_table(c, u->name)) != NULL) {
		t->outgoing |= u->outgoing;
		t->secret |= u->secret;
	} else if (u->what != PARSE_PKI || conf_pki(c, u->name) == NULL) {
		unknown(p, u);
	}
}

/* Other roles are given the tables they use; passwords are the mta's. */
static void
keep_apart(struct parse *p, const struct parse_use *u)
{
	const struct conf_table *t;

	if (u->what != PARSE_TABLE || u->secret)
		return;
	t = conf_table(p->conf, u->name);
	if (t != NULL && t->secret)
		lex_error(p->lex, u->at.file, u->at.line,
		    "the table <%s> holds passwords, by auth: it cannot have "
		    "another use",
		    u->name);
}

void
parse_resolve(struct parse *p)
{
	size_t i;

	for (i = 0; i < p->nuses; i++)
		resolve(p, &p->uses[i]);
	for (i = 0; i < p->nuses; i++)
		keep_apart(p, &p->uses[i]);
}

/*
 * parse_table - table statements
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/parse.h"
#include "lib/base/hmap.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

static void
skip_lines(struct parse *p)
{
	while (p->tok.kind == LEX_EOL)
		parse_next(p);
}

/* Sizes grow by doubling. */
static void
grow(struct conf_table *t)
{
	size_t room;

	if (t->n != 0 && (t->n < 8 || (t->n & (t->n - 1)) != 0))
		return;
	room = t->n == 0 ? 8 : t->n * 2;
	t->keys = mem_rearray(t->keys, room, sizeof(t->keys[0]));
	t->values = mem_rearray(t->values, room, sizeof(t->values[0]));
}

static bool
entry(struct parse *p, struct conf_table *t, struct hmap *known)
{
	char *key = NULL, *value = NULL, *folded, *there;
	bool twice;

	if (p->tok.kind == LEX_WORD && p->tok.text[0] == '\0')
		return parse_expected(p, "a key");
	folded = p->tok.kind == LEX_WORD ? mem_strdup(p->tok.text) : NULL;
	if (folded == NULL)
		return parse_expected(p, "a key or }");
	text_lower(folded);
	there = hmap_get(known, hmap_hash(folded, strlen(folded)));
	twice = there != NULL && strcasecmp(there, folded) == 0;
	if (twice) {
		free(folded);
		return parse_error(
		    p, "the key \"%.60s\" is given twice", there);
	}
	parse_value(p, "a key", &key);
	if (p->tok.kind == LEX_EQUALS) {
		parse_next(p);
		if (!parse_value(p, "a value", &value)) {
			free(folded);
			free(key);
			return false;
		}
	}
	grow(t);
	t->keys[t->n] = key;
	t->values[t->n++] = value != NULL ? value : mem_strdup("");
	hmap_put(known, hmap_hash(folded, strlen(folded)), key);
	free(folded);
	return true;
}

static bool
entries(struct parse *p, struct conf_table *t)
{
	struct hmap *known = hmap_new();
	bool ok = true;

	parse_next(p);
	for (;;) {
		skip_lines(p);
		if (p->tok.kind == LEX_CLOSE)
			break;
		if (p->tok.kind == LEX_END) {
			lex_error(p->lex, p->statement.file, p->statement.line,
			    "table: the closing } is missing");
			ok = false;
			break;
		}
		ok = entry(p, t, known);
		if (!ok)
			break;
		skip_lines(p);
		if (p->tok.kind == LEX_COMMA) {
			parse_next(p);
		} else if (p->tok.kind != LEX_CLOSE && p->tok.kind != LEX_END) {
			ok = parse_expected(p, "a comma or }");
			break;
		}
	}
	hmap_free(known);
	if (ok)
		parse_next(p);
	return ok;
}

/* Steps over what is left of the braces a broken entry stands in. */
static void
leave_braces(struct parse *p)
{
	while (p->tok.kind != LEX_CLOSE && p->tok.kind != LEX_END)
		parse_next(p);
	if (p->tok.kind == LEX_CLOSE)
		parse_next(p);
}

bool
parse_table(struct parse *p, void *unused)
{
	struct conf *c = p->conf;
	struct conf_table *t;
	char *name = NULL;

	(void)unused;
	if (c->ntables == PARSE_LIST_MAX)
		return parse_error(p, "there are too many");
	if (p->tok.kind == LEX_WORD && conf_table(c, p->tok.text) != NULL)
		return parse_error(
		    p, "\"%.63s\" is defined twice", p->tok.text);
	if (!parse_name(p, "the name of a table", &name))
		return false;
	c->tables = mem_rearray(c->tables, c->ntables + 1, sizeof(*t));
	t = &c->tables[c->ntables++];
	memset(t, 0, sizeof(*t));
	t->name = name;
	t->line = p->statement.line;
	t->place = parse_place_text(&p->statement);
	if (p->tok.kind == LEX_WORD)
		return parse_file(p, "file:PATH or {", &t->path);
	if (p->tok.kind != LEX_OPEN)
		return parse_expected(p, "file:PATH or {");
	if (entries(p, t))
		return true;
	leave_braces(p);
	return false;
}

/*
 * parse_given - what files hold, on its way to a role
 *
 *	given table | certificate | key | ca | trust-anchor "NAME" { "...", }
 *
 * where the strings are base64, each by itself, of pieces of the content: any
 * octet passes. The content of a table is its keys and values in turn, with a
 * NUL behind each. The statement stands behind those that use it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/pairs.h"
#include "daemon/conf/parse.h"
#include "lib/base/base64.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool
piece(struct parse *p, struct buf *b)
{
	size_t len = strlen(p->tok.text);
	uint8_t *room;
	ssize_t n;

	if (p->tok.kind != LEX_WORD || len == 0)
		return parse_expected(p, "base64");
	room = buf_room(b, len / 4 * 3);
	if (room == NULL)
		return parse_error(p, "is too long");
	n = base64_decode(room, p->tok.text, len);
	if (n == -1)
		return parse_expected(p, "base64");
	buf_truncate(b, buf_len(b) - (len / 4 * 3 - (size_t)n));
	parse_next(p);
	return true;
}

/* { "...", "..." } with line ends anywhere. */
static bool
pieces(struct parse *p, struct buf *b)
{
	if (p->tok.kind != LEX_OPEN)
		return parse_expected(p, "{");
	parse_next(p);
	for (;;) {
		while (p->tok.kind == LEX_EOL || p->tok.kind == LEX_COMMA)
			parse_next(p);
		if (p->tok.kind == LEX_CLOSE)
			break;
		if (!piece(p, b))
			return false;
	}
	parse_next(p);
	return true;
}

static bool
rows(struct parse *p, struct conf_table *t, const char *s, size_t len)
{
	const char *end = s + len, *key, *value;
	size_t room = 0;

	if (len > 0 && end[-1] != '\0')
		return parse_error(p, "ends within a row");
	while (s < end) {
		key = s;
		s += strlen(s) + 1;
		if (s == end || *key == '\0')
			return parse_error(p, "a row is broken");
		value = s;
		s += strlen(s) + 1;
		if (t->n == room) {
			room = room == 0 ? 8 : 2 * room;
			t->keys =
			    mem_rearray(t->keys, room, sizeof(t->keys[0]));
			t->values =
			    mem_rearray(t->values, room, sizeof(t->values[0]));
		}
		t->keys[t->n] = mem_strdup(key);
		t->values[t->n++] = mem_strdup(value);
	}
	return true;
}

static bool
given_table(struct parse *p, const char *name, struct buf *b)
{
	struct conf *c = p->conf;
	struct conf_table *t;

	if (conf_table(c, name) != NULL || c->ntables == PARSE_LIST_MAX)
		return parse_error(p, "the table \"%s\" is known", name);
	c->tables = mem_rearray(c->tables, c->ntables + 1, sizeof(*t));
	t = &c->tables[c->ntables++];
	memset(t, 0, sizeof(*t));
	t->name = mem_strdup(name);
	t->given = true;
	t->line = p->statement.line;
	t->place = parse_place_text(&p->statement);
	return rows(p, t, buf_text(b), buf_len(b));
}

static bool
set_text(char **to, const struct buf *b)
{
	pairs_wipe(*to);
	*to = mem_strdup(buf_text(b));
	return true;
}

static bool
given_pki(struct parse *p, const char *name, const struct buf *b, bool key)
{
	struct conf *c = p->conf;
	size_t i;

	for (i = 0; i < c->npkis; i++)
		if (strcmp(c->pkis[i].name, name) == 0)
			return set_text(key ? &c->pkis[i].key_pem
					    : &c->pkis[i].certificate_pem,
			    b);
	return parse_error(p, "there is no pki \"%.60s\"", name);
}

static bool
given_ca(struct parse *p, const char *path, const struct buf *b)
{
	struct conf *c = p->conf;
	struct conf_relay *r;
	bool used = false;
	size_t i;

	for (i = 0; i < c->nactions; i++) {
		r = &c->actions[i].relay;
		if (r->ca != NULL && strcmp(r->ca, path) == 0)
			used = set_text(&r->ca_pem, b);
	}
	return used || parse_error(p, "nobody has use of it");
}

static bool
given(struct parse *p, const char *kind, const char *name, struct buf *b)
{
	struct conf *c = p->conf;

	if (strcmp(kind, "table") == 0)
		return given_table(p, name, b);
	/* All the others are text. */
	if (memchr(buf_text(b), '\0', buf_len(b)) != NULL)
		return parse_error(p, "a NUL in a text");
	if (strcmp(kind, "ca") == 0)
		return given_ca(p, name, b);
	if (strcmp(kind, "trust-anchor") != 0)
		return given_pki(p, name, b, strcmp(kind, "key") == 0);
	if (c->trust_anchor == NULL || strcmp(c->trust_anchor, name) != 0)
		return parse_error(p, "there is no such trust-anchor");
	return set_text(&c->trust_anchor_text, b);
}

bool
parse_given(struct parse *p, void *unused)
{
	static const char *const kinds[] = { "table", "certificate", "key",
		"ca", "trust-anchor" };
	char *name = NULL;
	struct buf *b;
	size_t i;
	bool ok;

	(void)unused;
	if (!p->is_slice)
		return parse_error(p, "is a statement of the daemon's own");
	for (i = 0; i < COUNT(kinds); i++)
		if (parse_accept(p, kinds[i]))
			break;
	if (i == COUNT(kinds))
		return parse_expected(p, "a kind of content");
	ok = i == 0 ? parse_name(p, "the name of a table", &name)
		    : parse_value(p, "a name", &name);
	if (!ok)
		return false;
	b = buf_new(CONF_TEXT_MAX);
	ok = pieces(p, b) && given(p, kinds[i], name, b);
	buf_free(b);
	free(name);
	return ok;
}

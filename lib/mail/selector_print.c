#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/text.h"
#include "lib/mail/selector_tree.h"

#define DAY 86400
#define MINUTE 60
#define CARET_BEFORE 50 /* octets shown before the column, and behind it */
#define CARET_BEHIND 25

static const char *const signs[OPS] = {
	[OP_EQ] = "=",
	[OP_NE] = "!=",
	[OP_LT] = "<",
	[OP_LE] = "<=",
	[OP_GT] = ">",
	[OP_GE] = ">=",
	[OP_LIKE] = "~",
	[OP_UNLIKE] = "!~",
};

static bool
is_word(const char *s)
{
	return *s != '\0' &&
	    strspn(s,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789@.*?_+:-") == strlen(s);
}

static void
put_text(struct buf *b, const char *s)
{
	size_t n, left = strlen(s);

	if (is_word(s)) {
		buf_puts(b, s);
		return;
	}
	buf_puts(b, "\"");
	for (; left > 0; s += n, left -= n) {
		n = text_utf8_len(s, left);
		if (n == 0 || (unsigned char)*s < ' ' || *s == 0x7f) {
			n = 1;
			buf_putf(b, "\\x%02x", (unsigned char)*s);
		} else {
			if (*s == '"' || *s == '\\')
				buf_puts(b, "\\");
			buf_put(b, s, n);
		}
	}
	buf_puts(b, "\"");
}

static void
put_ere(struct buf *b, const struct item *i)
{
	const char *s;

	buf_puts(b, "/");
	for (s = i->text; *s != '\0'; s++) {
		if (*s == '/')
			buf_puts(b, "\\");
		buf_put(b, s, 1);
		if (*s == '\\' && s[1] != '\0')
			buf_put(b, ++s, 1);
	}
	buf_puts(b, i->fold ? "/i" : "/");
}

static void
put_scaled(struct buf *b, int64_t v, const char *units, const int64_t *of)
{
	for (; *units != '\0'; units++, of++)
		if (v != 0 && v % *of == 0) {
			buf_putf(b, "%" PRId64 "%c", v / *of, *units);
			return;
		}
	buf_putf(b, "%" PRId64, v);
}

/* 1d12h, without loss. */
static void
put_span(struct buf *b, int64_t v)
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = { { 7 * DAY, 'w' }, { DAY, 'd' }, { 3600, 'h' },
		{ MINUTE, 'm' }, { 1, 's' } };
	size_t i;

	if (v < 0) {
		buf_puts(b, "-");
		v = -v;
	}
	if (v == 0)
		buf_puts(b, "0s");
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (v >= units[i].seconds)
			buf_putf(b, "%" PRId64 "%c", v / units[i].seconds,
			    units[i].unit);
		v %= units[i].seconds;
	}
}

static void
put_number(struct buf *b, enum kind kind, int64_t v)
{
	static const int64_t sizes[] = { INT64_C(1) << 40, INT64_C(1) << 30,
		INT64_C(1) << 20, INT64_C(1) << 10 };
	char text[TEXT_TIME_MAX];

	switch (kind) {
	case KIND_SIZE:
		put_scaled(b, v, "TGMK", sizes);
		break;
	case KIND_SPAN:
		put_span(b, v);
		break;
	case KIND_TIME:
		buf_puts(b, text_time(text, v));
		break;
	default:
		buf_putf(b, "%" PRId64, v);
	}
}

/* A day or a minute as such. */
static void
put_time(struct buf *b, const struct item *i)
{
	char text[TEXT_TIME_MAX];

	text_time(text, i->lo);
	if (i->hi - i->lo == DAY - 1 && (i->lo % DAY + DAY) % DAY == 0)
		buf_put(b, text, 10);
	else if (i->hi - i->lo == MINUTE - 1 &&
	    (i->lo % MINUTE + MINUTE) % MINUTE == 0)
		buf_putf(b, "%.16sZ", text);
	else
		buf_puts(b, text);
}

static bool
one_time(const struct item *i)
{
	int64_t width = i->hi - i->lo + 1;

	return width == 1 ||
	    (width == MINUTE && (i->lo % MINUTE + MINUTE) % MINUTE == 0) ||
	    (width == DAY && (i->lo % DAY + DAY) % DAY == 0);
}

static void
put_ordered(struct buf *b, const struct test *t, const struct item *i)
{
	enum kind kind = selector_fields[t->field].kind;

	if (kind == KIND_TIME &&
	    ((t->op != OP_EQ && t->op != OP_NE) || one_time(i))) {
		put_time(b, i);
		return;
	}
	put_number(b, kind, i->lo);
	if (i->lo == i->hi)
		return;
	buf_puts(b, "..");
	put_number(b, kind, i->hi);
}

static void
put_net(struct buf *b, const struct item *i)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool v4 = i->bits >= 96 && memcmp(i->net, mapped, 12) == 0;
	char text[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? i->net + 12 : i->net, text,
	    sizeof(text));
	buf_puts(b, text);
	if (i->bits < 128)
		buf_putf(b, "/%u", v4 ? i->bits - 96 : i->bits);
}

static void
put_item(struct buf *b, const struct test *t, const struct item *i)
{
	char id[IDENT_TEXT_MAX];

	if (i->re != NULL) {
		put_ere(b, i);
		return;
	}
	if (t->op == OP_LIKE || t->op == OP_UNLIKE) {
		put_text(b, i->text);
		return;
	}
	switch (selector_fields[t->field].kind) {
	case KIND_ID:
	case KIND_MSGID:
		if (i->lo == i->hi)
			buf_puts(b, ident_evpid_text(id, (uint64_t)i->lo));
		else
			buf_puts(b,
			    ident_msgid_text(id, ident_msgid((uint64_t)i->lo)));
		break;
	case KIND_NUMBER:
	case KIND_SIZE:
	case KIND_SPAN:
	case KIND_TIME:
		put_ordered(b, t, i);
		break;
	case KIND_NET:
		put_net(b, i);
		break;
	default:
		put_text(b, i->text);
	}
}

static void
put_words(struct buf *b, const struct test *t)
{
	const char *const *w = selector_fields[t->field].words;
	bool first = true;
	unsigned i;

	for (i = 0; w[i] != NULL; i++) {
		if ((t->words & 1u << i) == 0)
			continue;
		buf_putf(b, "%s%s", first ? "" : ", ", w[i]);
		first = false;
	}
}

static void
put_test(struct buf *b, const struct test *t)
{
	enum kind kind = selector_fields[t->field].kind;
	bool list =
	    kind == KIND_WORD ? (t->words & (t->words - 1)) != 0 : t->n > 1;
	size_t i;

	buf_puts(b, selector_fields[t->field].name);
	if (t->header != NULL)
		buf_putf(b, ".\"%s\"", t->header);
	if (t->op == OP_HAS)
		return;
	buf_putf(b, " %s %s", list && t->op == OP_EQ ? "in" : signs[t->op],
	    list ? "(" : "");
	if (kind == KIND_WORD)
		put_words(b, t);
	for (i = 0; i < t->n; i++) {
		if (i > 0)
			buf_puts(b, ", ");
		put_item(b, t, &t->items[i]);
	}
	if (list)
		buf_puts(b, ")");
}

static const char *
name_of(enum node_kind kind)
{
	switch (kind) {
	case NODE_ANY:
		return "any";
	case NODE_EVERY:
		return "all";
	case NODE_NONE:
		return "none";
	case NODE_AND:
		return "and";
	case NODE_OR:
		return "or";
	case NODE_NOT:
		return "not";
	default:
		return "all";
	}
}

static void
put_node(struct buf *b, const struct node *n, enum node_kind within)
{
	bool chain = n->kind == NODE_AND || n->kind == NODE_OR;
	bool group = chain && (within == NODE_NOT || within == NODE_AND);
	const struct node *c;

	switch (n->kind) {
	case NODE_TEST:
		put_test(b, n->test);
		return;
	case NODE_ALL:
		buf_puts(b, "all");
		return;
	case NODE_NOT:
		buf_puts(b, "!");
		put_node(b, n->child, NODE_NOT);
		return;
	case NODE_AND:
	case NODE_OR:
		buf_puts(b, group ? "(" : "");
		for (c = n->child; c != NULL; c = c->next) {
			put_node(b, c, n->kind);
			if (c->next != NULL)
				buf_puts(
				    b, n->kind == NODE_AND ? " && " : " || ");
		}
		buf_puts(b, group ? ")" : "");
		return;
	default:
		buf_putf(b, "%s(", name_of(n->kind));
		put_node(b, n->child, n->kind);
		buf_puts(b, ")");
	}
}

void
selector_print(const struct selector *s, struct buf *b)
{
	put_node(b, s->root, NODE_ALL);
}

/* Where the answer to a test comes from. */
static const char *
cost_of(const struct node *n)
{
	const struct field *f;

	if (n->kind >= NODE_ANY)
		return "asks each envelope of the message";
	if (n->test == NULL)
		return NULL;
	f = &selector_fields[n->test->field];
	if ((f->flags & FIELD_MESSAGE) != 0)
		return "scan: opens the message";
	if ((f->flags & FIELD_SIBLINGS) != 0)
		return "asks each envelope of the message";
	if ((f->base == SELECT_ID || f->base == SELECT_MSGID) &&
	    n->test->op == OP_EQ)
		return "index: found by id";
	return "index";
}

static void
explain(struct buf *b, const struct node *n, unsigned depth)
{
	const char *cost = cost_of(n);
	const struct node *c;

	buf_putf(b, "%*s", (int)(2 * depth), "");
	if (n->kind == NODE_TEST)
		put_test(b, n->test);
	else if (n->kind >= NODE_ANY)
		buf_putf(b, "%s()", name_of(n->kind));
	else
		buf_puts(b, n->kind == NODE_ALL ? "all" : name_of(n->kind));
	if (cost != NULL)
		buf_putf(b, "  (%s)", cost);
	buf_putf(b, "  asked %" PRIu64 ", held %" PRIu64 "\n",
	    atomic_load_explicit(&n->asked, memory_order_relaxed),
	    atomic_load_explicit(&n->held, memory_order_relaxed));
	for (c = n->child; c != NULL; c = c->next)
		explain(b, c, depth + 1);
}

void
selector_explain(const struct selector *s, struct buf *b)
{
	explain(b, s->root, 0);
}

/* Text from a user for one line of a terminal; returns how many columns it
 * takes, a character each. */
static size_t
put_plain(struct buf *b, const char *s, size_t len)
{
	size_t n, columns = 0;

	for (; len > 0; s += n, len -= n, columns++) {
		n = text_utf8_len(s, len);
		if (n > 0 && (unsigned char)*s >= ' ' && *s != 0x7f) {
			buf_put(b, s, n);
			continue;
		}
		n = 1;
		buf_puts(b, *s == '\t' || *s == '\n' ? " " : "?");
	}
	return columns;
}

static bool
within_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

void
selector_complain(
    const char *text, const struct selector_error *e, struct buf *b)
{
	size_t len = strlen(text), from = 0, to = len, columns, at = e->column;

	if (at > len)
		at = len;
	if (at > CARET_BEFORE)
		from = at - CARET_BEFORE;
	while (from < at && within_character(text[from]))
		from++;
	if (to > at + CARET_BEHIND)
		to = at + CARET_BEHIND;
	while (to > at && to < len && within_character(text[to]))
		to--;
	buf_putf(b, "%s\n  %s", e->text, from > 0 ? "..." : "");
	columns = put_plain(b, text + from, at - from);
	put_plain(b, text + at, to - at);
	buf_putf(b, "%s\n  %*s^\n", to < len ? "..." : "",
	    (int)(columns + (from > 0 ? 3 : 0)), "");
}

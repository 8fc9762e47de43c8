#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/mail/selector_tree.h"

static struct node *parse_or(struct parser *p);

static struct node *
node_new(enum node_kind kind)
{
	struct node *n = mem_zalloc(sizeof(*n));

	n->kind = kind;
	return n;
}

static void
test_free(struct test *t)
{
	size_t i;

	if (t == NULL)
		return;
	for (i = 0; i < t->n; i++) {
		if (t->items[i].re != NULL)
			regfree(t->items[i].re);
		free(t->items[i].re);
		free(t->items[i].text);
	}
	free(t->items);
	free(t->header);
	free(t);
}

static void
node_free(struct node *n)
{
	struct node *next;

	for (; n != NULL; n = next) {
		next = n->next;
		node_free(n->child);
		test_free(n->test);
		free(n);
	}
}

/* Takes child; one of the parent's own kind leaves its children instead. */
static void
adopt(struct node *parent, struct node *child)
{
	struct node *first = child, *last = child;

	if (child->kind == parent->kind) {
		first = child->child;
		last = child->last;
		free(child);
	}
	if (parent->child == NULL)
		parent->child = first;
	else
		parent->last->next = first;
	parent->last = last;
}

static struct node *
negate(struct node *n)
{
	struct node *other;

	if (n->kind == NODE_NOT) {
		other = n->child;
		free(n);
		return other;
	}
	other = node_new(NODE_NOT);
	other->child = other->last = n;
	return other;
}

static int
deeper(struct parser *p)
{
	if (p->depth == SELECTOR_DEPTH)
		return selector_fail(p, p->at,
		    "more than %d parentheses and negations within each other",
		    SELECTOR_DEPTH);
	p->depth++;
	return 0;
}

/* The name of a header field: hdr."X-Name" or hdr.X-Name, p->at behind hdr. */
static int
header_name(struct parser *p, struct test *t, size_t column)
{
	size_t n;
	char *s;

	if (p->at < p->len && p->text[p->at] == '.')
		p->at++;
	else
		return selector_fail(p, column,
		    "hdr wants the name of a header field, as in "
		    "hdr.\"List-Id\"");
	if (p->at < p->len && p->text[p->at] == '"') {
		for (n = p->at + 1; n < p->len && p->text[n] != '"'; n++)
			;
		if (n == p->len)
			return selector_fail(
			    p, p->at, "the closing quote is missing");
		t->header = mem_strndup(p->text + p->at + 1, n - p->at - 1);
		p->at = n + 1;
	} else {
		n = lex_name(p);
		t->header = mem_strndup(p->text + p->at, n);
		p->at += n;
	}
	/* RFC 5322 section 2.2 */
	for (s = t->header; *s > ' ' && *s < 0x7f && *s != ':' && *s != '\\';)
		s++;
	if (*s != '\0' || s == t->header)
		return selector_fail(
		    p, column, "this is no name of a header field");
	text_lower(t->header);
	return 0;
}

static int
no_field(struct parser *p, size_t n)
{
	char near[160] = "", shown[LEX_SHOWN];
	char *name = mem_strndup(p->text + p->at, n);

	selector_near_field(near, sizeof(near), name);
	lex_show(shown, name, n);
	free(name);
	return selector_fail(p, p->at, "there is no field %s%s", shown, near);
}

static int
parse_field(struct parser *p, struct test *t)
{
	size_t n = lex_name(p), column = p->at;
	char name[32] = "";

	if (n == 0 && lex_ends(p))
		return selector_fail(p, p->at,
		    "here a test is wanted, as in rcpt.domain = example.org");
	if (n == 0 && (p->text[p->at] == '"' || p->text[p->at] == '/'))
		return selector_fail(p, p->at,
		    "a test begins with the name of a field, as in "
		    "rcpt.domain = example.org");
	if (n == 0)
		return no_field(p, strcspn(p->text + p->at, " \t\r\n()"));
	if (n >= 3 && memcmp(p->text + p->at, "hdr", 3) == 0 &&
	    (n == 3 || p->text[p->at + 3] == '.')) {
		t->field = SELECT_HDR;
		p->at += 3;
		return header_name(p, t, column);
	}
	if (n < sizeof(name))
		memcpy(name, p->text + p->at, n);
	t->field = selector_field_of(name);
	if (t->field == SELECT_FIELDS)
		return no_field(p, n);
	p->at += n;
	return 0;
}

static int
parse_values(struct parser *p, struct test *t)
{
	struct raw r = { .text = NULL };
	size_t open;

	lex_blanks(p);
	open = p->at;
	if (!lex_char(p, '(')) {
		if (lex_value(p, t->op, &r) == -1) {
			free(r.text);
			return -1;
		}
		return check_value(p, t, &r);
	}
	if (t->op >= OP_LT && t->op <= OP_GE)
		return selector_fail(
		    p, open, "a list goes with = != ~ !~ or in");
	do {
		if (lex_value(p, t->op, &r) == -1) {
			free(r.text);
			return -1;
		}
		if (check_value(p, t, &r) == -1)
			return -1;
		lex_blanks(p);
	} while (lex_char(p, ','));
	if (lex_char(p, ')'))
		return 0;
	if (p->at >= p->len)
		return selector_fail(
		    p, open, "the closing parenthesis of the list is missing");
	return selector_fail(p, p->at,
	    "in a list commas stand between the values; put quotes around a "
	    "text with blanks");
}

/* held = no is !held; both, or neither, is everything, or nothing. */
static struct node *
flag_node(struct node *n, bool differs)
{
	unsigned says = n->test->words ^ (differs ? 3u : 0u);

	n->test->op = OP_HAS;
	n->test->words = 0;
	if (says == 0 || says == 3u) {
		test_free(n->test);
		n->test = NULL;
		n->kind = NODE_ALL;
	}
	return (says & 1u) != 0 ? n : negate(n);
}

static struct node *
parse_test(struct parser *p)
{
	struct node *n = node_new(NODE_TEST);
	struct test *t = n->test = mem_zalloc(sizeof(*t));
	size_t column = p->at;
	int rc;

	if (p->tests++ == SELECTOR_TESTS) {
		selector_fail(p, p->at, "more than %d tests", SELECTOR_TESTS);
		goto bad;
	}
	if (parse_field(p, t) == -1)
		goto bad;
	lex_blanks(p);
	if (!lex_ends(p))
		column = p->at;
	rc = lex_op(p, selector_fields[t->field].kind);
	if (rc == -1)
		goto bad;
	t->op = (enum op)rc;
	if (check_op(p, t, column) == -1)
		goto bad;
	if (t->op == OP_HAS)
		return n;
	if (parse_values(p, t) == -1)
		goto bad;
	check_list(t);
	if (selector_fields[t->field].kind == KIND_FLAG)
		return flag_node(n, t->op == OP_NE);
	return n;
bad:
	node_free(n);
	return NULL;
}

static struct node *
parse_group(struct parser *p, size_t open)
{
	struct node *n;

	if (deeper(p) == -1)
		return NULL;
	n = parse_or(p);
	p->depth--;
	if (n == NULL || lex_char(p, ')'))
		return n;
	if (p->at >= p->len)
		selector_fail(p, open, "the closing parenthesis is missing");
	else
		selector_fail(p, p->at, "here && or || or ) is wanted");
	node_free(n);
	return NULL;
}

static struct node *
parse_quantifier(struct parser *p, enum node_kind kind, size_t column)
{
	struct node *q, *n;

	if (p->quantified) {
		selector_fail(p, column,
		    "any(), all() and none() do not stand within each other: "
		    "each is about the whole message");
		return NULL;
	}
	p->quantified = true;
	n = parse_group(p, p->at - 1);
	p->quantified = false;
	if (n == NULL)
		return NULL;
	q = node_new(kind);
	q->child = q->last = n;
	return q;
}

/* A test, a quantifier, or the word all. */
static struct node *
parse_name(struct parser *p)
{
	static const struct {
		const char *name;
		enum node_kind kind;
	} quantifiers[] = {
		{ "any", NODE_ANY },
		{ "all", NODE_EVERY },
		{ "none", NODE_NONE },
	};
	size_t n = lex_name(p), start = p->at, i;

	for (i = 0; i < sizeof(quantifiers) / sizeof(quantifiers[0]); i++) {
		if (strlen(quantifiers[i].name) != n ||
		    memcmp(quantifiers[i].name, p->text + p->at, n) != 0)
			continue;
		p->at += n;
		if (lex_char(p, '('))
			return parse_quantifier(p, quantifiers[i].kind, start);
		if (quantifiers[i].kind == NODE_EVERY && lex_ends(p))
			return node_new(NODE_ALL);
		selector_fail(p, start,
		    "%s wants a test in parentheses, as in %s(held)",
		    quantifiers[i].name, quantifiers[i].name);
		return NULL;
	}
	return parse_test(p);
}

static struct node *
parse_unary(struct parser *p)
{
	struct node *n;

	lex_blanks(p);
	if (lex_char(p, '!')) {
		if (deeper(p) == -1)
			return NULL;
		n = parse_unary(p);
		p->depth--;
		return n == NULL ? NULL : negate(n);
	}
	if (lex_char(p, '('))
		return parse_group(p, p->at - 1);
	return parse_name(p);
}

/* Operands of kind with sign twice between. */
static struct node *
parse_chain(struct parser *p, enum node_kind kind, char sign,
    struct node *(*operand)(struct parser *p))
{
	struct node *n = operand(p), *chain = NULL;

	while (n != NULL && lex_pair(p, sign)) {
		if (chain == NULL) {
			chain = node_new(kind);
			adopt(chain, n);
		}
		n = operand(p);
		if (n != NULL)
			adopt(chain, n);
	}
	if (n == NULL) {
		node_free(chain);
		return NULL;
	}
	return chain == NULL ? n : chain;
}

static struct node *
parse_and(struct parser *p)
{
	return parse_chain(p, NODE_AND, '&', parse_unary);
}

static struct node *
parse_or(struct parser *p)
{
	return parse_chain(p, NODE_OR, '|', parse_and);
}

static int
check_text(struct parser *p)
{
	size_t n;

	if (p->len > SELECTOR_TEXT_MAX)
		return selector_fail(
		    p, 0, "more than %d octets", SELECTOR_TEXT_MAX);
	for (p->at = 0; p->at < p->len; p->at += n) {
		n = text_utf8_len(p->text + p->at, p->len - p->at);
		if (n == 0)
			return selector_fail(p, p->at, "not UTF-8");
		if (n == 1 &&
		    ((unsigned char)p->text[p->at] < ' ' ||
			p->text[p->at] == 0x7f) &&
		    strchr("\t\r\n", p->text[p->at]) == NULL)
			return selector_fail(p, p->at, "a control character");
	}
	p->at = 0;
	lex_blanks(p);
	if (p->at == p->len)
		return selector_fail(p, 0,
		    "the selector is empty; the word all selects everything");
	return 0;
}

static int
at_end(struct parser *p)
{
	char shown[LEX_SHOWN];

	lex_blanks(p);
	if (p->at >= p->len)
		return 0;
	if (p->text[p->at] == ')')
		return selector_fail(
		    p, p->at, "a closing parenthesis without an opening one");
	if (p->text[p->at] == ',')
		return selector_fail(p, p->at,
		    "a list stands in parentheses: field in (one, two)");
	if (p->text[p->at] == '&' || p->text[p->at] == '|')
		return selector_fail(p, p->at, "did you mean %c%c?",
		    p->text[p->at], p->text[p->at]);
	lex_show(shown, p->text + p->at, strcspn(p->text + p->at, " \t\r\n()"));
	return selector_fail(p, p->at,
	    "%s: here && or || is wanted; a text with blanks is put in quotes",
	    shown);
}

/* Notes what the tree asks for. */
static void
note_uses(struct selector *s, const struct node *n)
{
	const struct field *f;

	for (; n != NULL; n = n->next) {
		if (n->kind >= NODE_ANY)
			s->siblings = true;
		if (n->test != NULL) {
			f = &selector_fields[n->test->field];
			s->uses[n->test->field] = true;
			s->uses[f->base] = true;
			s->message |= (f->flags & FIELD_MESSAGE) != 0;
			s->siblings |= (f->flags & FIELD_SIBLINGS) != 0;
			s->arrival &= (f->flags & FIELD_ARRIVAL) != 0;
		}
		note_uses(s, n->child);
	}
}

struct selector *
selector_parse(const char *text, int64_t now, struct selector_error *e)
{
	struct parser p = {
		.text = text, .len = strlen(text), .now = now, .e = e
	};
	struct selector *s;
	struct node *root;

	memset(e, 0, sizeof(*e));
	if (check_text(&p) == -1)
		return NULL;
	root = parse_or(&p);
	if (root == NULL)
		return NULL;
	if (at_end(&p) == -1) {
		node_free(root);
		return NULL;
	}
	s = mem_zalloc(sizeof(*s));
	s->root = root;
	s->now = now;
	s->arrival = true;
	note_uses(s, root);
	selector_narrow(s);
	return s;
}

void
selector_free(struct selector *s)
{
	if (s == NULL)
		return;
	node_free(s->root);
	free(s->ids);
	free(s);
}

bool
selector_is_all(const struct selector *s)
{
	return s->root->kind == NODE_ALL;
}

bool
selector_uses(const struct selector *s, enum selector_field f)
{
	return s->uses[f];
}

static bool
has_word(const struct node *n, enum selector_field f, uint32_t bit)
{
	for (; n != NULL; n = n->next)
		if ((n->test != NULL && n->test->field == f &&
			(n->test->words & bit) != 0) ||
		    has_word(n->child, f, bit))
			return true;
	return false;
}

bool
selector_has_word(
    const struct selector *s, enum selector_field f, const char *word)
{
	const struct field *row = &selector_fields[f];
	int w = row->words == NULL ? -1 : selector_word(row->words, word);

	return w >= 0 && has_word(s->root, f, 1u << w);
}

bool
selector_needs_message(const struct selector *s)
{
	return s->message;
}

bool
selector_needs_siblings(const struct selector *s)
{
	return s->siblings;
}

bool
selector_is_arrival_only(const struct selector *s)
{
	return s->arrival;
}

size_t
selector_ids(const struct selector *s, const uint64_t **ids)
{
	*ids = s->ids;
	return s->nids;
}

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/mail/addr.h"
#include "lib/mail/selector_tree.h"

static const char *const what[KINDS] = {
	[KIND_ID] = "an id",
	[KIND_MSGID] = "an id",
	[KIND_WORD] = "one of a few words",
	[KIND_FLAG] = "true or false",
	[KIND_TEXT] = "a text",
	[KIND_DOMAIN] = "a domain",
	[KIND_ADDRESS] = "an address",
	[KIND_NUMBER] = "a number",
	[KIND_SIZE] = "a size",
	[KIND_SPAN] = "a duration",
	[KIND_TIME] = "a time",
	[KIND_NET] = "an IP address",
};

static bool
ordered(enum kind k)
{
	return k == KIND_NUMBER || k == KIND_SIZE || k == KIND_SPAN ||
	    k == KIND_TIME;
}

static bool
textual(enum kind k)
{
	return k == KIND_ID || k == KIND_MSGID || k == KIND_TEXT ||
	    k == KIND_DOMAIN || k == KIND_ADDRESS || k == KIND_NET;
}

static const char *
example(const struct field *f)
{
	switch (f->kind) {
	case KIND_ID:
	case KIND_MSGID:
		return "= 3f9a0c41d7b2";
	case KIND_WORD:
		return "= ...";
	case KIND_NUMBER:
		return "> 3";
	case KIND_SIZE:
		return "> 1M";
	case KIND_SPAN:
		return "> 3d";
	case KIND_TIME:
		return "> -2h";
	case KIND_ADDRESS:
		return "~ *@example.org";
	default:
		return "~ *...*";
	}
}

int
check_op(struct parser *p, const struct test *t, size_t column)
{
	const struct field *f = &selector_fields[t->field];

	switch (t->op) {
	case OP_HAS:
		if (f->kind == KIND_FLAG || (f->flags & FIELD_OPTIONAL) != 0)
			return 0;
		return selector_fail(p, column,
		    "%s is %s and needs an operator and a value, as in %s %s",
		    f->name, what[f->kind], f->name, example(f));
	case OP_LT:
	case OP_LE:
	case OP_GT:
	case OP_GE:
		if (ordered(f->kind))
			return 0;
		return selector_fail(p, column,
		    "%s is %s, which has no order: the operators are %s",
		    f->name, what[f->kind],
		    textual(f->kind) ? "= != ~ !~ and in" : "= != and in");
	case OP_LIKE:
	case OP_UNLIKE:
		if (textual(f->kind))
			return 0;
		return selector_fail(p, column,
		    "%s is %s, and ~ compares texts: the operators are %s",
		    f->name, what[f->kind],
		    ordered(f->kind) ? "= != < <= > >= and in" : "= != and in");
	default:
		return 0;
	}
}

static void
take_text(struct item *i, struct raw *r)
{
	i->text = r->text;
	i->len = strlen(r->text);
	r->text = NULL;
}

/* "<ann@example.org>", as logs have it, without its brackets. */
static void
strip_brackets(struct raw *r)
{
	size_t len = strlen(r->text);

	if (len < 2 || r->text[0] != '<' || r->text[len - 1] != '>')
		return;
	memmove(r->text, r->text + 1, len - 2);
	r->text[len - 2] = '\0';
}

/* A domain where an address is wanted would never match anything. */
static int
check_address(struct parser *p, const struct test *t, struct raw *r)
{
	const char *name = selector_fields[t->field].name;
	char shown[LEX_SHOWN];

	strip_brackets(r);
	if (strchr(r->text, '.') == NULL || strpbrk(r->text, "@*?") != NULL ||
	    !addr_domain_ok(r->text, strlen(r->text), true))
		return 0;
	lex_show(shown, r->text, strlen(r->text));
	if (t->field == SELECT_DEST)
		return selector_fail(p, r->column,
		    "%s is a domain, did you mean dest ~ *@%s?", shown, shown);
	return selector_fail(p, r->column,
	    "%s is a domain, did you mean %s.domain = %s?", shown, name, shown);
}

static int
check_domain(struct parser *p, const struct test *t, const struct raw *r)
{
	char shown[LEX_SHOWN];

	if ((t->field == SELECT_RCPT_DOMAIN ||
		t->field == SELECT_SENDER_DOMAIN) &&
	    r->text[0] == '@')
		return selector_fail(p, r->column,
		    "a domain stands without @, did you mean %s?",
		    lex_show(shown, r->text + 1, strlen(r->text) - 1));
	return 0;
}

static int
text_item(struct parser *p, const struct test *t, struct raw *r, struct item *i)
{
	enum kind kind = selector_fields[t->field].kind;
	size_t fold, at;

	if (r->form == FORM_ERE) {
		i->fold = r->fold;
		if (ere_compile(p, r, r->fold || kind == KIND_DOMAIN, i) == -1)
			return -1;
		take_text(i, r);
		return 0;
	}
	if (kind == KIND_ADDRESS && check_address(p, t, r) == -1)
		return -1;
	if (kind == KIND_DOMAIN && check_domain(p, t, r) == -1)
		return -1;
	take_text(i, r);
	fold = compare_fold_from(kind, i->text, i->len);
	/* A glob's * may span the @, so it is folded when it is compared. */
	if (kind == KIND_ADDRESS && t->op != OP_EQ && t->op != OP_NE)
		return 0;
	for (at = fold; at < i->len; at++)
		if (i->text[at] >= 'A' && i->text[at] <= 'Z')
			i->text[at] = (char)(i->text[at] - 'A' + 'a');
	return 0;
}

static int
id_item(struct parser *p, const struct test *t, struct raw *r, struct item *i)
{
	bool message = selector_fields[t->field].kind == KIND_MSGID;
	char shown[LEX_SHOWN];
	uint64_t id;

	text_lower(r->text);
	if (ident_msgid_parse(r->text, &id)) {
		i->lo = (int64_t)ident_evpid(id, 0);
		i->hi = (int64_t)ident_evpid(id, IDENT_RCPT_MAX);
		return 0;
	}
	lex_show(shown, r->text, strlen(r->text));
	if (ident_evpid_parse(r->text, &id)) {
		if (message)
			return selector_fail(p, r->column,
			    "%s is the id of an envelope, did you mean id = "
			    "%s?",
			    shown, shown);
		i->lo = i->hi = (int64_t)id;
		return 0;
	}
	return selector_fail(p, r->column,
	    "%s is no id: a message's has 12 hexadecimal digits%s; for a "
	    "beginning of one write %s ~ 3f9a*",
	    shown, message ? "" : ", an envelope's 16",
	    selector_fields[t->field].name);
}

/* What numbers, times and addresses share. */
static int
single(struct parser *p, enum kind kind, const struct raw *r, struct item *i)
{
	switch (kind) {
	case KIND_NUMBER:
		return value_number(p, r, i);
	case KIND_SIZE:
		return value_size(p, r, i);
	case KIND_SPAN:
		return value_span(p, r, i);
	case KIND_TIME:
		return value_time(p, r, i);
	default:
		return value_net(p, r, i);
	}
}

static int
ordered_item(
    struct parser *p, const struct test *t, struct raw *r, struct item *i)
{
	enum kind kind = selector_fields[t->field].kind;
	char *dots = strstr(r->text, "..");
	struct raw half = *r;
	int64_t lo;

	if (dots == NULL)
		return single(p, kind, r, i);
	if (t->op != OP_EQ && t->op != OP_NE)
		return selector_fail(p, r->column,
		    "a range goes with = or != or in, not with an order");
	*dots = '\0';
	if (dots == r->text || dots[2] == '\0')
		return selector_fail(p, r->column,
		    "a range has two ends, as in 1..5; else use <= or >=");
	if (single(p, kind, &half, i) == -1)
		return -1;
	lo = i->lo;
	half.text = dots + 2;
	half.column = r->column + (size_t)(half.text - r->text);
	if (single(p, kind, &half, i) == -1)
		return -1;
	i->lo = lo;
	if (i->lo > i->hi)
		return selector_fail(
		    p, r->column, "the range is empty: its ends are swapped");
	return 0;
}

static int
word_item(struct parser *p, struct test *t, const struct raw *r)
{
	const struct field *f = &selector_fields[t->field];
	char near[160] = "", shown[LEX_SHOWN];
	int w = selector_word(f->words, r->text);

	if (w == -1) {
		selector_near_word(near, sizeof(near), f->words, r->text);
		return selector_fail(p, r->column, "%s is no %s%s",
		    *r->text == '\0'
			? "the empty text"
			: lex_show(shown, r->text, strlen(r->text)),
		    f->name, near);
	}
	t->words |= 1u << w;
	return 0;
}

static int
flag_item(struct parser *p, struct test *t, const struct raw *r)
{
	static const char *const says[] = { "true", "yes", "1", "false", "no",
		"0", NULL };
	char shown[LEX_SHOWN];
	int w = selector_word(says, r->text);

	if (w == -1)
		return selector_fail(p, r->column,
		    "%s is neither true nor false; %s alone will do",
		    *r->text == '\0'
			? "the empty text"
			: lex_show(shown, r->text, strlen(r->text)),
		    selector_fields[t->field].name);
	t->words |= w < 3 ? 1u : 2u;
	return 0;
}

static void
item_free(struct item *i)
{
	if (i->re != NULL)
		regfree(i->re);
	free(i->re);
	free(i->text);
}

static int
make_item(struct parser *p, struct test *t, struct raw *r, struct item *i)
{
	enum kind kind = selector_fields[t->field].kind;
	bool like = t->op == OP_LIKE || t->op == OP_UNLIKE;

	if (like)
		return text_item(p, t, r, i);
	if (kind == KIND_ID || kind == KIND_MSGID)
		return id_item(p, t, r, i);
	if (ordered(kind))
		return ordered_item(p, t, r, i);
	if (kind == KIND_NET)
		return single(p, kind, r, i);
	return text_item(p, t, r, i);
}

int
check_value(struct parser *p, struct test *t, struct raw *r)
{
	enum kind kind = selector_fields[t->field].kind;
	struct item i = { .column = r->column };
	int rc = -1;

	if (kind == KIND_WORD) {
		rc = word_item(p, t, r);
	} else if (kind == KIND_FLAG) {
		rc = flag_item(p, t, r);
	} else if (make_item(p, t, r, &i) == -1) {
		item_free(&i);
	} else {
		/* Doubled each time it is full. */
		if ((t->n & (t->n - 1)) == 0)
			t->items = mem_rearray(t->items,
			    t->n == 0 ? 1 : 2 * t->n, sizeof(*t->items));
		t->items[t->n++] = i;
		rc = 0;
	}
	free(r->text);
	r->text = NULL;
	return rc;
}

static int
by_text(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return compare_order(x->text, x->len, x->len, y);
}

static int
by_id(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	uint64_t i = (uint64_t)x->lo, j = (uint64_t)y->lo;

	return i < j ? -1 : i > j;
}

static int
by_start(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	return x->hi < y->hi ? -1 : x->hi > y->hi;
}

/* Drops items that say nothing beyond the one before. */
static void
unique(struct test *t, bool (*same)(const struct item *, const struct item *))
{
	size_t i, n = 0;

	for (i = 0; i < t->n; i++) {
		if (n > 0 && same(&t->items[n - 1], &t->items[i])) {
			item_free(&t->items[i]);
			continue;
		}
		t->items[n++] = t->items[i];
	}
	t->n = n;
}

static bool
same_text(const struct item *a, const struct item *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static bool
covered(const struct item *a, const struct item *b)
{
	return (uint64_t)b->lo >= (uint64_t)a->lo &&
	    (uint64_t)b->hi <= (uint64_t)a->hi;
}

static bool
same_range(const struct item *a, const struct item *b)
{
	return a->lo == b->lo && a->hi == b->hi;
}

void
check_list(struct test *t)
{
	enum kind kind = selector_fields[t->field].kind;

	if ((t->op != OP_EQ && t->op != OP_NE) || t->n < 2)
		return;
	if (kind == KIND_ID || kind == KIND_MSGID) {
		qsort(t->items, t->n, sizeof(t->items[0]), by_id);
		unique(t, covered);
	} else if (ordered(kind)) {
		qsort(t->items, t->n, sizeof(t->items[0]), by_start);
		unique(t, same_range);
	} else if (kind != KIND_NET) {
		qsort(t->items, t->n, sizeof(t->items[0]), by_text);
		unique(t, same_text);
	}
}

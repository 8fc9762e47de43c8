#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/mail/selector_tree.h"

/*
 * The C library's matcher may take time that grows with the square of a text:
 * it gets lines of a body, one by one, and no more than so much of the rest.
 */
#define ERE_TEXT_MAX 65536
#define ERE_LINE_MAX 4096 /* of a body; also what is folded of an address */

static bool eval(
    struct asking *k, const struct node *n, const struct selector_subject *s);

static bool
numbers(const struct test *t, int64_t v)
{
	size_t i;

	switch (t->op) {
	case OP_LT:
		return v < t->items[0].lo;
	case OP_LE:
		return v <= t->items[0].lo;
	case OP_GT:
		return v > t->items[0].lo;
	case OP_GE:
		return v >= t->items[0].lo;
	default:
		break;
	}
	for (i = 0; i < t->n; i++)
		if (v >= t->items[i].lo && v <= t->items[i].hi)
			return true;
	return false;
}

/* Ranges that do not overlap, in rising order. */
static bool
ids(const struct test *t, uint64_t id)
{
	size_t from = 0, to = t->n, mid;

	while (from < to) {
		mid = from + (to - from) / 2;
		if (id < (uint64_t)t->items[mid].lo)
			to = mid;
		else if (id > (uint64_t)t->items[mid].hi)
			from = mid + 1;
		else
			return true;
	}
	return false;
}

static bool
word(const struct test *t, const struct slice *v)
{
	int w = selector_word(selector_fields[t->field].words, v->text);

	return w >= 0 && (t->words & 1u << w) != 0;
}

static bool
one_of(const struct test *t, enum kind kind, const struct slice *v)
{
	size_t fold = compare_fold_from(kind, v->text, v->len);
	size_t from = 0, to = t->n, mid;
	int order;

	while (from < to) {
		mid = from + (to - from) / 2;
		order = compare_order(v->text, v->len, fold, &t->items[mid]);
		if (order == 0)
			return true;
		if (order < 0)
			to = mid;
		else
			from = mid + 1;
	}
	return false;
}

static bool
ere_copy(const struct item *i, const char *text, size_t n, size_t fold)
{
	char copy[ERE_LINE_MAX];
	size_t at;

	if (n > sizeof(copy) - 1)
		n = sizeof(copy) - 1;
	memcpy(copy, text, n);
	copy[n] = '\0';
	for (at = fold; at < n; at++)
		if (copy[at] >= 'A' && copy[at] <= 'Z')
			copy[at] = (char)(copy[at] - 'A' + 'a');
	return regexec(i->re, copy, 0, NULL, 0) == 0;
}

static bool
ere_line(const struct item *i, const struct slice *v)
{
	const char *at = v->text, *end = v->text + v->len, *lf;
	size_t n;

	for (; at < end; at = lf + 1) {
		lf = memchr(at, '\n', (size_t)(end - at));
		if (lf == NULL)
			lf = end;
		n = (size_t)(lf - at);
		if (n > 0 && at[n - 1] == '\r')
			n--;
		if (ere_copy(i, at, n, n))
			return true;
	}
	return false;
}

/* The expression sees an address with its domain in lower case. */
static bool
ere(const struct item *i, const struct slice *v, size_t fold)
{
	char *copy;
	bool yes;

	if (fold < v->len || v->text[v->len] != '\0')
		return ere_copy(i, v->text, v->len, fold);
	if (v->len <= ERE_TEXT_MAX)
		return regexec(i->re, v->text, 0, NULL, 0) == 0;
	copy = mem_strndup(v->text, ERE_TEXT_MAX);
	yes = regexec(i->re, copy, 0, NULL, 0) == 0;
	free(copy);
	return yes;
}

static bool
fits(const struct test *t, const struct item *i, const struct slice *v,
    size_t fold)
{
	if (i->re == NULL)
		return compare_glob(i->text, v->text, v->len, fold);
	return t->field == SELECT_BODY ? ere_line(i, v) : ere(i, v, fold);
}

static bool
like(const struct test *t, enum kind kind, const struct slice *v)
{
	size_t fold = compare_fold_from(kind, v->text, v->len), n;
	const struct item *i = t->items;

	for (n = t->n; n > 0; n--, i++)
		if (fits(t, i, v, fold))
			return true;
	return false;
}

static bool
nets(const struct test *t, const struct slice *v)
{
	uint8_t octets[16], mask;
	const struct item *i = t->items;
	unsigned whole;
	size_t n;

	if (!value_address(v->text, octets))
		return false;
	for (n = t->n; n > 0; n--, i++) {
		whole = i->bits / 8;
		if (memcmp(octets, i->net, whole) != 0)
			continue;
		mask = (uint8_t)(0xff00u >> i->bits % 8);
		if (mask == 0 || (octets[whole] & mask) == i->net[whole])
			return true;
	}
	return false;
}

static bool
has(const struct test *t, enum kind kind, const struct slice *v)
{
	if (kind == KIND_FLAG || kind == KIND_TIME || kind == KIND_NUMBER)
		return v->number != 0;
	if (t->field == SELECT_ENC || t->field == SELECT_COMP)
		return strcmp(v->text, "none") != 0;
	return v->text != NULL && v->len > 0;
}

static bool
holds(const struct test *t, const struct slice *v)
{
	enum kind kind = selector_fields[t->field].kind;

	if (t->op == OP_HAS)
		return has(t, kind, v);
	if (kind == KIND_NUMBER || kind == KIND_SIZE || kind == KIND_SPAN)
		return v->text == NULL && numbers(t, v->number);
	if (kind == KIND_TIME)
		return v->text == NULL && v->number != 0 &&
		    numbers(t, v->number);
	if (v->text == NULL)
		return false;
	if (t->op == OP_LIKE || t->op == OP_UNLIKE)
		return like(t, kind, v);
	switch (kind) {
	case KIND_ID:
	case KIND_MSGID:
		return ids(t, (uint64_t)v->number);
	case KIND_WORD:
		return word(t, v);
	case KIND_NET:
		return nets(t, v);
	default:
		return one_of(t, kind, v);
	}
}

static bool
ask_test(
    struct asking *k, const struct test *t, const struct selector_subject *s)
{
	struct slice v;
	bool yes = derive_value(k, s, t, &v) && holds(t, &v);

	return t->op == OP_NE || t->op == OP_UNLIKE ? !yes : yes;
}

/* One quantifier at work. */
struct quantifier {
	struct asking *k;
	const struct node *inner;
	bool wanted; /* the answer of inner that settles it */
	bool seen;
};

static bool
on_sibling(void *arg, const struct selector_subject *s)
{
	struct quantifier *q = arg;

	if (eval(q->k, q->inner, s) == q->wanted)
		q->seen = true;
	return !q->seen;
}

static bool
quantified(
    struct asking *k, const struct node *n, const struct selector_subject *s)
{
	struct quantifier q = {
		.k = k, .inner = n->child, .wanted = n->kind != NODE_EVERY
	};

	if (s->siblings != NULL)
		s->siblings(s->ctx, on_sibling, &q);
	else
		on_sibling(&q, s);
	return n->kind == NODE_ANY ? q.seen : !q.seen;
}

static bool
decide(struct asking *k, const struct node *n, const struct selector_subject *s)
{
	const struct node *c;

	switch (n->kind) {
	case NODE_ALL:
		return true;
	case NODE_TEST:
		return ask_test(k, n->test, s);
	case NODE_NOT:
		return !eval(k, n->child, s);
	case NODE_AND:
		for (c = n->child; c != NULL; c = c->next)
			if (!eval(k, c, s))
				return false;
		return true;
	case NODE_OR:
		for (c = n->child; c != NULL; c = c->next)
			if (eval(k, c, s))
				return true;
		return false;
	default:
		return quantified(k, n, s);
	}
}

static void
count(const _Atomic uint64_t *counter)
{
	_Atomic uint64_t *c = (_Atomic uint64_t *)(uintptr_t)counter;
	uint64_t n = atomic_load_explicit(c, memory_order_relaxed);

	atomic_store_explicit(c, n + 1, memory_order_relaxed);
}

static bool
eval(struct asking *k, const struct node *n, const struct selector_subject *s)
{
	bool yes = decide(k, n, s);

	count(&n->asked);
	if (yes)
		count(&n->held);
	return yes;
}

bool
selector_match(const struct selector *s, const struct selector_subject *subject)
{
	struct asking k;

	k.s = s;
	k.whole = subject;
	k.counted = false;
	k.siblings = 0;
	return eval(&k, s->root, subject);
}

#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/mail/selector_tree.h"

/*
 * Which ids alone can match, where the tree tells: a test of ids, a
 * conjunction with one in it, a disjunction of nothing else.
 */
struct narrow {
	uint64_t *ids;
	size_t n;
	bool all; /* anything can match */
};

static int
rising(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static struct narrow
of_test(const struct test *t)
{
	struct narrow r = { .all = true };
	size_t i;

	if ((t->field != SELECT_ID && t->field != SELECT_MSGID) ||
	    t->op != OP_EQ)
		return r;
	r.all = false;
	r.ids = mem_zarray(t->n, sizeof(*r.ids));
	for (i = 0; i < t->n; i++)
		r.ids[r.n++] = (uint64_t)t->items[i].lo;
	return r;
}

static struct narrow
joined(struct narrow a, struct narrow b)
{
	if (a.all || b.all) {
		free(a.ids);
		free(b.ids);
		return (struct narrow){ .all = true };
	}
	if (a.n + b.n > 0)
		a.ids = mem_rearray(a.ids, a.n + b.n, sizeof(*a.ids));
	if (b.n > 0)
		memcpy(a.ids + a.n, b.ids, b.n * sizeof(*a.ids));
	a.n += b.n;
	free(b.ids);
	return a;
}

/* The shorter list: either bounds what can match. */
static struct narrow
better(struct narrow a, struct narrow b)
{
	if (a.all || (!b.all && b.n < a.n)) {
		free(a.ids);
		return b;
	}
	free(b.ids);
	return a;
}

static struct narrow
of_node(const struct node *n)
{
	struct narrow r = { .all = true };
	const struct node *c;

	switch (n->kind) {
	case NODE_TEST:
		return of_test(n->test);
	case NODE_AND:
		for (c = n->child; c != NULL; c = c->next)
			r = better(r, of_node(c));
		return r;
	case NODE_OR:
		r.all = false;
		for (c = n->child; c != NULL; c = c->next)
			r = joined(r, of_node(c));
		return r;
	default:
		return r;
	}
}

/* The same, or of a message that is there wholly. */
static bool
covers(uint64_t id, uint64_t next)
{
	return next == id ||
	    (ident_rcpt(id) == 0 && ident_msgid(id) == ident_msgid(next));
}

void
selector_narrow(struct selector *s)
{
	struct narrow r = of_node(s->root);
	size_t i, n = 0;

	if (r.all)
		return;
	qsort(r.ids, r.n, sizeof(r.ids[0]), rising);
	for (i = 0; i < r.n; i++)
		if (n == 0 || !covers(r.ids[n - 1], r.ids[i]))
			r.ids[n++] = r.ids[i];
	s->ids = r.ids;
	s->nids = n;
}

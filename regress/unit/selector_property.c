/*
 * Random selectors, written by one who knows nothing of the library, asked
 * about random envelopes by it and by a naive reading of the same tree.
 * SELECTOR_SEED and SELECTOR_ROUNDS choose others, and more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/mail/selector.h"

#define NOW INT64_C(1795353669)
#define ROUNDS 20000
#define SIBLINGS 4
#define CHILDREN 3
#define DEPTH 6
#define LIST 4
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t seed;

static unsigned
pick(size_t n)
{
	seed = seed * UINT64_C(6364136223846793005) +
	    UINT64_C(1442695040888963407);
	return (unsigned)((seed >> 33) % n);
}

/* The facts: small alphabets, so that tests hold about as often as not. */
static const char *const addresses[] = { "", "a@x", "A@x", "a@X.y", "ab@x.y",
	"b@x", "a", "a@b@x" };
static const char *const globs[] = { "*", "a*", "*@x", "*@X*", "?@x", "a@*",
	"**", "*b*", "a?x", "*y", "" };
static const char *const texts[] = { "", "a", "ab", "aab", "b a", "A", "(b)" };
static const char *const states[] = { "ready", "deferred", "held", "bounce" };
static const char *const ips[] = { "10.0.0.1", "10.0.0.2", "10.1.0.1", "::1",
	"2001:db8::1" };
static const struct {
	const char *text;
	unsigned members; /* of ips */
} nets[] = { { "10.0.0.1", 1 }, { "10.0.0.0/8", 7 }, { "10.0.0.0/30", 3 },
	{ "::/0", 31 }, { "0.0.0.0/0", 7 }, { "2001:db8::/32", 16 },
	{ "::1/128", 8 } };

struct fact {
	const char *sender, *rcpt, *error; /* error NULL: none */
	unsigned state, ip;
	int64_t tries, size, age;
	bool paused, has_ip;
};

struct world {
	struct fact of[SIBLINGS];
	size_t n;
};

enum kind {
	ALL,
	FLAG,
	TRIES,
	SIZE,
	AGE,
	STATE,
	SENDER,
	RCPT_DOMAIN,
	RCPT_LOCAL,
	ERROR,
	SENDER_LIKE,
	ERROR_LIKE,
	IP,
	NOT,
	AND,
	OR,
	ANY,
	EVERY,
	NONE,
	KINDS
};
#define LEAVES NOT

struct tree {
	enum kind kind;
	struct tree *child[CHILDREN];
	unsigned children;
	unsigned sign; /* of = != < <= > >= */
	unsigned n;
	unsigned a[LIST], b[LIST]; /* values, ends of ranges */
};

static struct tree *
grow(unsigned depth, bool quantified)
{
	struct tree *t = calloc(1, sizeof(*t));
	unsigned i;

	assert_non_null(t);
	do
		t->kind =
		    pick(3) == 0 || depth == 0 ? pick(LEAVES) : pick(KINDS);
	while ((depth == 0 && t->kind >= LEAVES) ||
	    (quantified && t->kind >= ANY));
	if (t->kind == AND || t->kind == OR)
		t->children = 2 + pick(CHILDREN - 1);
	else if (t->kind >= NOT)
		t->children = 1;
	for (i = 0; i < t->children; i++)
		t->child[i] = grow(depth - 1, quantified || t->kind >= ANY);
	t->sign = pick(6);
	t->n = 1 + pick(LIST);
	for (i = 0; i < t->n; i++) {
		t->a[i] = pick(5);
		t->b[i] = t->a[i] + pick(3);
	}
	return t;
}

static void
fell(struct tree *t)
{
	unsigned i;

	for (i = 0; i < t->children; i++)
		fell(t->child[i]);
	free(t);
}

static void
blank(struct buf *b)
{
	static const char *const blanks[] = { "", " ", "  ", "\n", "\t" };

	buf_puts(b, blanks[pick(COUNT(blanks))]);
}

static void
put_value(struct buf *b, const char *s)
{
	buf_putf(b, "\"%s\"", s);
}

/* "= v", "in (v, w..x)", "< v" */
static void
put_numbers(struct buf *b, const struct tree *t, const char *unit)
{
	static const char *const signs[] = { "=", "!=", "<", "<=", ">", ">=" };
	unsigned i, n = t->sign < 2 ? t->n : 1;

	if (t->sign == 0 && pick(2) == 0)
		buf_puts(b, " in ");
	else
		buf_puts(b, signs[t->sign]);
	blank(b);
	buf_puts(b, n > 1 ? "(" : "");
	for (i = 0; i < n; i++) {
		blank(b);
		buf_putf(b, "%u%s", t->a[i], unit);
		if (t->sign < 2 && t->b[i] > t->a[i])
			buf_putf(b, "..%u%s", t->b[i], unit);
		blank(b);
		buf_puts(b, i + 1 < n ? "," : "");
	}
	buf_puts(b, n > 1 ? ")" : "");
}

static void
put_list(struct buf *b, const struct tree *t, bool like,
    const char *(*value)(const struct tree *t, unsigned i))
{
	unsigned i;

	buf_putf(b, " %s%s ", t->sign % 2 ? "!" : "", like ? "~" : "=");
	buf_puts(b, t->n > 1 ? "(" : "");
	for (i = 0; i < t->n; i++) {
		put_value(b, value(t, i));
		blank(b);
		buf_puts(b, i + 1 < t->n ? "," : "");
		blank(b);
	}
	buf_puts(b, t->n > 1 ? ")" : "");
}

static const char *
state_at(const struct tree *t, unsigned i)
{
	return states[t->a[i] % COUNT(states)];
}

static const char *
address_at(const struct tree *t, unsigned i)
{
	return addresses[(t->a[i] + t->b[i]) % COUNT(addresses)];
}

static const char *
glob_at(const struct tree *t, unsigned i)
{
	return globs[(t->a[i] * 3 + t->b[i]) % COUNT(globs)];
}

static const char *
text_at(const struct tree *t, unsigned i)
{
	return texts[(t->a[i] + t->b[i]) % COUNT(texts)];
}

static const char *
domain_at(const struct tree *t, unsigned i)
{
	static const char *const domains[] = { "x", "X", "x.y", "X.Y", "z" };

	return domains[t->a[i] % COUNT(domains)];
}

static const char *
local_at(const struct tree *t, unsigned i)
{
	static const char *const locals[] = { "a", "A", "ab", "a@b", "" };

	return locals[t->a[i] % COUNT(locals)];
}

static const char *
net_at(const struct tree *t, unsigned i)
{
	return nets[(t->a[i] + t->b[i]) % COUNT(nets)].text;
}

/* Parentheses where they must be, and sometimes where they may. */
static void
put_tree(struct buf *b, const struct tree *t, enum kind within)
{
	bool group = (t->kind == OR && (within == AND || within == NOT)) ||
	    (t->kind == AND && within == NOT) || pick(8) == 0;
	unsigned i;

	buf_puts(b, group ? "(" : "");
	blank(b);
	switch (t->kind) {
	case ALL:
		buf_puts(b, "all");
		break;
	case FLAG:
		buf_puts(b, t->sign % 2 ? "paused = no" : "paused");
		break;
	case TRIES:
		buf_puts(b, "tries");
		put_numbers(b, t, "");
		break;
	case SIZE:
		buf_puts(b, "size");
		put_numbers(b, t, "K");
		break;
	case AGE:
		buf_puts(b, "age");
		put_numbers(b, t, "h");
		break;
	case STATE:
		buf_puts(b, "state");
		put_list(b, t, false, state_at);
		break;
	case SENDER:
		buf_puts(b, "sender");
		put_list(b, t, false, address_at);
		break;
	case RCPT_DOMAIN:
		buf_puts(b, "rcpt.domain");
		put_list(b, t, false, domain_at);
		break;
	case RCPT_LOCAL:
		buf_puts(b, "rcpt.local");
		put_list(b, t, false, local_at);
		break;
	case ERROR:
		buf_puts(b, "error");
		put_list(b, t, false, text_at);
		break;
	case SENDER_LIKE:
		buf_puts(b, "sender");
		put_list(b, t, true, glob_at);
		break;
	case ERROR_LIKE:
		buf_puts(b, "error");
		put_list(b, t, true, glob_at);
		break;
	case IP:
		buf_puts(b, "client.ip");
		put_list(b, t, false, net_at);
		break;
	case NOT:
		buf_puts(b, "!");
		put_tree(b, t->child[0], NOT);
		break;
	case AND:
	case OR:
		for (i = 0; i < t->children; i++) {
			put_tree(b, t->child[i], t->kind);
			blank(b);
			if (i + 1 < t->children)
				buf_puts(b, t->kind == AND ? "&&" : "||");
		}
		break;
	default:
		buf_puts(b,
		    t->kind == ANY         ? "any("
			: t->kind == EVERY ? "all("
					   : "none(");
		put_tree(b, t->child[0], ALL);
		buf_puts(b, ")");
	}
	blank(b);
	buf_puts(b, group ? ")" : "");
}

/* The naive reading. */

/* The same with the domain, or all of it, in lower case. */
static void
folded(char dst[64], const char *s, bool whole)
{
	const char *at = strrchr(s, '@');
	size_t i;

	strcpy(dst, s);
	for (i = whole        ? 0
		 : at == NULL ? strlen(s)
			      : (size_t)(at - s);
	     dst[i] != '\0'; i++)
		if (dst[i] >= 'A' && dst[i] <= 'Z')
			dst[i] = (char)(dst[i] + 'a' - 'A');
}

static bool
fits(const char *p, const char *s, const char *domain)
{
	char a = *p, b = *s;

	if (*p == '\0')
		return *s == '\0';
	if (*p == '*')
		return fits(p + 1, s, domain) ||
		    (*s != '\0' && fits(p, s + 1, domain));
	if (*s == '\0')
		return false;
	if (domain != NULL && s > domain) {
		a = (char)(a >= 'A' && a <= 'Z' ? a + 32 : a);
		b = (char)(b >= 'A' && b <= 'Z' ? b + 32 : b);
	}
	return (*p == '?' || a == b) && fits(p + 1, s + 1, domain);
}

static bool
numbers(const struct tree *t, int64_t v, int64_t unit)
{
	int64_t first = (int64_t)t->a[0] * unit;
	bool in = false;
	unsigned i;

	for (i = 0; i < t->n; i++)
		in |= v >= (int64_t)t->a[i] * unit &&
		    v <= (int64_t)t->b[i] * unit;
	switch (t->sign) {
	case 0:
		return in;
	case 1:
		return !in;
	case 2:
		return v < first;
	case 3:
		return v <= first;
	case 4:
		return v > first;
	default:
		return v >= first;
	}
}

static bool
equals(const char *value, const char *fact, bool address, bool domain)
{
	char a[64], b[64];

	if (!address && !domain)
		return strcmp(value, fact) == 0;
	folded(a, value, domain);
	folded(b, fact, domain);
	return strcmp(a, b) == 0;
}

/* One of the values of a test of texts. fact NULL: there is none. */
static bool
lists(const struct tree *t, const char *fact)
{
	bool in = false;
	unsigned i;

	for (i = 0; fact != NULL && i < t->n; i++)
		switch (t->kind) {
		case SENDER:
			in |= equals(address_at(t, i), fact, true, false);
			break;
		case RCPT_DOMAIN:
			in |= equals(domain_at(t, i), fact, false, true);
			break;
		case RCPT_LOCAL:
			in |= equals(local_at(t, i), fact, false, false);
			break;
		case ERROR:
			in |= equals(text_at(t, i), fact, false, false);
			break;
		case SENDER_LIKE:
			in |= fits(glob_at(t, i), fact, strrchr(fact, '@'));
			break;
		default:
			in |= fits(glob_at(t, i), fact, NULL);
		}
	return in != (t->sign % 2 == 1);
}

static bool
naive(const struct tree *t, const struct world *w, const struct fact *f)
{
	bool in = false, every = true, any = false;
	const char *at = strrchr(f->rcpt, '@');
	char local[64];
	unsigned i;

	switch (t->kind) {
	case ALL:
		return true;
	case FLAG:
		return f->paused != (t->sign % 2 == 1);
	case TRIES:
		return numbers(t, f->tries, 1);
	case SIZE:
		return numbers(t, f->size, 1024);
	case AGE:
		return numbers(t, f->age, 3600);
	case STATE:
		for (i = 0; i < t->n; i++)
			in |= strcmp(state_at(t, i), states[f->state]) == 0;
		return in != (t->sign % 2 == 1);
	case IP:
		for (i = 0; f->has_ip && i < t->n; i++)
			in |= (nets[(t->a[i] + t->b[i]) % COUNT(nets)].members &
				  1u << f->ip) != 0;
		return in != (t->sign % 2 == 1);
	case SENDER:
	case SENDER_LIKE:
		return lists(t, f->sender);
	case RCPT_DOMAIN:
		return lists(t, at == NULL ? NULL : at + 1);
	case RCPT_LOCAL:
		strcpy(local, f->rcpt);
		if (at != NULL)
			local[at - f->rcpt] = '\0';
		return lists(t, local);
	case ERROR:
	case ERROR_LIKE:
		return lists(t, f->error);
	case NOT:
		return !naive(t->child[0], w, f);
	case AND:
	case OR:
		for (i = 0; i < t->children; i++) {
			in = naive(t->child[i], w, f);
			every &= in;
			any |= in;
		}
		return t->kind == AND ? every : any;
	default:
		for (i = 0; i < w->n; i++) {
			in = naive(t->child[0], w, &w->of[i]);
			every &= in;
			any |= in;
		}
		return t->kind == ANY ? any : t->kind == EVERY ? every : !any;
	}
}

/* The library's way. */

struct place {
	const struct world *world;
	const struct fact *fact;
};

static bool
on_value(void *ctx, enum selector_field field, const char *header,
    struct selector_value *v)
{
	const struct place *p = ctx;
	const struct fact *f = p->fact;

	(void)header;
	switch (field) {
	case SELECT_SENDER:
		v->text = f->sender;
		return true;
	case SELECT_RCPT:
		v->text = f->rcpt;
		return true;
	case SELECT_ERROR:
		v->text = f->error;
		return f->error != NULL;
	case SELECT_STATE:
		v->text = states[f->state];
		return true;
	case SELECT_CLIENT_IP:
		v->text = ips[f->ip];
		return f->has_ip;
	case SELECT_PAUSED:
		v->number = f->paused;
		return true;
	case SELECT_TRIES:
		v->number = f->tries;
		return true;
	case SELECT_SIZE:
		v->number = f->size;
		return true;
	case SELECT_ARRIVED:
		v->number = NOW - f->age;
		return true;
	default:
		return false;
	}
}

static void on_siblings(void *ctx,
    bool (*each)(void *arg, const struct selector_subject *s), void *arg);

static struct selector_subject
subject_of(struct place *p)
{
	return (struct selector_subject){
		.value = on_value, .siblings = on_siblings, .ctx = p
	};
}

static void
on_siblings(void *ctx,
    bool (*each)(void *arg, const struct selector_subject *s), void *arg)
{
	const struct place *p = ctx;
	struct selector_subject s;
	struct place other;
	bool more = true;
	size_t i;

	for (i = 0; more && i < p->world->n; i++) {
		other.world = p->world;
		other.fact = &p->world->of[i];
		s = subject_of(&other);
		more = each(arg, &s);
	}
}

static void
invent(struct world *w)
{
	struct fact *f;
	size_t i;

	w->n = 1 + pick(SIBLINGS);
	for (i = 0; i < w->n; i++) {
		f = &w->of[i];
		f->sender = addresses[pick(COUNT(addresses))];
		f->rcpt = addresses[pick(COUNT(addresses))];
		f->error = pick(3) == 0 ? NULL : texts[pick(COUNT(texts))];
		f->state = pick(COUNT(states));
		f->ip = pick(COUNT(ips));
		f->has_ip = pick(4) != 0;
		f->tries = pick(7);
		f->size = (int64_t)pick(14) * 512;
		f->age = (int64_t)pick(14) * 1800;
		f->paused = pick(2) == 0;
	}
}

static struct selector *
parsed(const char *text)
{
	struct selector_error e;
	struct selector *s = selector_parse(text, NOW, &e);

	if (s == NULL)
		fail_msg("seed: %s: column %zu: %s", text, e.column, e.text);
	return s;
}

static void
one_round(struct buf *text, struct buf *once, struct buf *twice)
{
	struct tree *t = grow(DEPTH, false);
	struct selector *s, *again;
	struct selector_subject subject;
	struct world w;
	struct place p;
	unsigned i, k;
	bool want;

	buf_reset(text);
	buf_reset(once);
	buf_reset(twice);
	put_tree(text, t, ALL);
	s = parsed(buf_text(text));
	selector_print(s, once);
	again = parsed(buf_text(once));
	selector_print(again, twice);
	assert_string_equal(buf_text(once), buf_text(twice));
	for (i = 0; i < 4; i++) {
		invent(&w);
		for (k = 0; k < w.n; k++) {
			p = (struct place){ &w, &w.of[k] };
			subject = subject_of(&p);
			want = naive(t, &w, &w.of[k]);
			if (selector_match(s, &subject) != want ||
			    selector_match(again, &subject) != want)
				fail_msg("%s (%s) should %shold for sender=%s "
					 "rcpt=%s tries=%d",
				    buf_text(text), buf_text(once),
				    want ? "" : "not ", w.of[k].sender,
				    w.of[k].rcpt, (int)w.of[k].tries);
		}
	}
	selector_free(s);
	selector_free(again);
	fell(t);
}

static unsigned
rounds(void)
{
	const char *s = getenv("SELECTOR_ROUNDS");

	return s == NULL ? ROUNDS : (unsigned)strtoul(s, NULL, 10);
}

static void
test_against_naive(void **state)
{
	struct buf *text = buf_new(SELECTOR_TEXT_MAX);
	struct buf *once = buf_new(SELECTOR_TEXT_MAX);
	struct buf *twice = buf_new(SELECTOR_TEXT_MAX);
	unsigned i;

	(void)state;
	for (i = 0; i < rounds(); i++)
		one_round(text, once, twice);
	buf_free(text);
	buf_free(once);
	buf_free(twice);
}

/* !(a && b) is !a || !b, !(a || b) is !a && !b, none is !any, all is !any(!). */
static void
test_laws(void **state)
{
	static const char *const laws[][2] = {
		{ "!(%1$s && %2$s)", "!%1$s || !%2$s" },
		{ "!(%1$s || %2$s)", "!%1$s && !%2$s" },
		{ "none(%1$s)", "!any%1$s" },
		{ "all(%1$s)", "!any(!%1$s)" },
		{ "%1$s && (%2$s || %1$s)", "%1$s" },
		{ "any(%1$s || %2$s)", "any(%1$s) || any(%2$s)" },
		{ "all(%1$s && %2$s)", "all(%1$s) && all(%2$s)" },
	};
	struct buf *a = buf_new(SELECTOR_TEXT_MAX);
	struct buf *b = buf_new(SELECTOR_TEXT_MAX);
	struct selector_subject subject;
	struct selector *left, *right;
	char one[SELECTOR_TEXT_MAX / 8], two[sizeof(one) * 4];
	struct tree *t, *u;
	struct world w;
	struct place p;
	unsigned i, law;

	(void)state;
	for (i = 0; i < rounds() / 4; i++) {
		law = i % COUNT(laws);
		t = grow(3, true);
		u = grow(3, true);
		buf_reset(a);
		buf_reset(b);
		buf_puts(a, "(");
		put_tree(a, t, ALL);
		buf_puts(a, ")");
		buf_puts(b, "(");
		put_tree(b, u, ALL);
		buf_puts(b, ")");
		fell(t);
		fell(u);
		if (buf_len(a) >= sizeof(one) || buf_len(b) >= sizeof(one))
			continue;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(
		    two, sizeof(two), laws[law][0], buf_text(a), buf_text(b));
		left = parsed(two);
		snprintf(
		    two, sizeof(two), laws[law][1], buf_text(a), buf_text(b));
#pragma GCC diagnostic pop
		right = parsed(two);
		invent(&w);
		p = (struct place){ &w, &w.of[0] };
		subject = subject_of(&p);
		if (selector_match(left, &subject) !=
		    selector_match(right, &subject))
			fail_msg("law %u fails for %s", law, two);
		selector_free(left);
		selector_free(right);
	}
	buf_free(a);
	buf_free(b);
}

/* Every octet string is read or refused with a column within it. */
static void
test_mutilated(void **state)
{
	struct buf *text = buf_new(SELECTOR_TEXT_MAX);
	struct selector_error e;
	struct selector *s;
	struct tree *t;
	char *copy;
	size_t len, n;
	unsigned i;

	(void)state;
	for (i = 0; i < rounds(); i++) {
		t = grow(3, false);
		buf_reset(text);
		put_tree(text, t, ALL);
		fell(t);
		copy = strdup(buf_text(text));
		assert_non_null(copy);
		len = strlen(copy);
		for (n = 1 + pick(3); n > 0; n--)
			copy[pick(len)] = "()!&|=<>~\"/\\, ax1.*"[pick(20)];
		s = selector_parse(copy, NOW, &e);
		if (s == NULL) {
			assert_true(e.column <= strlen(copy));
			assert_int_not_equal(e.text[0], '\0');
		}
		selector_free(s);
		free(copy);
	}
	buf_free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_naive),
		cmocka_unit_test(test_laws),
		cmocka_unit_test(test_mutilated),
	};
	const char *s = getenv("SELECTOR_SEED");

	seed = s == NULL ? 20261122 : strtoull(s, NULL, 10);
	printf("# seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

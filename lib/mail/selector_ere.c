#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/mail/selector_tree.h"

/*
 * What a compiled expression costs is bounded before the C library sees it:
 * its repetitions are counted as if each were written out, and groups within
 * groups multiply.
 */
#define ERE_STEPS 1000
#define ERE_GROUPS 16
#define REPEAT_MAX 255 /* RE_DUP_MAX, at least, everywhere */

struct scan {
	const char *at;
	unsigned group;
	/* Of each open group: its steps so far, and those of its last atom. */
	unsigned long sum[ERE_GROUPS + 1], atom[ERE_GROUPS + 1];
};

/* "{2,5}" at s->at: how often at most; 0 when it is none. */
static unsigned long
braces(struct scan *s)
{
	char *end = (char *)(uintptr_t)(s->at + 1);
	unsigned long lo = 0, hi = 0;

	if (*end >= '0' && *end <= '9')
		lo = hi = strtoul(s->at + 1, &end, 10);
	else if (*end != ',')
		return 0;
	if (*end == ',') {
		end++;
		if (*end == '}')
			hi = lo + 1;
		else if (*end >= '0' && *end <= '9')
			hi = strtoul(end, &end, 10);
		else
			return 0;
	}
	if (*end != '}' || hi > REPEAT_MAX)
		return *end != '}' ? 0 : ERE_STEPS + 1;
	s->at = end;
	return hi == 0 ? 1 : hi;
}

/* The last octet of the bracket expression at s, or of the text. */
static const char *
past_bracket(const char *s)
{
	const char *end;
	char kind;

	s++;
	if (*s == '^')
		s++;
	if (*s == ']')
		s++;
	for (; *s != '\0' && *s != ']'; s++) {
		if (*s != '[' || s[1] == '\0' || strchr(".:=", s[1]) == NULL)
			continue;
		kind = s[1];
		for (end = s + 2; *end != '\0'; end++)
			if (*end == kind && end[1] == ']')
				break;
		if (*end != '\0')
			s = end + 1;
	}
	return *s == '\0' ? s - 1 : s;
}

static bool
add(struct scan *s, unsigned long steps)
{
	s->atom[s->group] = steps;
	s->sum[s->group] += steps;
	return s->sum[s->group] <= ERE_STEPS;
}

/* The last atom times n instead of once. */
static bool
times(struct scan *s, unsigned long n)
{
	unsigned long atom = s->atom[s->group];

	s->sum[s->group] -= atom;
	return n <= ERE_STEPS && add(s, atom * n);
}

static bool
step(struct scan *s)
{
	unsigned long n;

	switch (*s->at) {
	case '(':
		if (s->group == ERE_GROUPS)
			return false;
		s->group++;
		s->sum[s->group] = s->atom[s->group] = 1;
		return true;
	case ')':
		if (s->group == 0)
			return true;
		s->group--;
		return add(s, s->sum[s->group + 1]);
	case '*':
	case '+':
	case '?':
		return times(s, 2);
	case '{':
		n = braces(s);
		return n == 0 ? add(s, 1) : times(s, n);
	case '[':
		s->at = past_bracket(s->at);
		return add(s, 1);
	case '\\':
		if (s->at[1] != '\0')
			s->at++;
		return add(s, 1);
	default:
		return add(s, 1);
	}
}

static bool
bounded(const char *text)
{
	struct scan s = { .at = text };

	for (; *s.at != '\0'; s.at++)
		if (!step(&s))
			return false;
	return true;
}

/* \1 costs time without bound, and is no part of POSIX. */
static const char *
back_reference(const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '[') {
			s = past_bracket(s);
		} else if (*s == '\\') {
			if (s[1] >= '0' && s[1] <= '9')
				return s;
			if (s[1] != '\0')
				s++;
		}
	}
	return NULL;
}

int
ere_compile(struct parser *p, const struct raw *r, bool fold, struct item *i)
{
	char why[128], shown[LEX_SHOWN];
	const char *back;
	int flags = REG_EXTENDED | REG_NOSUB, rc;

	if (*r->text == '\0')
		return selector_fail(
		    p, r->column, "the regular expression is empty");
	if (strlen(r->text) > SELECTOR_ERE_MAX)
		return selector_fail(p, r->column,
		    "the regular expression has more than %d octets",
		    SELECTOR_ERE_MAX);
	if (p->eres == SELECTOR_ERES)
		return selector_fail(p, r->column,
		    "more than %d regular expressions", SELECTOR_ERES);
	back = back_reference(r->text);
	if (back != NULL)
		return selector_fail(p, r->column,
		    "%.2s refers back, which these regular expressions cannot",
		    back);
	if (!bounded(r->text))
		return selector_fail(p, r->column,
		    "the regular expression repeats too much, or has groups "
		    "within groups too deeply");
	if (fold)
		flags |= REG_ICASE;
	i->re = mem_zalloc(sizeof(*i->re));
	rc = regcomp(i->re, r->text, flags);
	if (rc != 0) {
		regerror(rc, i->re, why, sizeof(why));
		free(i->re);
		i->re = NULL;
		return selector_fail(p, r->column,
		    "not a regular expression: %s",
		    lex_show(shown, why, strlen(why)));
	}
	p->eres++;
	return 0;
}

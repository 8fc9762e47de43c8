#include "tools/qtool/problem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"

#define REASON_MAX 512

static const struct {
	const char *code, *name;
} classes[PROBLEM_CLASSES] = {
	[PROBLEM_ZERO_LENGTH] = { "Q01", "zero length" },
	[PROBLEM_TRUNCATED] = { "Q02", "truncated" },
	[PROBLEM_BAD_TAG] = { "Q03", "bad tag" },
	[PROBLEM_WRONG_KEY] = { "Q04", "wrong key" },
	[PROBLEM_ORPHAN_MESSAGE] = { "Q05", "orphan message" },
	[PROBLEM_ORPHAN_ENVELOPE] = { "Q06", "orphan envelope" },
	[PROBLEM_WRONG_BUCKET] = { "Q07", "wrong bucket" },
	[PROBLEM_STALE_TEMP] = { "Q08", "stale temp" },
	[PROBLEM_DUPLICATE_ID] = { "Q09", "duplicate id" },
	[PROBLEM_BAD_FIELD] = { "Q10", "bad field" },
	[PROBLEM_FOREIGN_FILE] = { "Q11", "foreign file" },
	[PROBLEM_PERMISSIONS] = { "Q12", "permissions" },
	[PROBLEM_UNKNOWN_ACTION] = { "Q13", "unknown action" },
	[PROBLEM_CLOCK] = { "Q14", "clock" },
};

const char *
problem_code(enum problem_class c)
{
	return classes[c].code;
}

const char *
problem_name(enum problem_class c)
{
	return classes[c].name;
}

/* Blanks may be written as dashes. */
static bool
same_name(const char *word, const char *name)
{
	for (; *word != '\0' && *name != '\0'; word++, name++)
		if (tolower((unsigned char)*word) != *name &&
		    !(*word == '-' && *name == ' '))
			return false;
	return *word == *name;
}

bool
problem_class_parse(const char *word, enum problem_class *c)
{
	unsigned i;

	for (i = 0; i < PROBLEM_CLASSES; i++) {
		const char *code = classes[i].code;

		if (strcasecmp(word, code) == 0 ||
		    same_name(word, classes[i].name) ||
		    (code[1] == '0' && (word[0] == 'q' || word[0] == 'Q') &&
			strcmp(word + 1, code + 2) == 0)) {
			*c = (enum problem_class)i;
			return true;
		}
	}
	return false;
}

static struct problem *
add(struct problems *p, enum problem_class c, const char *file)
{
	struct problem *at;

	if (p->n == p->room) {
		p->room = p->room == 0 ? 16 : p->room * 2;
		p->at = mem_rearray(p->at, p->room, sizeof(*p->at));
	}
	at = &p->at[p->n++];
	memset(at, 0, sizeof(*at));
	at->class = c;
	at->file = mem_strdup(file);
	return at;
}

void
problems_add(struct problems *p, enum problem_class c, const char *file,
    const char *fmt, ...)
{
	char reason[REASON_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	add(p, c, file)->reason = mem_strdup(reason);
}

void
problems_add_kid(struct problems *p, const char *file, const char *kid)
{
	struct problem *at = add(p, PROBLEM_WRONG_KEY, file);

	snprintf(at->kid, sizeof(at->kid), "%s", kid);
	at->reason =
	    mem_printf("sealed by key %s, which the key ring lacks", at->kid);
}

void
problems_add_wrong(struct problems *p, const char *file, const char *kid)
{
	struct problem *at = add(p, PROBLEM_WRONG_KEY, file);

	snprintf(at->kid, sizeof(at->kid), "%s", kid);
	at->reason = mem_printf(
	    "sealed by another key %s than that of the key ring", at->kid);
}

void
problems_join(struct problems *p, struct problems *from)
{
	size_t want = p->n + from->n;

	if (from->n == 0)
		return;
	if (want > p->room) {
		p->room = want * 2;
		p->at = mem_rearray(p->at, p->room, sizeof(*p->at));
	}
	memcpy(p->at + p->n, from->at, from->n * sizeof(*from->at));
	p->n = want;
	from->n = 0;
	problems_clear(from);
}

void
problems_drop(struct problems *p, size_t i)
{
	free(p->at[i].file);
	free(p->at[i].reason);
	p->at[i] = p->at[--p->n];
}

static int
by_file(const void *a, const void *b)
{
	const struct problem *x = a, *y = b;
	int d = strcmp(x->file, y->file);

	if (d != 0)
		return d;
	if (x->class != y->class)
		return x->class < y->class ? -1 : 1;
	return strcmp(x->reason, y->reason);
}

void
problems_sort(struct problems *p)
{
	if (p->n > 1)
		qsort(p->at, p->n, sizeof(*p->at), by_file);
}

void
problems_clear(struct problems *p)
{
	while (p->n > 0)
		problems_drop(p, p->n - 1);
	free(p->at);
	memset(p, 0, sizeof(*p));
}

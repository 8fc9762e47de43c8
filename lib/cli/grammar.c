#include "lib/cli/grammar.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"

#define WORD_MAX 32
#define SHOWN_MAX 8 /* suggestions */

/* Copies word number i of a command; false when it has fewer. */
static bool
nth_word(const char *words, int i, char word[WORD_MAX])
{
	size_t len;

	for (;; words += len + 1) {
		len = strcspn(words, " ");
		if (i-- == 0)
			break;
		if (words[len] == '\0')
			return false;
	}
	if (len >= WORD_MAX)
		len = WORD_MAX - 1;
	memcpy(word, words, len);
	word[len] = '\0';
	return true;
}

static int
count_words(const char *words)
{
	int n = 1;

	for (; *words != '\0'; words++)
		if (*words == ' ')
			n++;
	return n;
}

/* The first n words of both are the same. */
static bool
same_words(const char *a, const char *b, int n)
{
	char wa[WORD_MAX], wb[WORD_MAX];
	int i;

	for (i = 0; i < n; i++)
		if (!nth_word(a, i, wa) || !nth_word(b, i, wb) ||
		    strcmp(wa, wb) != 0)
			return false;
	return true;
}

/* Appends name to a list in why: "a, b, c"; nothing when it is there. */
static void
add_name(struct buf *why, size_t from, unsigned *shown, const char *name)
{
	const char *at = buf_text(why) + from, *hit;
	size_t len = strlen(name);

	for (hit = strstr(at, name); hit != NULL; hit = strstr(hit + 1, name))
		if ((hit == at || hit[-1] == ' ') &&
		    (hit[len] == '\0' || hit[len] == ','))
			return;
	if (++*shown > SHOWN_MAX)
		return;
	buf_putf(why, "%s%s", *shown > 1 ? ", " : "", name);
}

static void
quoted(struct buf *why, const char *word)
{
	char clean[WORD_MAX * 2];

	buf_putf(why, "'%s'", text_printable(clean, sizeof(clean), word));
}

struct path {
	const struct grammar_command *table;
	size_t n;
	const struct grammar_command *on; /* one of those that still fit */
	int depth; /* words of it that are settled */
};

static bool
fits(const struct path *p, size_t i)
{
	return p->depth == 0 ||
	    same_words(p->table[i].words, p->on->words, p->depth);
}

/* The words that may come next and begin with prefix, as a list. */
static void
list_next(const struct path *p, const char *prefix, struct buf *why)
{
	size_t i, from = buf_len(why), len = strlen(prefix);
	char next[WORD_MAX];
	unsigned shown = 0;

	for (i = 0; i < p->n; i++)
		if (fits(p, i) && nth_word(p->table[i].words, p->depth, next) &&
		    strncmp(next, prefix, len) == 0)
			add_name(why, from, &shown, next);
}

/* More than that apart is another word. */
static unsigned
far_enough(size_t len)
{
	return len < 4 ? 2 : (unsigned)len / 2;
}

/* The nearest next words; whole commands too at the beginning. */
static void
suggest(const struct path *p, const char *word, struct buf *why)
{
	size_t i, from;
	char next[WORD_MAX];
	unsigned d, best = far_enough(strlen(word)), shown = 0;

	for (i = 0; i < p->n; i++)
		if (fits(p, i) && nth_word(p->table[i].words, p->depth, next)) {
			d = text_distance(word, next);
			if (d < best)
				best = d;
		}
	buf_puts(why, "; did you mean ");
	from = buf_len(why);
	for (i = 0; i < p->n; i++)
		if (fits(p, i) && nth_word(p->table[i].words, p->depth, next) &&
		    text_distance(word, next) <= best)
			add_name(why, from, &shown, next);
	/* A word of the second place, as in "queue" for "show queue". */
	for (i = 0; p->depth == 0 && i < p->n; i++)
		if (nth_word(p->table[i].words, 1, next) &&
		    strcmp(word, next) == 0)
			add_name(why, from, &shown, p->table[i].words);
	if (shown == 0) {
		buf_truncate(why, from - strlen("did you mean "));
		buf_puts(why, "one of: ");
		list_next(p, "", why);
	}
}

/* Settles one more word. 1: settled, 0: no word of ours, -1: ambiguous. */
static int
step(struct path *p, const char *word, struct buf *why)
{
	const struct grammar_command *hit = NULL;
	char next[WORD_MAX], first[WORD_MAX] = "";
	size_t i, len = strlen(word);
	bool several = false;

	for (i = 0; len > 0 && i < p->n; i++) {
		if (!fits(p, i) || !nth_word(p->table[i].words, p->depth, next))
			continue;
		if (strcmp(next, word) == 0) {
			hit = &p->table[i];
			several = false;
			break;
		}
		if (strncmp(next, word, len) != 0)
			continue;
		if (hit != NULL && strcmp(next, first) != 0)
			several = true;
		if (hit == NULL) {
			hit = &p->table[i];
			memcpy(first, next, sizeof(first));
		}
	}
	if (several) {
		quoted(why, word);
		buf_puts(why, " may be ");
		list_next(p, word, why);
		return -1;
	}
	if (hit == NULL)
		return 0;
	p->on = hit;
	p->depth++;
	return 1;
}

/* The command of exactly the words settled so far. */
static const struct grammar_command *
complete(const struct path *p)
{
	size_t i;

	for (i = 0; p->depth > 0 && i < p->n; i++)
		if (fits(p, i) && count_words(p->table[i].words) == p->depth)
			return &p->table[i];
	return NULL;
}

static void
settled_words(const struct path *p, struct buf *why)
{
	char word[WORD_MAX];
	int i;

	for (i = 0; i < p->depth && nth_word(p->on->words, i, word); i++)
		buf_putf(why, "%s%s", i > 0 ? " " : "", word);
}

static void
explain_missing(const struct path *p, const char *word, struct buf *why)
{
	if (word != NULL) {
		buf_puts(why, "unknown command ");
		if (p->depth > 0) {
			buf_puts(why, "after ");
			settled_words(p, why);
			buf_puts(why, ": ");
		}
		quoted(why, word);
		suggest(p, word, why);
		return;
	}
	if (p->depth == 0) {
		buf_puts(why, "a command is missing; one of: ");
	} else {
		settled_words(p, why);
		buf_puts(why, " what? one of: ");
	}
	list_next(p, "", why);
}

const struct grammar_command *
grammar_words(const struct grammar_command *table, size_t n, int argc,
    char *const argv[], int *used, struct buf *why)
{
	struct path p = { .table = table, .n = n };
	const struct grammar_command *c;
	int got = 1;

	while (p.depth < argc && got == 1)
		got = step(&p, argv[p.depth], why);
	if (got == -1)
		return NULL;
	c = complete(&p);
	if (c == NULL) {
		explain_missing(&p, p.depth < argc ? argv[p.depth] : NULL, why);
		return NULL;
	}
	*used = p.depth;
	return c;
}

const struct grammar_command *
grammar_find(const struct grammar_command *table, size_t n, int argc,
    char *const argv[], int *used, struct buf *why)
{
	const struct grammar_command *c =
	    grammar_words(table, n, argc, argv, used, why);
	unsigned args;

	if (c == NULL)
		return NULL;
	args = (unsigned)(argc - *used);
	if (args >= c->min && args <= c->max)
		return c;
	if (c->max == 0) {
		buf_putf(why, "%s takes no argument, but got ", c->words);
		quoted(why, argv[*used]);
	} else {
		buf_putf(why, "%s %s: usage: %s %s",
		    args < c->min ? "too few arguments to"
				  : "too many arguments to",
		    c->words, c->words, c->args);
	}
	return NULL;
}

int
grammar_choose(const char *const *names, size_t n, const char *what,
    const char *word, struct buf *why)
{
	size_t i, from, len = strlen(word);
	unsigned d, best = far_enough(len), shown = 0, hits = 0;
	int hit = -1;

	for (i = 0; i < n; i++) {
		if (strcmp(names[i], word) == 0)
			return (int)i;
		if (len > 0 && strncmp(names[i], word, len) == 0) {
			hit = (int)i;
			hits++;
		}
		d = text_distance(word, names[i]);
		if (d < best)
			best = d;
	}
	if (hits == 1)
		return hit;
	if (hits == 0)
		buf_putf(why, "unknown %s ", what);
	quoted(why, word);
	from = buf_len(why);
	buf_puts(why, hits > 0 ? " may be " : "; did you mean ");
	for (i = 0; i < n; i++)
		if (hits > 0 ? strncmp(names[i], word, len) == 0
			     : text_distance(word, names[i]) <= best)
			add_name(why, from, &shown, names[i]);
	if (shown > 0)
		return -1;
	buf_truncate(why, from);
	buf_puts(why, "; one of:");
	for (i = 0; i < n; i++)
		buf_putf(why, " %s", names[i]);
	return -1;
}

void
grammar_help(const struct grammar_command *table, size_t n, const char *topic,
    struct buf *out)
{
	size_t i, len = topic == NULL ? 0 : strlen(topic);
	char form[128];

	for (i = 0; i < n; i++) {
		if (topic != NULL && strncmp(table[i].words, topic, len) != 0)
			continue;
		snprintf(form, sizeof(form), "%s%s%s", table[i].words,
		    table[i].args[0] != '\0' ? " " : "", table[i].args);
		buf_putf(out, "  %-32s %s\n", form, table[i].about);
	}
}

void
grammar_explain(
    const struct grammar_command *c, const char *program, struct buf *out)
{
	buf_putf(out, "usage: %s %s%s%s\n%s\n", program, c->words,
	    c->args[0] != '\0' ? " " : "", c->args, c->about);
	if (c->more != NULL)
		buf_putf(out, "\n%s\n", c->more);
}

#include <stdio.h>
#include <string.h>

#include "lib/mail/selector_tree.h"

/* What stands around the value of each letter. */
static const struct sugar {
	char letter;
	const char *before, *behind;
	bool quoted;
} sugars[] = {
	{ 'f', "sender ~ ", "", true },
	{ 'r', "rcpt ~ ", "", true },
	{ 'o', "age > ", "", true },
	{ 'y', "age < ", "", true },
	{ 'e', "error ~ ", "", true },
	{ 'S', "state in (", ")", false },
	{ 'R', "route = ", "", true },
	{ 'w', "(", ")", false },
};

static void
put_quoted(struct buf *b, const char *s, const char *around)
{
	buf_putf(b, "\"%s", around);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			buf_puts(b, "\\");
		buf_put(b, s, 1);
	}
	buf_putf(b, "%s\"", around);
}

static bool
is_null(const char *value)
{
	return *value == '\0' || strcmp(value, "<>") == 0;
}

/* The expression for one letter, which is known. */
static size_t
expand(const struct sugar *g, const char *value, struct buf *b)
{
	if (g->letter == 'f' && is_null(value)) {
		buf_puts(b, "sender.null");
		return 0;
	}
	buf_puts(b, g->before);
	if (g->quoted)
		put_quoted(b, value, g->letter == 'e' ? "*" : "");
	else
		buf_puts(b, value);
	buf_puts(b, g->behind);
	return strlen(g->before) + g->quoted;
}

int
selector_sugar(
    char letter, const char *value, struct buf *b, struct selector_error *e)
{
	const struct sugar *g = sugars;
	const struct sugar *end = sugars + sizeof(sugars) / sizeof(sugars[0]);
	struct buf *one = buf_new(3 * SELECTOR_TEXT_MAX);
	struct selector *s = NULL;
	size_t before;
	int rc = -1;

	memset(e, 0, sizeof(*e));
	while (g < end && g->letter != letter)
		g++;
	if (g == end || strlen(value) > SELECTOR_TEXT_MAX) {
		snprintf(e->text, sizeof(e->text),
		    g == end ? "there is no such option"
			     : "more than %d octets",
		    SELECTOR_TEXT_MAX);
		goto out;
	}
	/* By itself, or what it says might close a parenthesis of ours. */
	if (letter == 'w' && (s = selector_parse(value, 0, e)) == NULL)
		goto out;
	selector_free(s);
	before = expand(g, value, one);
	s = selector_parse(buf_text(one), 0, e);
	if (s == NULL) {
		e->column -= e->column < before ? e->column : before;
		if (e->column > strlen(value))
			e->column = strlen(value);
		goto out;
	}
	if (letter == 'S' && s->root->kind != NODE_TEST) {
		snprintf(e->text, sizeof(e->text),
		    "states are wanted, with commas between");
		selector_free(s);
		goto out;
	}
	selector_free(s);
	rc = 0;
	if (buf_len(b) > 0)
		rc = buf_puts(b, " && ");
	if (rc == 0)
		rc = buf_put(b, buf_data(one), buf_len(one));
	if (rc == -1)
		snprintf(e->text, sizeof(e->text), "more than there is room");
out:
	buf_free(one);
	return rc;
}

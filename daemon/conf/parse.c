#include "daemon/conf/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf/pairs.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

void
parse_next(struct parse *p)
{
	lex_next(p->lex, &p->tok);
}

bool
parse_error(struct parse *p, const char *fmt, ...)
{
	char text[800];
	va_list ap;

	if (p->tok.kind == LEX_BAD)
		return false; /* lex has said what is wrong */
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	lex_error(p->lex, p->tok.file, p->tok.line, "%s%s%s",
	    p->option != NULL ? p->option : "", p->option != NULL ? ": " : "",
	    text);
	return false;
}

bool
parse_expected(struct parse *p, const char *what)
{
	char shown[100];

	if (p->tok.kind == LEX_EOL || p->tok.kind == LEX_END)
		return parse_error(
		    p, "expected %s at the end of the line", what);
	text_printable(shown, sizeof(shown), p->tok.text);
	if (p->tok.kind == LEX_TABLE)
		return parse_error(p, "expected %s, not <%s>", what, shown);
	return parse_error(p, "expected %s, not \"%s\"", what, shown);
}

bool
parse_at_end(const struct parse *p)
{
	return p->tok.kind == LEX_EOL || p->tok.kind == LEX_END;
}

bool
parse_at_word(const struct parse *p, const char *word)
{
	return p->tok.kind == LEX_WORD && !p->tok.quoted &&
	    strcmp(p->tok.text, word) == 0;
}

bool
parse_accept(struct parse *p, const char *word)
{
	if (!parse_at_word(p, word))
		return false;
	parse_next(p);
	return true;
}

void
parse_nearest(char *dst, size_t size, const char *word,
    const char *(*nth)(const void *, size_t), const void *list, size_t n)
{
	unsigned best = 3, d;
	const char *found = NULL;
	size_t i;

	for (i = 0; i < n; i++) {
		if (nth(list, i) == NULL)
			continue;
		d = text_distance(word, nth(list, i));
		if (d < best && d < strlen(word)) {
			best = d;
			found = nth(list, i);
		}
	}
	dst[0] = '\0';
	if (found != NULL)
		snprintf(dst, size, ", did you mean \"%s\"?", found);
}

static const char *
nth_word(const void *list, size_t i)
{
	return ((const struct parse_word *)list)[i].word;
}

static bool
unknown_word(struct parse *p, const struct parse_word *words, size_t n)
{
	char shown[100], nearest[100] = "";

	if (p->tok.kind != LEX_WORD || p->tok.quoted)
		return parse_expected(p, "an option");
	parse_nearest(
	    nearest, sizeof(nearest), p->tok.text, nth_word, words, n);
	return parse_error(p, "unknown word \"%s\"%s",
	    text_printable(shown, sizeof(shown), p->tok.text), nearest);
}

bool
parse_one(struct parse *p, const struct parse_word *words, size_t n, void *ctx,
    uint32_t *seen)
{
	const char *outer = p->option;
	size_t i;
	bool ok;

	for (i = 0; i < n; i++)
		if (parse_at_word(p, words[i].word))
			break;
	if (i == n)
		return unknown_word(p, words, n);
	if (!words[i].repeats) {
		if ((*seen >> i & 1) != 0)
			return parse_error(
			    p, "\"%s\" is given twice", words[i].word);
		*seen |= UINT32_C(1) << i;
	}
	p->option = words[i].word;
	parse_next(p);
	ok = words[i].fn(p, ctx);
	if (ok && outer != NULL)
		p->option = outer;
	return ok;
}

bool
parse_words(struct parse *p, const struct parse_word *words, size_t n,
    void *ctx, uint32_t *seen)
{
	while (!parse_at_end(p))
		if (!parse_one(p, words, n, ctx, seen))
			return false;
	return true;
}

/* The rest of a broken statement, with what it has in braces. */
static void
skip_statement(struct parse *p)
{
	unsigned depth = 0;

	for (;;) {
		if (p->tok.kind == LEX_OPEN)
			depth++;
		if (p->tok.kind == LEX_CLOSE && depth > 0)
			depth--;
		if (p->tok.kind == LEX_END || (depth == 0 && parse_at_end(p)))
			return;
		parse_next(p);
	}
}

static bool
macro(struct parse *p, const char *name)
{
	p->option = NULL;
	parse_next(p);
	if (strspn(name,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789_") != strlen(name))
		return parse_error(p,
		    "\"%s\" is no name of a macro: letters, digits and _",
		    name);
	if (p->tok.kind != LEX_WORD)
		return parse_expected(p, "the value of a macro");
	if (lex_define(p->lex, name, p->tok.text) == -1)
		return parse_error(p, "too many macros");
	parse_next(p);
	return parse_at_end(p) || parse_expected(p, "the end of the line");
}

bool
parse_include(struct parse *p, void *unused)
{
	struct lex_token at;
	char *path = NULL;
	bool ok = false;

	(void)unused;
	if (parse_path(p, &path)) {
		at = p->tok;
		ok = parse_at_end(p) ? lex_push_file(p->lex, path, &at) == 0
				     : parse_expected(p, "the end of the line");
	}
	free(path);
	return ok;
}

static bool
is_statement(const struct parse *p)
{
	size_t i;

	for (i = 0; i < parse_statement_count; i++)
		if (parse_at_word(p, parse_statements[i].word))
			return true;
	return false;
}

/* What starts with no word of ours is a macro, or an error. */
static bool
other_statement(struct parse *p)
{
	char *name = mem_strdup(p->tok.text);
	char shown[100], nearest[100];
	bool ok = false;

	parse_next(p);
	if (p->tok.kind == LEX_EQUALS) {
		ok = macro(p, name);
		free(name);
		return ok;
	}
	parse_nearest(nearest, sizeof(nearest), name, nth_word,
	    parse_statements, parse_statement_count);
	lex_error(p->lex, p->statement.file, p->statement.line,
	    "unknown word \"%s\"%s", text_printable(shown, sizeof(shown), name),
	    nearest);
	free(name);
	return false;
}

static bool
statement(struct parse *p)
{
	p->option = NULL;
	p->statement = (struct parse_place){ p->tok.file, p->tok.line };
	if (p->tok.kind != LEX_WORD || p->tok.quoted)
		return parse_expected(p, "a statement");
	if (!is_statement(p))
		return other_statement(p);
	if (!parse_one(
		p, parse_statements, parse_statement_count, NULL, &p->seen[0]))
		return false;
	return parse_at_end(p) || parse_expected(p, "the end of the line");
}

/* Its place is in it already. */
static void
on_row(void *arg, const char *line)
{
	lex_report(arg, line);
}

bool
parse_all(struct lex *lex, struct conf *conf, const char *base, bool is_slice)
{
	struct parse p = { 0 };
	size_t i;

	p.lex = lex;
	p.conf = conf;
	p.base = base;
	p.is_slice = is_slice;
	parse_next(&p);
	while (p.tok.kind != LEX_END && lex_errors(lex) < LEX_REPORTS_MAX) {
		if (p.tok.kind != LEX_EOL && !statement(&p))
			skip_statement(&p);
		if (p.tok.kind != LEX_END)
			parse_next(&p);
	}
	p.option = NULL;
	parse_rule_finish(&p);
	parse_pki_finish(&p);
	pairs_fill(conf, on_row, lex);
	for (i = 0; i < p.nuses; i++)
		free(p.uses[i].name);
	free(p.uses);
	free(p.rules);
	free(p.actions);
	return lex_errors(lex) == 0;
}

/*
 * lex - cuts configuration text into words
 *
 * Knows comments, continued lines, quotes, macros and the stack of included
 * files; nothing of what the words mean. What it cannot read it reports and
 * yields as LEX_BAD, so that the parser goes on with the next statement.
 * Bounds: the text of all files CONF_TEXT_MAX, a word LEX_WORD_MAX.
 */
#ifndef DAEMON_CONF_LEX_H
#define DAEMON_CONF_LEX_H

#include <stdbool.h>
#include <stddef.h>

#define LEX_WORD_MAX 16383u
#define LEX_DEPTH_MAX 16u /* of includes */
#define LEX_FILES_MAX 1000u
#define LEX_MACROS_MAX 1000u
#define LEX_REPORTS_MAX 100u

enum lex_kind {
	LEX_WORD, /* text; quoted when it began with a quote */
	LEX_TABLE, /* <text> */
	LEX_OPEN, /* { */
	LEX_CLOSE, /* } */
	LEX_COMMA,
	LEX_EQUALS,
	LEX_NOT, /* ! */
	LEX_EOL,
	LEX_END,
	LEX_BAD /* was reported */
};

struct lex_token {
	enum lex_kind kind;
	bool quoted;
	const char *file; /* lent until lex_free() */
	unsigned line;
	const char *text; /* lent until the next lex_next() */
};

struct lex;

struct lex *lex_new(void (*report)(void *, const char *), void *arg);
void lex_free(struct lex *x); /* NULL is accepted */

/* What lex_next() reads from now on; afterwards it goes on where it was. For
 * an error at, the place of the include, may be NULL. -1 after a report. */
int lex_push_file(struct lex *x, const char *path, const struct lex_token *at);
int lex_push_text(
    struct lex *x, const char *name, const char *text, size_t len);

void lex_next(struct lex *x, struct lex_token *t);

/* -1 when there are too many. */
int lex_define(struct lex *x, const char *name, const char *value);

/* Reports file:line: text. */
void lex_error(struct lex *x, const char *file, unsigned line, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));
void lex_report(struct lex *x, const char *line); /* file:line: text, ready */
unsigned lex_errors(const struct lex *x); /* how many were reported */

#endif

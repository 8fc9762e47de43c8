#include "daemon/conf/lex.h"

#include <sys/stat.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/conf/conf.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

struct source {
	const char *name; /* owned by names */
	char *text;
	size_t len, at;
	unsigned line;
};

struct macro {
	char *name, *value;
};

struct lex {
	void (*report)(void *, const char *);
	void *arg;
	unsigned errors;

	struct source stack[LEX_DEPTH_MAX];
	unsigned depth;
	char **names; /* of all files ever read: tokens point to them */
	unsigned nnames;
	size_t total; /* octets of all texts */

	struct macro *macros;
	unsigned nmacros;

	char word[LEX_WORD_MAX + 1];
	size_t wordlen;
};

struct lex *
lex_new(void (*report)(void *, const char *), void *arg)
{
	struct lex *x = mem_zalloc(sizeof(*x));

	x->report = report;
	x->arg = arg;
	return x;
}

void
lex_free(struct lex *x)
{
	unsigned i;

	if (x == NULL)
		return;
	for (i = 0; i < x->depth; i++)
		free(x->stack[i].text);
	for (i = 0; i < x->nnames; i++)
		free(x->names[i]);
	for (i = 0; i < x->nmacros; i++) {
		free(x->macros[i].name);
		free(x->macros[i].value);
	}
	free(x->names);
	free(x->macros);
	free(x);
}

void
lex_error(struct lex *x, const char *file, unsigned line, const char *fmt, ...)
{
	char text[1024], all[1400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (x->errors + 1 == LEX_REPORTS_MAX)
		snprintf(text, sizeof(text), "too many errors, giving up here");
	if (line == 0) /* the file as a whole */
		snprintf(all, sizeof(all), "%.300s: %s", file, text);
	else
		snprintf(all, sizeof(all), "%.300s:%u: %s", file, line, text);
	lex_report(x, all);
}

void
lex_report(struct lex *x, const char *line)
{
	x->errors++;
	if (x->errors <= LEX_REPORTS_MAX && x->report != NULL)
		x->report(x->arg, line);
}

unsigned
lex_errors(const struct lex *x)
{
	return x->errors;
}

/* Takes text. */
static int
push(struct lex *x, const char *name, char *text, size_t len)
{
	struct source *s = &x->stack[x->depth++];

	x->names = mem_rearray(x->names, x->nnames + 1, sizeof(x->names[0]));
	x->names[x->nnames] = mem_strdup(name);
	s->name = x->names[x->nnames++];
	s->text = text;
	s->len = len;
	s->at = 0;
	s->line = 1;
	x->total += len;
	return 0;
}

static int
refuse(struct lex *x, const char *path, const struct lex_token *at,
    const char *why)
{
	char quoted[300];

	if (at == NULL)
		lex_error(x, path, 0, "%s", why);
	else
		lex_error(x, at->file, at->line, "include \"%s\": %s",
		    text_printable(quoted, sizeof(quoted), path), why);
	return -1;
}

/* Reads to the end of fd, at most max octets. NULL with errno. */
static char *
slurp(int fd, size_t max, size_t *len)
{
	struct buf *b = buf_new(max);
	char piece[16384], *text = NULL;
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 || buf_put(b, piece, (size_t)n) == -1)
			goto out;
	}
	*len = buf_len(b);
	text = mem_zalloc(*len + 1);
	memcpy(text, buf_data(b), *len);
out:
	buf_free(b);
	return text;
}

int
lex_push_file(struct lex *x, const char *path, const struct lex_token *at)
{
	struct stat st;
	char *text;
	size_t len;
	int fd, err;

	if (x->depth == LEX_DEPTH_MAX)
		return refuse(x, path, at, "includes are nested too deeply");
	if (x->nnames == LEX_FILES_MAX)
		return refuse(x, path, at, "too many files are included");
	/* A FIFO would block the open, a directory fail the read oddly. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1)
		return refuse(x, path, at, strerror(errno));
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		close(fd);
		return refuse(x, path, at, "is not a regular file");
	}
	text = slurp(fd, CONF_TEXT_MAX - x->total, &len);
	err = errno;
	close(fd);
	if (text == NULL)
		return refuse(x, path, at,
		    err == EMSGSIZE ? "the configuration is too long"
				    : strerror(err));
	return push(x, path, text, len);
}

int
lex_push_text(struct lex *x, const char *name, const char *text, size_t len)
{
	char *copy;

	if (x->depth == LEX_DEPTH_MAX || len > CONF_TEXT_MAX - x->total)
		return refuse(x, name, NULL, "the configuration is too long");
	copy = mem_zalloc(len + 1);
	if (len > 0)
		memcpy(copy, text, len);
	return push(x, name, copy, len);
}

static struct macro *
macro_find(struct lex *x, const char *name, size_t len)
{
	unsigned i;

	for (i = 0; i < x->nmacros; i++)
		if (strlen(x->macros[i].name) == len &&
		    memcmp(x->macros[i].name, name, len) == 0)
			return &x->macros[i];
	return NULL;
}

int
lex_define(struct lex *x, const char *name, const char *value)
{
	struct macro *m = macro_find(x, name, strlen(name));

	if (m != NULL) {
		free(m->value);
		m->value = mem_strdup(value);
		return 0;
	}
	if (x->nmacros == LEX_MACROS_MAX)
		return -1;
	x->macros =
	    mem_rearray(x->macros, x->nmacros + 1, sizeof(x->macros[0]));
	m = &x->macros[x->nmacros++];
	m->name = mem_strdup(name);
	m->value = mem_strdup(value);
	return 0;
}

/* The next octet without taking it; -1 at the end of the source. */
static int
look(const struct source *s, size_t ahead)
{
	if (s->at + ahead >= s->len)
		return -1;
	return (unsigned char)s->text[s->at + ahead];
}

/* How many octets a backslash and a line end take here; 0: there is none. */
static size_t
continuation(const struct source *s)
{
	if (look(s, 0) != '\\')
		return 0;
	if (look(s, 1) == '\n')
		return 2;
	if (look(s, 1) == '\r' && look(s, 2) == '\n')
		return 3;
	return 0;
}

static void
skip_blank(struct source *s)
{
	size_t n;
	int c;

	for (;;) {
		c = look(s, 0);
		if (c == ' ' || c == '\t' ||
		    (c == '\r' && look(s, 1) == '\n')) {
			s->at++;
		} else if ((n = continuation(s)) > 0) {
			s->at += n;
			s->line++;
		} else if (c == '#') {
			while (c != -1 && c != '\n') {
				s->at++;
				c = look(s, 0);
			}
		} else {
			return;
		}
	}
}

/* Reports the word, and drops the rest of the line: what is in it can only be
 * guessed. */
static void
bad(struct lex *x, struct lex_token *t, const char *why)
{
	struct source *s = &x->stack[x->depth - 1];
	char shown[128];

	t->kind = LEX_BAD;
	x->word[x->wordlen < 40 ? x->wordlen : 40] = '\0';
	text_printable(shown, sizeof(shown), x->word);
	lex_error(x, t->file, t->line, "\"%s\": %s", shown, why);
	while (s->at < s->len && s->text[s->at] != '\n')
		s->at++;
}

static bool
add(struct lex *x, struct lex_token *t, const char *s, size_t len)
{
	if (len > LEX_WORD_MAX - x->wordlen) {
		bad(x, t, "the word is too long");
		return false;
	}
	memcpy(x->word + x->wordlen, s, len);
	x->wordlen += len;
	return true;
}

static bool
name_char(int c)
{
	return c != -1 && (isalnum(c) || c == '_');
}

static bool
macro_use(struct lex *x, struct source *s, struct lex_token *t)
{
	const char *name = s->text + s->at + 1;
	struct macro *m;
	size_t len = 0;

	while (name_char(look(s, len + 1)))
		len++;
	s->at += len + 1;
	m = macro_find(x, name, len);
	if (m != NULL)
		return add(x, t, m->value, strlen(m->value));
	t->kind = LEX_BAD;
	lex_error(x, t->file, t->line, "\"$%.*s\": no such macro",
	    len < 40 ? (int)len : 40, name);
	return false;
}

/* From the quote to its partner; the text joins the word. */
static bool
quoted_part(struct lex *x, struct source *s, struct lex_token *t)
{
	size_t n;
	char c;

	for (s->at++; look(s, 0) != '"'; s->at++) {
		if (look(s, 0) == -1 || look(s, 0) == '\n') {
			bad(x, t, "the closing quote is missing");
			return false;
		}
		if ((n = continuation(s)) > 0) {
			s->at += n - 1;
			s->line++;
			continue;
		}
		if (look(s, 0) == '\\' &&
		    (look(s, 1) == '"' || look(s, 1) == '\\'))
			s->at++;
		c = s->text[s->at];
		if ((unsigned char)c < ' ' || c == 0x7f) {
			bad(x, t, "a control character in a string");
			return false;
		}
		if (!add(x, t, &c, 1))
			return false;
	}
	s->at++;
	return true;
}

static bool
ends_word(const struct source *s)
{
	int c = look(s, 0);

	return c == -1 || (c != 0 && strchr(" \t\n{},=<>", c) != NULL) ||
	    (c == '\r' && look(s, 1) == '\n') || continuation(s) > 0;
}

static void
word(struct lex *x, struct source *s, struct lex_token *t)
{
	char c;

	t->kind = LEX_WORD;
	t->quoted = look(s, 0) == '"';
	while (!ends_word(s)) {
		c = s->text[s->at];
		if (c == '"') {
			if (!quoted_part(x, s, t))
				return;
		} else if (c == '$' && name_char(look(s, 1))) {
			if (!macro_use(x, s, t))
				return;
		} else if ((unsigned char)c < ' ' || c == 0x7f) {
			s->at++;
			bad(x, t, "a control character");
			return;
		} else {
			if (!add(x, t, &c, 1))
				return;
			s->at++;
		}
	}
}

static void
table(struct lex *x, struct source *s, struct lex_token *t)
{
	char c;

	t->kind = LEX_TABLE;
	for (s->at++; !ends_word(s) && look(s, 0) != '"'; s->at++) {
		c = s->text[s->at];
		if (!add(x, t, &c, 1))
			return;
	}
	if (look(s, 0) == '>')
		s->at++;
	else
		bad(x, t, "the closing > of a table's name is missing");
}

static enum lex_kind
sign(int c)
{
	switch (c) {
	case '{':
		return LEX_OPEN;
	case '}':
		return LEX_CLOSE;
	case ',':
		return LEX_COMMA;
	case '=':
		return LEX_EQUALS;
	case '!':
		return LEX_NOT;
	default:
		return LEX_BAD;
	}
}

/* The end of a source ends a statement; then the one below goes on. */
static void
source_end(struct lex *x, struct lex_token *t)
{
	t->kind = LEX_EOL;
	free(x->stack[--x->depth].text);
}

void
lex_next(struct lex *x, struct lex_token *t)
{
	static const char *const shown[] = { [LEX_OPEN] = "{",
		[LEX_CLOSE] = "}",
		[LEX_COMMA] = ",",
		[LEX_EQUALS] = "=",
		[LEX_NOT] = "!" };
	struct source *s;
	int c;

	x->wordlen = 0;
	x->word[0] = '\0';
	t->quoted = false;
	t->text = x->word;
	if (x->depth == 0) {
		t->kind = LEX_END;
		t->file = x->nnames > 0 ? x->names[0] : "";
		return;
	}
	s = &x->stack[x->depth - 1];
	skip_blank(s);
	t->file = s->name;
	t->line = s->line;
	c = look(s, 0);
	if (c == -1) {
		source_end(x, t);
	} else if (c == '\n') {
		t->kind = LEX_EOL;
		s->at++;
		s->line++;
	} else if ((t->kind = sign(c)) != LEX_BAD) {
		t->text = shown[t->kind];
		s->at++;
	} else if (c == '<') {
		table(x, s, t);
	} else if (c == '>') {
		s->at++;
		add(x, t, ">", 1);
		bad(x, t, "a > without its <");
	} else {
		word(x, s, t);
	}
	x->word[x->wordlen] = '\0';
}

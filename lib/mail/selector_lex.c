#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/mail/envfield.h"
#include "lib/mail/selector_tree.h"

int
selector_fail(struct parser *p, size_t column, const char *fmt, ...)
{
	va_list ap;

	p->e->column = column;
	va_start(ap, fmt);
	vsnprintf(p->e->text, sizeof(p->e->text), fmt, ap);
	va_end(ap);
	return -1;
}

const char *
lex_show(char dst[LEX_SHOWN], const char *text, size_t len)
{
	char copy[41];

	if (len > sizeof(copy) - 1)
		len = sizeof(copy) - 1;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return text_printable(dst, LEX_SHOWN, copy);
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void
lex_blanks(struct parser *p)
{
	while (p->at < p->len && blank(p->text[p->at]))
		p->at++;
}

bool
lex_char(struct parser *p, char c)
{
	lex_blanks(p);
	if (p->at >= p->len || p->text[p->at] != c)
		return false;
	p->at++;
	return true;
}

static bool
pair_at(const struct parser *p, size_t at, char c)
{
	return at + 1 < p->len && p->text[at] == c && p->text[at + 1] == c;
}

bool
lex_pair(struct parser *p, char c)
{
	lex_blanks(p);
	if (!pair_at(p, p->at, c))
		return false;
	p->at += 2;
	return true;
}

bool
lex_ends(const struct parser *p)
{
	return p->at >= p->len || p->text[p->at] == ')' ||
	    p->text[p->at] == ',' || pair_at(p, p->at, '&') ||
	    pair_at(p, p->at, '|');
}

size_t
lex_name(const struct parser *p)
{
	size_t n = 0;
	char c;

	for (; p->at + n < p->len; n++) {
		c = p->text[p->at + n];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(n > 0 &&
			    ((c >= '0' && c <= '9') || c == '.' || c == '-' ||
				c == '_'))))
			break;
	}
	return n;
}

static const struct {
	const char *sign;
	int op; /* -1: what people write elsewhere */
	const char *meant;
} signs[] = {
	{ "=", OP_EQ, NULL },
	{ "!=", OP_NE, NULL },
	{ "<", OP_LT, NULL },
	{ "<=", OP_LE, NULL },
	{ ">", OP_GT, NULL },
	{ ">=", OP_GE, NULL },
	{ "~", OP_LIKE, NULL },
	{ "!~", OP_UNLIKE, NULL },
	{ "==", -1, "=" },
	{ "===", -1, "=" },
	{ "=~", -1, "~" },
	{ "~=", -1, "~" },
	{ "~~", -1, "~" },
	{ "=<", -1, "<=" },
	{ "=>", -1, ">=" },
	{ "<>", -1, "!=" },
	{ "=!", -1, "!=" },
	{ "!==", -1, "!=" },
	{ "~!", -1, "!~" },
	{ "is", -1, "=" },
	{ "eq", -1, "=" },
	{ "ne", -1, "!=" },
	{ "lt", -1, "<" },
	{ "le", -1, "<=" },
	{ "gt", -1, ">" },
	{ "ge", -1, ">=" },
	{ "like", -1, "~" },
	{ "matches", -1, "~" },
	{ "contains", -1, "~ with * around the text" },
	{ "and", -1, "&&" },
	{ "or", -1, "||" },
	{ "not", -1, "!" },
	{ "&", -1, "&&" },
	{ "|", -1, "||" },
};

static size_t
sign_len(const struct parser *p)
{
	const char *at = p->text + p->at;

	return strspn(at, "=!<>~");
}

static int
no_op(struct parser *p, size_t n)
{
	char shown[LEX_SHOWN], sign[12] = "";
	size_t i;

	lex_show(shown, p->text + p->at, n);
	if (n < sizeof(sign))
		memcpy(sign, p->text + p->at, n);
	text_lower(sign);
	for (i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (sign[0] != '\0' && strcmp(signs[i].sign, sign) == 0)
			return selector_fail(p, p->at,
			    "%s is no operator, did you mean %s?", shown,
			    signs[i].meant == NULL ? "=" : signs[i].meant);
	if (n > 0)
		return selector_fail(p, p->at,
		    "%s is no operator: they are = != < <= > >= ~ !~ and in",
		    shown);
	return selector_fail(p, p->at,
	    "here an operator is wanted (= != < <= > >= ~ !~ in), or && or ||");
}

/* The operator is followed by "<" of an address: sender=<ann@example.org>. */
static size_t
before_bracket(const struct parser *p, enum kind kind, size_t n)
{
	const char *at = p->text + p->at;
	size_t i = 0;

	if (kind != KIND_ADDRESS || n < 2)
		return n;
	while (i < n && at[i] != '<')
		i++;
	return i > 0 && i < n ? i : n;
}

int
lex_op(struct parser *p, enum kind kind)
{
	size_t n, i;

	lex_blanks(p);
	n = before_bracket(p, kind, sign_len(p));
	for (i = 0; n > 0 && i < sizeof(signs) / sizeof(signs[0]); i++)
		if (signs[i].op != -1 && strlen(signs[i].sign) == n &&
		    memcmp(signs[i].sign, p->text + p->at, n) == 0) {
			p->at += n;
			return signs[i].op;
		}
	if (n > 0)
		return no_op(p, n);
	if (lex_ends(p))
		return OP_HAS;
	n = lex_name(p);
	if (n == 2 && memcmp(p->text + p->at, "in", 2) == 0) {
		p->at += n;
		return OP_EQ;
	}
	if (n == 0 && (p->text[p->at] == '&' || p->text[p->at] == '|'))
		n = 1;
	return no_op(p, n);
}

/* \" \\ \n \r \t \xNN, the backslash eaten. */
static int
escape(struct parser *p, struct buf *b)
{
	static const char from[] = "\"\\nrt", to[] = "\"\\\n\r\t";
	const char *s = p->text + p->at, *k;
	int hi, lo;
	char c;

	k = *s == '\0' ? NULL : strchr(from, *s);
	if (k != NULL) {
		buf_put(b, &to[k - from], 1);
		p->at++;
		return 0;
	}
	if (*s == 'x') {
		hi = envfield_hex(s[1]);
		lo = hi == -1 ? -1 : envfield_hex(s[2]);
		if (lo == -1 || hi + lo == 0)
			return selector_fail(p, p->at - 1,
			    "\\x wants two hexadecimal digits, not both 0");
		c = (char)(hi << 4 | lo);
		buf_put(b, &c, 1);
		p->at += 3;
		return 0;
	}
	return selector_fail(p, p->at - 1,
	    "between quotes a backslash stands before \" \\ n r t or xNN; "
	    "write \\\\ for one that is meant");
}

int
lex_quoted(struct parser *p, char **text)
{
	size_t start = p->at;
	struct buf *b;

	b = buf_new(SELECTOR_TEXT_MAX);
	for (p->at++; p->at < p->len && p->text[p->at] != '"';) {
		if (p->text[p->at] != '\\') {
			buf_put(b, p->text + p->at++, 1);
			continue;
		}
		p->at++;
		if (escape(p, b) == -1)
			goto bad;
	}
	if (p->at >= p->len) {
		selector_fail(p, start, "the closing quote is missing");
		goto bad;
	}
	p->at++;
	if (!lex_ends(p) && !blank(p->text[p->at])) {
		selector_fail(p, p->at,
		    "text goes on behind the quote: put quotes around all of "
		    "it, with \\\" for those within");
		goto bad;
	}
	*text = mem_strndup(buf_text(b), buf_len(b));
	buf_free(b);
	return 0;
bad:
	buf_free(b);
	return -1;
}

/* Slash to slash; \/ is a slash, every other backslash is left as it is. */
static int
lex_ere(struct parser *p, struct raw *r)
{
	struct buf *b = buf_new(SELECTOR_TEXT_MAX);

	r->form = FORM_ERE;
	for (p->at++; p->at < p->len && p->text[p->at] != '/'; p->at++) {
		if (p->text[p->at] == '\\' && p->at + 1 < p->len) {
			p->at++;
			if (p->text[p->at] != '/')
				buf_puts(b, "\\");
		}
		buf_put(b, p->text + p->at, 1);
	}
	if (p->at >= p->len) {
		buf_free(b);
		return selector_fail(p, r->column,
		    "the closing / of the regular expression is missing");
	}
	p->at++;
	r->fold = p->at < p->len && p->text[p->at] == 'i';
	if (r->fold)
		p->at++;
	r->text = mem_strndup(buf_text(b), buf_len(b));
	buf_free(b);
	if (lex_ends(p) || blank(p->text[p->at]))
		return 0;
	return selector_fail(p, p->at,
	    "behind a regular expression only i may stand; a / within is "
	    "written \\/");
}

int
lex_value(struct parser *p, enum op op, struct raw *r)
{
	size_t n = 0;

	lex_blanks(p);
	memset(r, 0, sizeof(*r));
	r->column = p->at;
	if (p->at < p->len && p->text[p->at] == '"') {
		r->form = FORM_QUOTED;
		r->column++;
		return lex_quoted(p, &r->text);
	}
	if (p->at < p->len && p->text[p->at] == '/') {
		if (op == OP_LIKE || op == OP_UNLIKE)
			return lex_ere(p, r);
		return selector_fail(p, p->at,
		    "a regular expression goes with ~ or !~; a text that "
		    "begins with / is put in quotes");
	}
	for (; !lex_ends(p) && !blank(p->text[p->at]); n++, p->at++)
		if (p->text[p->at] == '(' || p->text[p->at] == '"')
			return selector_fail(p, p->at,
			    "%c within a word: put quotes around all of it",
			    p->text[p->at]);
	if (n == 0)
		return selector_fail(p, p->at, "here a value is wanted");
	r->form = FORM_WORD;
	r->text = mem_strndup(p->text + r->column, n);
	return 0;
}

#include <string.h>

#include "lib/base/text.h"
#include "lib/mail/selector_tree.h"

size_t
compare_fold_from(enum kind kind, const char *text, size_t len)
{
	size_t i;

	if (kind == KIND_DOMAIN)
		return 0;
	if (kind != KIND_ADDRESS)
		return len;
	for (i = len; i > 0; i--)
		if (text[i - 1] == '@')
			return i;
	return len;
}

static unsigned char
lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

int
compare_order(const char *text, size_t len, size_t fold, const struct item *i)
{
	size_t n = len < i->len ? len : i->len, at;
	unsigned char a, b;

	for (at = 0; at < n; at++) {
		a = at < fold ? (unsigned char)text[at] : lower(text[at]);
		b = (unsigned char)i->text[at];
		if (a != b)
			return a < b ? -1 : 1;
	}
	return len < i->len ? -1 : len > i->len;
}

/* Octets that ? stands for. */
static size_t
one(const char *text, size_t left)
{
	size_t n = text_utf8_len(text, left);

	return n == 0 ? 1 : n;
}

/* Back to the last * only: no more than len times the pattern's length. */
bool
compare_glob(const char *pattern, const char *text, size_t len, size_t fold)
{
	const char *p = pattern, *star = NULL;
	size_t at = 0, from = 0;
	char c;

	while (at < len) {
		c = *p;
		if (c == '*') {
			star = ++p;
			from = at;
			continue;
		}
		if (c == '?') {
			p++;
			at += one(text + at, len - at);
			continue;
		}
		if (c == '\\' && p[1] != '\0')
			c = *++p;
		if (c != '\0' &&
		    (c == text[at] ||
			(at >= fold && lower(c) == lower(text[at])))) {
			p++;
			at++;
			continue;
		}
		if (star == NULL)
			return false;
		p = star;
		at = ++from;
	}
	while (*p == '*')
		p++;
	return *p == '\0';
}

#include "daemon/conf/lines.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf/network.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"

static const char blanks[] = " \t\r";

static bool
blank(char c)
{
	return c != '\0' && strchr(blanks, c) != NULL;
}

/* Cuts the blanks at both ends, in place. */
static char *
trim(char *s)
{
	size_t n;

	s += strspn(s, blanks);
	for (n = strlen(s); n > 0 && blank(s[n - 1]); n--)
		s[n - 1] = '\0';
	return s;
}

/* Where the key ends. A network of IPv6 holds colons and is a key alone; else
 * the first colon, = or blank outside quotes ends it. */
static size_t
key_end(char *s)
{
	size_t n = strcspn(s, blanks);
	struct network net;
	char saved = s[n];
	bool quoted = false;

	s[n] = '\0';
	if (network_parse(&net, s)) {
		s[n] = saved;
		return n;
	}
	s[n] = saved;
	for (n = 0; s[n] != '\0'; n++) {
		if (s[n] == '"')
			quoted = !quoted;
		else if (!quoted && (blank(s[n]) || s[n] == ':' || s[n] == '='))
			break;
	}
	return quoted ? 0 : n;
}

static void
unquote(char *key)
{
	size_t n = strlen(key);

	if (n >= 2 && key[0] == '"' && key[n - 1] == '"' &&
	    strchr(key + 1, '"') == key + n - 1) {
		memmove(key, key + 1, n - 2);
		key[n - 2] = '\0';
	}
}

/* One entry, all its lines joined. False when it has no key. */
static bool
entry(char *s, void (*fn)(void *, const char *, const char *), void *arg)
{
	char *value;
	size_t n;

	s = trim(s);
	n = key_end(s);
	if (n == 0)
		return false;
	value = s + n;
	value += strspn(value, blanks);
	if (*value == ':' || *value == '=')
		value++;
	value = mem_strdup(value);
	s[n] = '\0';
	unquote(s);
	if (s[0] != '\0')
		fn(arg, s, trim(value));
	free(value);
	return s[0] != '\0';
}

static bool
has_control(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (((unsigned char)s[i] < ' ' || s[i] == 0x7f) && !blank(s[i]))
			return true;
	return false;
}

static int
refuse(char *why, size_t size, unsigned line, const char *text)
{
	snprintf(why, size, "line %u: %s", line, text);
	return -1;
}

int
lines_read(const char *text, size_t len,
    void (*fn)(void *, const char *, const char *), void *arg, char *why,
    size_t why_size)
{
	struct buf *b = buf_new(LINES_MAX);
	const char *end = text + len, *eol, *s;
	unsigned line = 0, first = 0;
	char *whole;
	int result = 0;

	while (result == 0 && text <= end) {
		eol = text < end ? memchr(text, '\n', (size_t)(end - text))
				 : NULL;
		if (eol == NULL)
			eol = end;
		line++;
		for (s = text; s < eol && blank(*s); s++)
			continue;
		/* A new entry, or the end, closes the one before. */
		if (text == end || (s == text && s < eol && *s != '#')) {
			if (buf_len(b) > 0) {
				whole = mem_strdup(buf_text(b));
				if (!entry(whole, fn, arg))
					result = refuse(why, why_size, first,
					    "an entry without its key");
				free(whole);
			}
			buf_reset(b);
			first = line;
		}
		if (text == end)
			break;
		if (s < eol && *s != '#') {
			if (has_control(s, (size_t)(eol - s)))
				result = refuse(
				    why, why_size, line, "a control character");
			else if (first == 0)
				result = refuse(why, why_size, line,
				    "the first line continues nothing");
			else if (buf_puts(b, s == text ? "" : " ") == -1 ||
			    buf_put(b, s, (size_t)(eol - s)) == -1)
				result = refuse(why, why_size, first,
				    "the entry is too long");
		}
		text = eol < end ? eol + 1 : end;
	}
	buf_free(b);
	return result;
}

int
lines_targets(const char *value, int (*fn)(void *, const char *), void *arg)
{
	char *copy, *s, *target;
	bool quoted = false, last = false;
	int result = 0;

	copy = mem_strdup(value);
	for (s = target = copy; result == 0 && !last; s++) {
		if (*s == '\\' && quoted && s[1] != '\0') {
			s++;
			continue;
		}
		if (*s == '"')
			quoted = !quoted;
		if (*s != '\0' && (*s != ',' || quoted))
			continue;
		last = *s == '\0';
		*s = '\0';
		target = trim(target);
		unquote(target);
		if (*target != '\0')
			result = fn(arg, target);
		target = s + 1;
	}
	free(copy);
	return result;
}

#include "lib/mail/status.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "421" and its separator. Returns what follows, or NULL. */
static const char *
reply_code(const char *s, unsigned *code)
{
	if (s[0] < '2' || s[0] > '5' || !digit(s[1]) || !digit(s[2]))
		return NULL;
	if (s[3] != ' ' && s[3] != '-' && s[3] != '\0')
		return NULL;
	*code = (unsigned)(s[0] - '0') * 100 + (unsigned)(s[1] - '0') * 10 +
	    (unsigned)(s[2] - '0');
	return s[3] == '\0' ? s + 3 : s + 4;
}

/* One to three digits (RFC 3463 section 2). */
static const char *
part(const char *s, unsigned *v)
{
	int n;

	*v = 0;
	for (n = 0; n < 3 && digit(*s); n++)
		*v = *v * 10 + (unsigned)(*s++ - '0');
	return n == 0 ? NULL : s;
}

static const char *
enhanced_code(const char *s, struct status *st)
{
	unsigned subject, detail;
	char klass = s[0];

	if ((klass != '2' && klass != '4' && klass != '5') || s[1] != '.')
		return NULL;
	s = part(s + 2, &subject);
	if (s == NULL || *s != '.')
		return NULL;
	s = part(s + 1, &detail);
	if (s == NULL || (*s != ' ' && *s != '\0'))
		return NULL;
	st->klass = (unsigned)(klass - '0');
	st->subject = subject;
	st->detail = detail;
	return s;
}

void
status_parse(struct status *st, const char *line)
{
	const char *after;

	memset(st, 0, sizeof(*st));
	after = reply_code(line, &st->code);
	if (after != NULL)
		line = after;
	while (*line == ' ')
		line++;
	st->text = line;
	if (st->code != 0 && *line != (char)('0' + st->code / 100))
		return;
	after = enhanced_code(line, st);
	if (after == NULL)
		return;
	while (*after == ' ')
		after++;
	st->text = after;
}

const char *
status_enhanced(char dst[STATUS_ENHANCED_MAX], const struct status *s)
{
	unsigned klass = s->code / 100;

	if (s->klass != 0)
		snprintf(dst, STATUS_ENHANCED_MAX, "%u.%u.%u", s->klass % 10,
		    s->subject % 1000, s->detail % 1000);
	else if (klass == 2 || klass == 4 || klass == 5)
		snprintf(dst, STATUS_ENHANCED_MAX, "%u.0.0", klass);
	else
		dst[0] = '\0';
	return dst;
}

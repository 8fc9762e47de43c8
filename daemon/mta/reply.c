#include "daemon/mta/reply.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/text.h"
#include "lib/mail/status.h"

void
reply_init(struct reply *r)
{
	r->code = 0;
	r->len = 0;
	r->text[0] = '\0';
	r->lines = 0;
	r->at = 0;
	r->more = false;
	r->cr = false;
}

static void
keep(struct reply *r, char c)
{
	/* One octet stays free for the line end. */
	if (r->lines >= REPLY_LINES_KEPT || r->len + 1 >= REPLY_TEXT_MAX)
		return;
	r->text[r->len++] = c == '\0' ? '?' : c;
}

/* The code and what separates it from the text; false: no reply line. */
static bool
take_code(struct reply *r, char c)
{
	if (r->at == 0) {
		if (c < '2' || c > '5')
			return false;
		r->code = 0;
	}
	if (r->at == 3) {
		if (c != ' ' && c != '-')
			return false;
		r->more = c == '-';
	} else {
		if (!isdigit((unsigned char)c))
			return false;
		r->code = r->code * 10 + (unsigned)(c - '0');
	}
	r->at++;
	return true;
}

static enum reply_state
end_line(struct reply *r)
{
	if (r->at < 3)
		return REPLY_BAD;
	if (r->at == 3)
		r->more = false;
	if (r->lines < REPLY_LINES_KEPT && r->len < REPLY_TEXT_MAX)
		r->text[r->len++] = '\n';
	r->text[r->len] = '\0';
	r->lines++;
	r->at = 0;
	r->cr = false;
	if (!r->more)
		return REPLY_WHOLE;
	return r->lines > REPLY_LINES_MAX ? REPLY_BAD : REPLY_MORE;
}

enum reply_state
reply_feed(struct reply *r, const void *data, size_t len, size_t *used)
{
	const char *s = data;
	enum reply_state state = REPLY_MORE;
	size_t i;

	for (i = 0; i < len && state == REPLY_MORE; i++) {
		if (s[i] == '\n') {
			state = end_line(r);
			continue;
		}
		if (r->cr && r->at == 4)
			keep(r, '\r');
		r->cr = s[i] == '\r';
		if (r->cr)
			continue;
		if (r->at == 4)
			keep(r, s[i]);
		else if (!take_code(r, s[i]))
			state = REPLY_BAD;
	}
	*used = i;
	return state;
}

/* Past an enhanced code at the start of a line, when it has that class. */
static const char *
past_enhanced(const char *line, unsigned klass)
{
	unsigned a, b, c;
	int n = 0;

	if (sscanf(line, "%1u.%3u.%3u%n", &a, &b, &c, &n) != 3 || a != klass)
		return line;
	if (line[n] != ' ' && line[n] != '\n' && line[n] != '\0')
		return line;
	return line + n + (line[n] == ' ');
}

bool
reply_enhanced(const struct reply *r)
{
	return past_enhanced(r->text, r->code / 100) != r->text;
}

const char *
reply_status(char dst[REPLY_STATUS_MAX], const struct reply *r)
{
	char flat[REPLY_STATUS_MAX], code[STATUS_ENHANCED_MAX];
	char whole[REPLY_STATUS_MAX + 32], line[REPLY_STATUS_MAX + 32];
	const char *s = r->text, *end;
	struct status status;
	size_t at = 0, n;

	/* The lines become one; codes repeated on each line go. */
	while (*s != '\0' && at + 2 < sizeof(flat)) {
		if (at > 0)
			s = past_enhanced(s, r->code / 100);
		end = strchr(s, '\n');
		n = end == NULL ? strlen(s) : (size_t)(end - s);
		if (n > sizeof(flat) - 2 - at)
			n = sizeof(flat) - 2 - at;
		if (n > 0 && at > 0)
			flat[at++] = ' ';
		if (n > sizeof(flat) - 1 - at)
			n = sizeof(flat) - 1 - at;
		memcpy(flat + at, s, n);
		at += n;
		if (end == NULL)
			break;
		s = end + 1;
	}
	while (at > 0 && flat[at - 1] == ' ')
		at--;
	flat[at] = '\0';
	snprintf(whole, sizeof(whole), "%u %s", r->code, flat);
	status_parse(&status, whole);
	status.code = r->code;
	/* There is no such thing for 3xx. */
	if (r->code / 100 == 3)
		code[0] = '\0';
	else
		status_enhanced(code, &status);
	snprintf(line, sizeof(line), "%u%s%s%s%.*s", r->code,
	    code[0] == '\0' ? "" : " ", code, *status.text == '\0' ? "" : " ",
	    REPLY_STATUS_MAX, status.text);
	text_printable(dst, REPLY_STATUS_MAX, line);
	return dst;
}

static bool
is_word(const char *line, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(line, word, len) == 0;
}

/* AUTH PLAIN LOGIN, or as some said it before there was a standard: AUTH=... */
static void
take_auth(struct reply_ehlo *e, const char *s)
{
	size_t n;

	for (; *s != '\0' && *s != '\n'; s += n) {
		n = strcspn(s, " =\n");
		if (is_word(s, n, "PLAIN"))
			e->auth_plain = true;
		else if (is_word(s, n, "LOGIN"))
			e->auth_login = true;
		n += strspn(s + n, " =");
	}
}

static void
take_size(struct reply_ehlo *e, const char *s)
{
	size_t digits = strspn(s, "0123456789");
	char number[24];

	e->size = true;
	if (digits >= sizeof(number))
		return; /* beyond any message: no limit */
	memcpy(number, s, digits);
	number[digits] = '\0';
	if (!text_number(number, UINT64_MAX / 2, &e->size_limit))
		e->size_limit = 0;
}

void
reply_ehlo(struct reply_ehlo *e, const struct reply *r)
{
	const char *line = strchr(r->text, '\n');
	size_t n;

	memset(e, 0, sizeof(*e));
	/* The first line names the host. */
	for (; line != NULL && *++line != '\0'; line = strchr(line, '\n')) {
		n = strcspn(line, " =\n");
		if (is_word(line, n, "PIPELINING"))
			e->pipelining = true;
		else if (is_word(line, n, "8BITMIME"))
			e->eightbitmime = true;
		else if (is_word(line, n, "STARTTLS"))
			e->starttls = true;
		else if (is_word(line, n, "CHUNKING"))
			e->chunking = true;
		else if (is_word(line, n, "AUTH"))
			take_auth(e, line + n + strspn(line + n, " ="));
		else if (is_word(line, n, "SIZE"))
			take_size(e, line + n + strspn(line + n, " "));
	}
}

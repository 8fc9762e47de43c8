#include "daemon/smtp/command.h"

#include <string.h>
#include <strings.h>

#define SIZE_DIGITS 20 /* RFC 1870 section 4 */

struct words {
	const char *at, *end;
};

enum command_cut
command_cut(const char *in, size_t len, size_t *used)
{
	size_t n = len < COMMAND_MAIL_MAX ? len : COMMAND_MAIL_MAX;
	const char *lf = memchr(in, '\n', n);

	*used = 0;
	if (lf == NULL) {
		if (n < COMMAND_MAIL_MAX)
			return COMMAND_MORE;
		*used = in[n - 1] == '\r' ? n - 1 : n;
		return COMMAND_LONG;
	}
	*used = (size_t)(lf - in) + 1;
	if (lf == in || lf[-1] != '\r')
		return COMMAND_BARE_LF;
	n = *used - 2;
	if (memchr(in, '\0', n) != NULL || memchr(in, '\r', n) != NULL)
		return COMMAND_BAD_OCTET;
	return COMMAND_WHOLE;
}

bool
command_skip(const char *in, size_t len, size_t *used)
{
	const char *end = len < 2 ? NULL : memmem(in, len, "\r\n", 2);

	if (end != NULL) {
		*used = (size_t)(end - in) + 2;
		return true;
	}
	*used = len > 0 && in[len - 1] == '\r' ? len - 1 : len;
	return false;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next word between blanks; false at the end of the line. */
static bool
next_word(struct words *w, const char **word, size_t *len)
{
	while (w->at < w->end && is_blank(*w->at))
		w->at++;
	*word = w->at;
	while (w->at < w->end && !is_blank(*w->at))
		w->at++;
	*len = (size_t)(w->at - *word);
	return *len > 0;
}

static bool
word_is(const char *word, size_t len, const char *want)
{
	return strlen(want) == len && strncasecmp(word, want, len) == 0;
}

/* The argument of EHLO and HELO. Names with an underscore are no domains, but
 * come from many a workstation. */
static bool
name_ok(const char *name, size_t len)
{
	size_t i;

	if (len > ADDR_DOMAIN_MAX)
		return false;
	if (addr_domain_ok(name, len, false))
		return true;
	for (i = 0; i < len; i++)
		if ((name[i] < 'a' || name[i] > 'z') &&
		    (name[i] < 'A' || name[i] > 'Z') &&
		    (name[i] < '0' || name[i] > '9') && name[i] != '-' &&
		    name[i] != '.' && name[i] != '_')
			return false;
	return true;
}

static void
parse_name(struct command *c, struct words *w)
{
	const char *word, *rest;
	size_t len, more;

	if (!next_word(w, &word, &len) || next_word(w, &rest, &more) ||
	    !name_ok(word, len)) {
		c->error = "501 5.5.4 A domain name or an address literal is "
			   "needed";
		return;
	}
	memcpy(c->name, word, len);
	c->name[len] = '\0';
}

/* The end of a path: the '>' outside of a quoted string. */
static const char *
path_end(const char *at, const char *end)
{
	bool quoted = false;

	for (; at < end; at++) {
		if (quoted && *at == '\\' && at + 1 < end)
			at++;
		else if (*at == '"')
			quoted = !quoted;
		else if (*at == '>' && !quoted)
			return at;
	}
	return NULL;
}

static const char *
address_error(enum addr_result r, bool mail)
{
	switch (r) {
	case ADDR_LOCAL_LONG:
		return mail ? "501 5.1.7 The local part is too long"
			    : "501 5.1.3 The local part is too long";
	case ADDR_DOMAIN_LONG:
		return mail ? "501 5.1.7 The domain is too long"
			    : "501 5.1.3 The domain is too long";
	case ADDR_UTF8:
		return "553 5.6.7 The address is not ASCII";
	default:
		return mail ? "501 5.1.7 Not a mail address"
			    : "501 5.1.3 Not a mail address";
	}
}

/* FROM:<path> or TO:<path>. A blank after the colon is not by the book, but is
 * the commonest slip of all and harms nobody. */
static bool
parse_path(struct command *c, struct words *w, const char *key)
{
	bool mail = c->verb == COMMAND_MAIL;
	size_t n = strlen(key);
	const char *close;
	enum addr_result r;

	c->error = mail ? "501 5.5.4 Syntax: MAIL FROM:<address>"
			: "501 5.5.4 Syntax: RCPT TO:<address>";
	while (w->at < w->end && is_blank(*w->at))
		w->at++;
	if ((size_t)(w->end - w->at) < n || strncasecmp(w->at, key, n) != 0)
		return false;
	w->at += n;
	while (w->at < w->end && is_blank(*w->at))
		w->at++;
	if (w->at == w->end || *w->at != '<')
		return false;
	close = path_end(w->at + 1, w->end);
	if (close == NULL || (close + 1 < w->end && !is_blank(close[1])))
		return false;
	if (close + 1 - w->at > COMMAND_PATH_MAX) {
		c->error = mail ? "501 5.1.7 The path is too long"
				: "501 5.1.3 The path is too long";
		return false;
	}
	r = addr_parse(
	    &c->addr, w->at + 1, (size_t)(close - w->at - 1), !mail, false);
	if (r == ADDR_OK && !mail && addr_is_null(&c->addr))
		r = ADDR_SYNTAX;
	if (r != ADDR_OK) {
		c->error = address_error(r, mail);
		return false;
	}
	w->at = close + 1;
	c->error = NULL;
	return true;
}

/* RFC 5321 section 4.1.2: esmtp-param. */
static bool
parameter_ok(const char *word, size_t len, size_t *keyword)
{
	size_t i;
	char k;

	for (i = 0; i < len && word[i] != '='; i++) {
		k = (char)(word[i] | 0x20);
		if ((k < 'a' || k > 'z') && (word[i] < '0' || word[i] > '9') &&
		    (word[i] != '-' || i == 0))
			return false;
	}
	*keyword = i;
	if (i == 0 || i == len)
		return i != 0;
	if (++i == len)
		return false;
	for (; i < len; i++)
		if (word[i] < '!' || word[i] > '~' || word[i] == '=')
			return false;
	return true;
}

static bool
parse_size(struct command *c, const char *digits, size_t len)
{
	size_t i;

	if (c->has_size || len == 0 || len > SIZE_DIGITS)
		return false;
	for (i = 0; i < len; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return false;
		if (c->size > (UINT64_MAX - 9) / 10)
			c->size = UINT64_MAX;
		else
			c->size = c->size * 10 + (uint64_t)(digits[i] - '0');
	}
	c->has_size = true;
	return true;
}

static void
parse_parameters(struct command *c, struct words *w)
{
	const char *word, *value;
	bool has_body = false;
	size_t len, k, n;

	while (next_word(w, &word, &len)) {
		c->error = "501 5.5.4 Bad parameter";
		if (!parameter_ok(word, len, &k))
			return;
		value = word + k + (k < len);
		n = (size_t)(word + len - value);
		if (c->verb == COMMAND_MAIL && word_is(word, k, "SIZE")) {
			if (!parse_size(c, value, n))
				return;
		} else if (c->verb == COMMAND_MAIL &&
		    word_is(word, k, "BODY")) {
			c->eightbit = word_is(value, n, "8BITMIME");
			if (has_body ||
			    (!c->eightbit && !word_is(value, n, "7BIT")))
				return;
			has_body = true;
		} else {
			c->error = "555 5.5.4 Parameter not recognized";
			return;
		}
		c->error = NULL;
	}
}

static void
parse_mail(struct command *c, struct words *w)
{
	if (parse_path(c, w, "FROM:"))
		parse_parameters(c, w);
}

static void
parse_rcpt(struct command *c, struct words *w)
{
	if (parse_path(c, w, "TO:"))
		parse_parameters(c, w);
}

static void
parse_nothing(struct command *c, struct words *w)
{
	const char *word;
	size_t len;

	if (next_word(w, &word, &len))
		c->error = "501 5.5.4 No argument is allowed";
}

static void
parse_something(struct command *c, struct words *w)
{
	const char *word;
	size_t len;

	if (!next_word(w, &word, &len))
		c->error = "501 5.5.4 An argument is needed";
}

static void
parse_anything(struct command *c, struct words *w)
{
	(void)c;
	(void)w;
}

static void
parse_unimplemented(struct command *c, struct words *w)
{
	(void)w;
	c->error = "502 5.5.1 Command not implemented";
}

static const struct {
	const char *name;
	enum command_verb verb;
	void (*parse)(struct command *c, struct words *w);
} verbs[] = {
	{ "MAIL", COMMAND_MAIL, parse_mail },
	{ "RCPT", COMMAND_RCPT, parse_rcpt },
	{ "DATA", COMMAND_DATA, parse_nothing },
	{ "EHLO", COMMAND_EHLO, parse_name },
	{ "HELO", COMMAND_HELO, parse_name },
	{ "QUIT", COMMAND_QUIT, parse_nothing },
	{ "RSET", COMMAND_RSET, parse_nothing },
	{ "NOOP", COMMAND_NOOP, parse_anything },
	{ "VRFY", COMMAND_VRFY, parse_something },
	{ "EXPN", COMMAND_EXPN, parse_something },
	{ "HELP", COMMAND_HELP, parse_anything },
	{ "STARTTLS", COMMAND_UNKNOWN, parse_unimplemented },
	{ "AUTH", COMMAND_UNKNOWN, parse_unimplemented },
	{ "BDAT", COMMAND_UNKNOWN, parse_unimplemented },
	{ "ETRN", COMMAND_UNKNOWN, parse_unimplemented },
	{ "TURN", COMMAND_UNKNOWN, parse_unimplemented },
	{ "ATRN", COMMAND_UNKNOWN, parse_unimplemented },
	{ "SEND", COMMAND_UNKNOWN, parse_unimplemented },
	{ "SOML", COMMAND_UNKNOWN, parse_unimplemented },
	{ "SAML", COMMAND_UNKNOWN, parse_unimplemented },
	{ "GET", COMMAND_FOREIGN, parse_anything },
	{ "POST", COMMAND_FOREIGN, parse_anything },
	{ "PUT", COMMAND_FOREIGN, parse_anything },
	{ "CONNECT", COMMAND_FOREIGN, parse_anything },
	{ "HEAD", COMMAND_FOREIGN, parse_anything },
	{ "DELETE", COMMAND_FOREIGN, parse_anything },
	{ "OPTIONS", COMMAND_FOREIGN, parse_anything },
	{ "PATCH", COMMAND_FOREIGN, parse_anything },
	{ "TRACE", COMMAND_FOREIGN, parse_anything },
	{ "PRI", COMMAND_FOREIGN, parse_anything },
};

void
command_parse(struct command *c, const char *line, size_t len)
{
	struct words w = { line, line + len };
	const char *word = line;
	size_t i, n;

	memset(c, 0, sizeof(*c));
	c->error = "500 5.5.2 Command not recognized";
	if (len == 0 || is_blank(line[0]) || !next_word(&w, &word, &n))
		return;
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!word_is(word, n, verbs[i].name))
			continue;
		c->verb = verbs[i].verb;
		c->error = NULL;
		if (c->verb != COMMAND_MAIL && len + 2 > COMMAND_LINE_MAX)
			c->error = "500 5.5.2 Line too long";
		else
			verbs[i].parse(c, &w);
		return;
	}
}

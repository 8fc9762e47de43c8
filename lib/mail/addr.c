#include "lib/mail/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string.h>
#include <strings.h>

#include "lib/base/text.h"

#define LABEL_MAX 63

/* What is still to be read. */
struct cursor {
	const char *at, *end;
	bool utf8;
	enum addr_result why; /* of the first refusal */
};

static bool
refuse(struct cursor *c, enum addr_result why)
{
	if (c->why == ADDR_OK)
		c->why = why;
	return false;
}

static bool
looking_at(const struct cursor *c, char what)
{
	return c->at < c->end && *c->at == what;
}

static bool
letter_or_digit(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
	    (ch >= '0' && ch <= '9');
}

static bool
atext(char ch)
{
	return letter_or_digit(ch) ||
	    (ch != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", ch) != NULL);
}

/* Length of the 8-bit character the cursor stands at; 0 after a refusal. */
static size_t
wide(struct cursor *c)
{
	size_t n;

	if (!c->utf8) {
		refuse(c, ADDR_UTF8);
		return 0;
	}
	n = text_utf8_len(c->at, (size_t)(c->end - c->at));
	if (n == 0)
		refuse(c, ADDR_SYNTAX);
	return n;
}

/* Atoms with dots between, up to what is neither. */
static bool
dot_string(struct cursor *c, char *dst, size_t room)
{
	size_t n, len = 0;
	bool atom = false; /* the last octet belongs to one */

	for (; c->at < c->end; c->at += n) {
		n = 1;
		if (*c->at == '.') {
			if (!atom)
				return refuse(c, ADDR_SYNTAX);
		} else if ((unsigned char)*c->at >= 0x80) {
			n = wide(c);
			if (n == 0)
				return false;
		} else if (!atext(*c->at)) {
			break;
		}
		atom = *c->at != '.';
		if (len + n > room)
			return refuse(c, ADDR_LOCAL_LONG);
		memcpy(dst + len, c->at, n);
		len += n;
	}
	dst[len] = '\0';
	return atom || refuse(c, ADDR_SYNTAX);
}

/* Content of a quoted string, without quotes and backslashes. */
static bool
quoted_string(struct cursor *c, char *dst, size_t room)
{
	size_t n, len = 0;

	for (c->at++; c->at < c->end && *c->at != '"'; c->at += n) {
		n = 1;
		if (*c->at == '\\' && ++c->at == c->end)
			break;
		if ((unsigned char)*c->at >= 0x80)
			n = wide(c);
		else if (*c->at < ' ' || *c->at == 0x7f)
			return refuse(c, ADDR_SYNTAX);
		if (n == 0)
			return false;
		if (len + n > room)
			return refuse(c, ADDR_LOCAL_LONG);
		memcpy(dst + len, c->at, n);
		len += n;
	}
	dst[len] = '\0';
	if (c->at == c->end)
		return refuse(c, ADDR_SYNTAX);
	c->at++;
	return true;
}

static bool
needs_quotes(const char *content, bool utf8)
{
	struct cursor c = {
		.at = content,
		.end = content + strlen(content),
		.utf8 = utf8,
	};
	char copy[ADDR_LOCAL_MAX + 1];

	return !dot_string(&c, copy, ADDR_LOCAL_MAX) || c.at < c.end;
}

static bool
local_part(struct cursor *c, char *dst)
{
	char content[ADDR_LOCAL_MAX + 1];
	const char *s;

	if (!looking_at(c, '"'))
		return dot_string(c, dst, ADDR_LOCAL_MAX);
	if (!quoted_string(c, content, ADDR_LOCAL_MAX))
		return false;
	if (!needs_quotes(content, c->utf8)) {
		memcpy(dst, content, strlen(content) + 1);
		return true;
	}
	*dst++ = '"';
	for (s = content; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			*dst++ = '\\';
		*dst++ = *s;
	}
	*dst++ = '"';
	*dst = '\0';
	return true;
}

/* Between the brackets: an IPv4 address, or "IPv6:" and an IPv6 address. */
static bool
literal_ok(const char *text, size_t len)
{
	char copy[INET6_ADDRSTRLEN + sizeof("IPv6:")];
	struct in6_addr room;

	if (len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (strncasecmp(copy, "IPv6:", 5) == 0)
		return inet_pton(AF_INET6, copy + 5, &room) == 1;
	return inet_pton(AF_INET, copy, &room) == 1;
}

static bool
address_literal(struct cursor *c)
{
	const char *open = c->at + 1;
	const char *shut = memchr(open, ']', (size_t)(c->end - open));

	if (shut == NULL || !literal_ok(open, (size_t)(shut - open)))
		return refuse(c, ADDR_SYNTAX);
	c->at = shut + 1;
	return true;
}

/* One label. The underscore is no letter of host names, but of enough names
 * that greet us or take mail. */
static bool
label(struct cursor *c)
{
	const char *start = c->at;
	size_t n;

	for (; c->at < c->end; c->at += n) {
		n = 1;
		if ((unsigned char)*c->at >= 0x80) {
			n = wide(c);
			if (n == 0)
				return false;
		} else if (!letter_or_digit(*c->at) && *c->at != '-' &&
		    *c->at != '_') {
			break;
		}
	}
	if (c->at == start || *start == '-' || c->at[-1] == '-' ||
	    c->at - start > LABEL_MAX)
		return refuse(c, ADDR_SYNTAX);
	return true;
}

/* Moves over a domain name or address literal. */
static bool
domain(struct cursor *c)
{
	const char *start = c->at;

	if (looking_at(c, '['))
		return address_literal(c);
	for (;;) {
		if (!label(c))
			return false;
		if (c->at - start > ADDR_DOMAIN_MAX)
			return refuse(c, ADDR_DOMAIN_LONG);
		if (!looking_at(c, '.'))
			return true;
		c->at++;
	}
}

/* "@a,@b:" before a mailbox (RFC 5321 appendix C): read and dropped. */
static bool
source_route(struct cursor *c)
{
	while (looking_at(c, '@')) {
		c->at++;
		if (!domain(c))
			return false;
		if (looking_at(c, ':')) {
			c->at++;
			return true;
		}
		if (!looking_at(c, ','))
			break;
		c->at++;
	}
	return refuse(c, ADDR_SYNTAX);
}

static bool
mailbox(struct cursor *c, struct addr *a, bool postmaster)
{
	const char *start;

	if (looking_at(c, '@') && !source_route(c))
		return false;
	if (!local_part(c, a->local))
		return false;
	if (c->at == c->end && postmaster &&
	    strcasecmp(a->local, "postmaster") == 0)
		return true;
	if (!looking_at(c, '@'))
		return refuse(c, ADDR_SYNTAX);
	start = ++c->at;
	if (!domain(c))
		return false;
	if (c->at < c->end)
		return refuse(c, ADDR_SYNTAX);
	memcpy(a->domain, start, (size_t)(c->at - start));
	return true;
}

enum addr_result
addr_parse(
    struct addr *a, const char *text, size_t len, bool postmaster, bool utf8)
{
	struct cursor c = { .at = text, .end = text + len, .utf8 = utf8 };

	memset(a, 0, sizeof(*a));
	if (len > 0 && !mailbox(&c, a, postmaster))
		memset(a, 0, sizeof(*a));
	return c.why;
}

bool
addr_domain_ok(const char *text, size_t len, bool utf8)
{
	struct cursor c = { .at = text, .end = text + len, .utf8 = utf8 };

	return domain(&c) && c.at == c.end;
}

bool
addr_is_null(const struct addr *a)
{
	return a->local[0] == '\0' && a->domain[0] == '\0';
}

const char *
addr_text(char dst[ADDR_TEXT_MAX], const struct addr *a)
{
	size_t n = strlen(a->local), m = strlen(a->domain);

	memcpy(dst, a->local, n);
	if (m > 0) {
		dst[n++] = '@';
		memcpy(dst + n, a->domain, m);
	}
	dst[n + m] = '\0';
	return dst;
}

const char *
addr_key(char dst[ADDR_TEXT_MAX], const struct addr *a)
{
	addr_text(dst, a);
	text_lower(dst);
	return dst;
}

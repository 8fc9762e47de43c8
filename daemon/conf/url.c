#include "daemon/conf/url.h"

#include <sys/un.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/conf/network.h"
#include "daemon/conf/parse.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

#define LABEL_MAX 63

static const struct {
	const char *name;
	enum conf_transport transport;
	bool tls;
	uint16_t port;
} schemes[] = {
	{ "smtp", CONF_SMTP, false, 25 },
	{ "smtp+tls", CONF_SMTP, true, 25 },
	{ "tls", CONF_SMTP, true, 25 },
	{ "smtps", CONF_SMTPS, false, 465 },
	{ "lmtp", CONF_LMTP, false, 24 },
};
static const char known[] = "smtp, smtp+tls, tls, smtps, lmtp, and +auth "
			    "behind those with tls and smtps";
static const char auth_mark[] = "+auth";

/* What stands before an @ is not shown: some write passwords there. */
static bool
refuse(char *why, size_t size, const char *what, const char *text)
{
	const char *s = strstr(text, "://"), *at;
	char shown[100], hidden[100];

	at = s != NULL ? strrchr(s, '@') : NULL;
	if (at != NULL && at != s + 3) {
		snprintf(hidden, sizeof(hidden), "%.*s://...%s",
		    (int)(s - text < 40 ? s - text : 40), text, at);
		text = hidden;
	}
	snprintf(why, size, "\"%s\" %s",
	    text_printable(shown, sizeof(shown), text), what);
	return false;
}

void
url_clear(struct conf_url *u)
{
	free(u->label);
	free(u->host);
	free(u->path);
	memset(u, 0, sizeof(*u));
}

/* The row, or how many there are. */
static size_t
scheme_of(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strlen(schemes[i].name) == len &&
		    strncasecmp(schemes[i].name, text, len) == 0)
			break;
	return i;
}

static bool
ends_in_auth(const char *text, size_t len)
{
	size_t n = strlen(auth_mark);

	return len > n && strncasecmp(text + len - n, auth_mark, n) == 0;
}

/* host[:port], where host may be an address, IPv6 in brackets. */
static bool
host_and_port(struct conf_url *u, const char *text)
{
	unsigned char octets[16];
	const char *end, *colon;
	uint64_t n = u->port;
	char *h;
	bool ok;

	end = text[0] == '[' ? strchr(text, ']') : NULL;
	colon = strchr(end != NULL ? end : text, ':');
	if (end != NULL && end[1] != '\0' && end[1] != ':')
		return false;
	if (colon != NULL && (!text_number(colon + 1, 65535, &n) || n == 0))
		return false;
	h = colon != NULL ? mem_strndup(text, (size_t)(colon - text))
			  : mem_strdup(text);
	text_lower(h);
	if (end != NULL) {
		h[end - text] = '\0';
		ok = inet_pton(AF_INET6, h + 1, octets) == 1 ||
		    inet_pton(AF_INET, h + 1, octets) == 1;
		h[end - text] = ']';
	} else {
		ok = parse_domain_ok(h) && strpbrk(h, "[]:") == NULL;
	}
	if (ok && end == NULL && inet_pton(AF_INET, h, octets) == 1)
		u->host = mem_printf("[%s]", h);
	else if (ok)
		u->host = mem_strdup(h);
	free(h);
	u->port = (uint16_t)n;
	return ok;
}

static bool
label_ok(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) &&
		    strchr("._-", s[i]) == NULL)
			return false;
	return len > 0 && len <= LABEL_MAX;
}

static bool
on_this_host(const char *host)
{
	struct network n;
	char inner[INET6_ADDRSTRLEN];
	size_t len = strlen(host);

	if (host[0] != '[' || len - 2 >= sizeof(inner))
		return false;
	memcpy(inner, host + 1, len - 2);
	inner[len - 2] = '\0';
	return network_parse(&n, inner) && network_is_loopback(&n);
}

/* [label@]host[:port] */
static bool
authority(struct conf_url *u, const char *text, const char *s, bool auth,
    char *why, size_t size)
{
	const char *at = strrchr(s, '@');

	if (auth && at == NULL)
		return refuse(
		    why, size, "lacks its label: +auth://LABEL@HOST", text);
	if (!auth && at != NULL)
		return refuse(
		    why, size, "has a label, but no +auth in its scheme", text);
	if (auth) {
		if (!label_ok(s, (size_t)(at - s)))
			return refuse(why, size,
			    "has a label that is not made of letters, digits "
			    "and ._-",
			    text);
		u->label = mem_strndup(s, (size_t)(at - s));
		s = at + 1;
	}
	if (!host_and_port(u, s))
		return refuse(why, size,
		    "must end in HOST[:PORT], where HOST is a name, an IPv4 "
		    "address or [ADDRESS]",
		    text);
	if (auth && u->transport == CONF_SMTP && !u->tls &&
	    !on_this_host(u->host))
		return refuse(why, size,
		    "would send a password in clear: use smtp+tls+auth or "
		    "smtps+auth",
		    text);
	return true;
}

static bool
parts(struct conf_url *u, const char *text, char *why, size_t size)
{
	const char *s = strstr(text, "://");
	size_t len, row;
	bool auth;

	if (s == NULL)
		return refuse(
		    why, size, "is no URL: SCHEME://HOST[:PORT]", text);
	len = (size_t)(s - text);
	auth = ends_in_auth(text, len);
	if (auth)
		len -= strlen(auth_mark);
	row = scheme_of(text, len);
	if (row == sizeof(schemes) / sizeof(schemes[0])) {
		refuse(why, size, "has an unknown scheme; there are ", text);
		snprintf(why + strlen(why), size - strlen(why), "%s", known);
		return false;
	}
	u->transport = schemes[row].transport;
	u->tls = schemes[row].tls;
	u->port = schemes[row].port;
	if (auth && u->transport == CONF_LMTP)
		return refuse(why, size, "asks LMTP for +auth", text);
	s += strlen("://");
	if (u->transport != CONF_LMTP || s[0] != '/')
		return authority(u, text, s, auth, why, size);
	if (s[1] == '\0' ||
	    strlen(s) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return refuse(why, size,
		    "has no path, or one too long for a socket", text);
	u->path = mem_strdup(s);
	u->port = 0;
	return true;
}

bool
url_parse(struct conf_url *u, const char *text, char *why, size_t size)
{
	memset(u, 0, sizeof(*u));
	if (parts(u, text, why, size))
		return true;
	url_clear(u);
	return false;
}

/* An IPv4 address needs no brackets. */
static const char *
plain(const char *host, char *dst, size_t size)
{
	if (host[0] != '[' || strchr(host, ':') != NULL)
		return host;
	snprintf(dst, size, "%.*s", (int)strlen(host) - 2, host + 1);
	return dst;
}

const char *
conf_url_text(const struct conf_url *u, char dst[CONF_URL_MAX])
{
	static const char *const names[] = { [CONF_SMTP] = "smtp",
		[CONF_SMTPS] = "smtps",
		[CONF_LMTP] = "lmtp" };
	char host[INET6_ADDRSTRLEN];

	if (u->path != NULL)
		snprintf(dst, CONF_URL_MAX, "lmtp://%s", u->path);
	else
		snprintf(dst, CONF_URL_MAX, "%s%s%s://%s%s%s:%u",
		    names[u->transport], u->tls ? "+tls" : "",
		    u->label != NULL ? auth_mark : "",
		    u->label != NULL ? u->label : "",
		    u->label != NULL ? "@" : "",
		    plain(u->host, host, sizeof(host)), u->port);
	return dst;
}

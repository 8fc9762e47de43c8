/*
 * parse_listen - listen statements, and the addresses of interfaces
 */
#include <sys/types.h>

#include <net/if.h>
#include <netinet/in.h>

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/parse.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

struct listen {
	uint32_t port;
	int family; /* AF_UNSPEC: both */
	char *where, *hostname, *tag;
};

static bool
on_port(struct parse *p, void *ctx)
{
	struct listen *l = ctx;

	return parse_u32(p, 1, 65535, &l->port);
}

static bool
on_hostname(struct parse *p, void *ctx)
{
	struct listen *l = ctx;

	return parse_domain(p, &l->hostname);
}

static bool
on_tag(struct parse *p, void *ctx)
{
	struct listen *l = ctx;
	const char *s = p->tok.text;

	if (p->tok.kind != LEX_WORD || s[0] == '\0' || strlen(s) > 63 ||
	    strpbrk(s, " \t") != NULL)
		return parse_expected(p, "a tag without blanks");
	return parse_value(p, "a tag", &l->tag);
}

static bool
on_family(struct parse *p, struct listen *l, int family)
{
	if (l->family != AF_UNSPEC)
		return parse_error(p, "inet4 and inet6 exclude each other");
	l->family = family;
	return true;
}

static bool
on_inet4(struct parse *p, void *ctx)
{
	return on_family(p, ctx, AF_INET);
}

static bool
on_inet6(struct parse *p, void *ctx)
{
	return on_family(p, ctx, AF_INET6);
}

static bool
same_address(const struct conf_listener *l, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in[2];
	const struct sockaddr_in6 *in6[2];

	if (l->addr.ss_family != ss->ss_family)
		return false;
	if (ss->ss_family == AF_INET) {
		in[0] = (const struct sockaddr_in *)&l->addr;
		in[1] = (const struct sockaddr_in *)ss;
		return in[0]->sin_port == in[1]->sin_port &&
		    in[0]->sin_addr.s_addr == in[1]->sin_addr.s_addr;
	}
	in6[0] = (const struct sockaddr_in6 *)&l->addr;
	in6[1] = (const struct sockaddr_in6 *)ss;
	return in6[0]->sin6_port == in6[1]->sin6_port &&
	    in6[0]->sin6_scope_id == in6[1]->sin6_scope_id &&
	    memcmp(&in6[0]->sin6_addr, &in6[1]->sin6_addr, 16) == 0;
}

/* One listener at an address, whose port is set here. */
static bool
add(struct parse *p, const struct listen *l, const struct sockaddr *sa)
{
	struct conf *c = p->conf;
	struct conf_listener *n;
	struct sockaddr_storage ss;
	size_t i;

	memset(&ss, 0, sizeof(ss));
	if (sa->sa_family == AF_INET) {
		memcpy(&ss, sa, sizeof(struct sockaddr_in));
		((struct sockaddr_in *)&ss)->sin_port =
		    htons((uint16_t)l->port);
	} else {
		memcpy(&ss, sa, sizeof(struct sockaddr_in6));
		((struct sockaddr_in6 *)&ss)->sin6_port =
		    htons((uint16_t)l->port);
	}
	for (i = 0; i < c->nlisteners; i++) {
		if (!same_address(&c->listeners[i], &ss))
			continue;
		lex_error(p->lex, p->statement.file, p->statement.line,
		    "listen: \"%s\" port %u is listened on already, by line %u",
		    l->where, l->port, c->listeners[i].line);
		return false;
	}
	if (c->nlisteners == 1000)
		return parse_error(p, "there are too many");
	c->listeners = mem_rearray(c->listeners, c->nlisteners + 1, sizeof(*n));
	n = &c->listeners[c->nlisteners++];
	memset(n, 0, sizeof(*n));
	n->where = mem_strdup(l->where);
	n->addr = ss;
	n->addrlen = sa->sa_family == AF_INET ? sizeof(struct sockaddr_in)
					      : sizeof(struct sockaddr_in6);
	n->port = (uint16_t)l->port;
	n->hostname = l->hostname != NULL ? mem_strdup(l->hostname) : NULL;
	n->tag = l->tag != NULL ? mem_strdup(l->tag)
				: mem_printf("%.60s:%u", l->where, l->port);
	n->line = p->statement.line;
	return true;
}

static bool
wanted(const struct listen *l, const struct sockaddr *sa)
{
	return sa != NULL &&
	    (sa->sa_family == AF_INET || sa->sa_family == AF_INET6) &&
	    (l->family == AF_UNSPEC || l->family == sa->sa_family);
}

static const char *
nth_interface(const void *list, size_t i)
{
	const struct ifaddrs *ifa = list;

	while (i-- > 0)
		ifa = ifa->ifa_next;
	return ifa->ifa_name;
}

static bool
no_such_place(struct parse *p, const struct listen *l,
    const struct ifaddrs *list, bool interface)
{
	const struct ifaddrs *ifa;
	char nearest[100], shown[100];
	size_t n = 0;

	for (ifa = list; ifa != NULL; ifa = ifa->ifa_next)
		n++;
	text_printable(shown, sizeof(shown), l->where);
	parse_nearest(
	    nearest, sizeof(nearest), l->where, nth_interface, list, n);
	if (interface)
		lex_error(p->lex, p->statement.file, p->statement.line,
		    "listen: the interface \"%s\" has no such address", shown);
	else
		lex_error(p->lex, p->statement.file, p->statement.line,
		    "listen: \"%s\" is no address and no interface%s", shown,
		    nearest);
	return false;
}

static bool
add_interface(struct parse *p, const struct listen *l)
{
	struct ifaddrs *list = NULL;
	const struct ifaddrs *ifa;
	bool interface = false, found = false, ok = true;

	if (getifaddrs(&list) == -1) {
		lex_error(p->lex, p->statement.file, p->statement.line,
		    "listen: \"%s\": cannot list the interfaces: %s", l->where,
		    strerror(errno));
		return false;
	}
	for (ifa = list; ok && ifa != NULL; ifa = ifa->ifa_next) {
		if (strcmp(ifa->ifa_name, l->where) != 0)
			continue;
		interface = true;
		if (!wanted(l, ifa->ifa_addr))
			continue;
		found = true;
		ok = add(p, l, ifa->ifa_addr);
	}
	if (ok && !found)
		ok = no_such_place(p, l, list, interface);
	freeifaddrs(list);
	return ok;
}

static bool
resolve(struct parse *p, const struct listen *l)
{
	struct addrinfo hints, *res = NULL;
	bool ok;

	memset(&hints, 0, sizeof(hints));
	hints.ai_flags = AI_NUMERICHOST;
	hints.ai_socktype = SOCK_STREAM;
	/* getaddrinfo() takes "1" and "0x7f.1" as well. */
	if (strpbrk(l->where, ".:") == NULL ||
	    getaddrinfo(l->where, NULL, &hints, &res) != 0)
		return add_interface(p, l);
	if (wanted(l, res->ai_addr)) {
		ok = add(p, l, res->ai_addr);
	} else {
		lex_error(p->lex, p->statement.file, p->statement.line,
		    "listen: \"%s\" is not an %s address", l->where,
		    l->family == AF_INET ? "inet4" : "inet6");
		ok = false;
	}
	freeaddrinfo(res);
	return ok;
}

bool
parse_listen(struct parse *p, void *unused)
{
	static const struct parse_word words[] = {
		{ "port", on_port, false },
		{ "hostname", on_hostname, false },
		{ "inet4", on_inet4, false },
		{ "inet6", on_inet6, false },
		{ "tag", on_tag, false },
	};
	struct listen l = { 25, AF_UNSPEC, NULL, NULL, NULL };
	uint32_t seen = 0;
	bool ok;

	(void)unused;
	if (!parse_accept(p, "on"))
		return parse_expected(p, "on");
	ok = parse_value(p, "an address or an interface", &l.where) &&
	    parse_words(
		p, words, sizeof(words) / sizeof(words[0]), &l, &seen) &&
	    resolve(p, &l);
	free(l.where);
	free(l.hostname);
	free(l.tag);
	return ok;
}

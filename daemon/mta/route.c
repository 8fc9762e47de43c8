#include "daemon/mta/route.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "lib/base/text.h"

#define REST_FIRST 1000u /* ms */
#define REST_MOST 30000u

/* 192.0.2.1, 2001:db8::1 or IPv6:2001:db8::1. */
static bool
literal(struct route_target *t, const char *text)
{
	char plain[INET6_ADDRSTRLEN];

	if (strncasecmp(text, "IPv6:", 5) == 0)
		text += 5;
	if (inet_pton(AF_INET, text, t->octets) == 1)
		t->family6 = false;
	else if (inet_pton(AF_INET6, text, t->octets) == 1)
		t->family6 = true;
	else
		return false;
	t->kind = ROUTE_LITERAL;
	inet_ntop(
	    t->family6 ? AF_INET6 : AF_INET, t->octets, plain, sizeof(plain));
	snprintf(t->name, sizeof(t->name), "%s", plain);
	return true;
}

/* [address]; a name; false when it is neither or too long. */
static bool
named(struct route_target *t, const char *text)
{
	char inner[64];
	size_t len = strlen(text);

	if (len == 0 || len >= sizeof(t->name))
		return false;
	if (text[0] != '[') {
		memcpy(t->name, text, len + 1);
		text_lower(t->name);
		if (len > 1 && t->name[len - 1] == '.')
			t->name[len - 1] = '\0';
		return strpbrk(t->name, " []<>@") == NULL;
	}
	if (text[len - 1] != ']' || len - 2 >= sizeof(inner))
		return false;
	memcpy(inner, text + 1, len - 2);
	inner[len - 2] = '\0';
	return literal(t, inner);
}

bool
route_target(struct route_target *t, const char *via, uint16_t via_port,
    const char *domain, uint16_t mx_port)
{
	memset(t, 0, sizeof(*t));
	if (via == NULL) {
		t->kind = ROUTE_MX;
		t->port = mx_port;
		if (!named(t, domain))
			return false;
	} else {
		t->kind = ROUTE_HOST;
		t->port = via_port;
		if (!literal(t, via) && !named(t, via))
			return false;
	}
	switch (t->kind) {
	case ROUTE_MX:
		snprintf(t->key, sizeof(t->key), "%s", t->name);
		break;
	case ROUTE_HOST:
		snprintf(t->key, sizeof(t->key), "%s:%u", t->name, t->port);
		break;
	case ROUTE_LITERAL:
		snprintf(t->key, sizeof(t->key), "[%s]:%u", t->name, t->port);
		break;
	}
	return true;
}

/* Connections to all addresses of the host that address i belongs to. */
static unsigned
of_host(const struct route_address *a, size_t n, size_t i)
{
	unsigned sum = 0;
	size_t k = i;

	while (k > 0 && a[k - 1].host == a[i].host)
		k--;
	for (; k < n && a[k].host == a[i].host; k++)
		sum += a[k].connections;
	return sum;
}

static bool
better(const struct route_address *a, const struct route_address *b)
{
	if (a->idle != b->idle)
		return a->idle;
	if (a->failures != b->failures)
		return a->failures < b->failures;
	return a->connections < b->connections;
}

/* What to do with one address: DEAD stands for "not this one". */
static enum route_verdict
judge(const struct route_address *a, unsigned host, unsigned cap, uint64_t now)
{
	if (a->idle)
		return ROUTE_OPEN;
	/* It may take only so many: those that are open, or about to be, are
	 * waited for. */
	if (a->usable_at > now)
		return a->connections > 0 ? ROUTE_BUSY : ROUTE_DEAD;
	if (a->failures > 0 && a->connections > 0)
		return ROUTE_BUSY;
	return host < cap ? ROUTE_OPEN : ROUTE_BUSY;
}

enum route_verdict
route_pick(const struct route_address *a, size_t n, unsigned cap, uint64_t now,
    size_t *which)
{
	size_t i, open = n, busy = n, last = 0;
	bool wait = false; /* at its limit, not in trouble */

	for (i = 0; i < n; i++) {
		if (i > 0 && a[i].preference != a[i - 1].preference &&
		    (open < n || wait))
			break;
		if (a[i].failed_at >= a[last].failed_at)
			last = i;
		switch (judge(&a[i], of_host(a, n, i), cap, now)) {
		case ROUTE_OPEN:
			if (open == n || better(&a[i], &a[open]))
				open = i;
			break;
		case ROUTE_BUSY:
			if (busy == n)
				busy = i;
			if (a[i].live > 0 || a[i].failures == 0)
				wait = true;
			break;
		case ROUTE_DEAD:
			break;
		}
	}
	if (open < n) {
		*which = open;
		return ROUTE_OPEN;
	}
	*which = busy < n ? busy : last;
	return busy < n ? ROUTE_BUSY : ROUTE_DEAD;
}

uint64_t
route_rest(unsigned failures)
{
	uint64_t rest = REST_FIRST;

	while (failures-- > 1 && rest < REST_MOST)
		rest *= 2;
	return rest < REST_MOST ? rest : REST_MOST;
}

size_t
route_cut_own(const uint16_t *preference, const bool *own, size_t n)
{
	size_t i, k;

	for (i = 0; i < n && !own[i]; i++)
		;
	if (i == n)
		return n;
	for (k = i; k > 0 && preference[k - 1] == preference[i]; k--)
		;
	return k;
}

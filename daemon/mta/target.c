#include "daemon/mta/target.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/base/text.h"

/* 192.0.2.1, 2001:db8::1 or IPv6:2001:db8::1. */
static bool
literal(struct target *t, const char *text)
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
	t->kind = TARGET_LITERAL;
	inet_ntop(
	    t->family6 ? AF_INET6 : AF_INET, t->octets, plain, sizeof(plain));
	snprintf(t->name, sizeof(t->name), "%s", plain);
	return true;
}

/* [address]; a name; false when it is neither or too long. */
static bool
named(struct target *t, const char *text)
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
target_set(struct target *t, const char *via, uint16_t via_port,
    const char *domain, uint16_t mx_port)
{
	memset(t, 0, sizeof(*t));
	if (via == NULL) {
		t->kind = TARGET_MX;
		t->port = mx_port;
		if (!named(t, domain))
			return false;
	} else {
		t->kind = TARGET_HOST;
		t->port = via_port;
		if (!literal(t, via) && !named(t, via))
			return false;
	}
	switch (t->kind) {
	case TARGET_MX:
		snprintf(t->key, sizeof(t->key), "%s", t->name);
		break;
	case TARGET_HOST:
		snprintf(t->key, sizeof(t->key), "%s:%u", t->name, t->port);
		break;
	case TARGET_PATH:
		break;
	case TARGET_LITERAL:
		snprintf(t->key, sizeof(t->key), "[%s]:%u", t->name, t->port);
		break;
	}
	return true;
}

bool
target_set_path(struct target *t, const char *path)
{
	size_t len = strlen(path);

	memset(t, 0, sizeof(*t));
	if (len == 0 || len >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return false;
	t->kind = TARGET_PATH;
	memcpy(t->name, path, len + 1);
	memcpy(t->key, path, len + 1);
	return true;
}

size_t
target_cut_own(const uint16_t *preference, const bool *own, size_t n)
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

#include "daemon/conf/network.h"

#include <sys/socket.h>
#include <sys/types.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <ifaddrs.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static void
unmap(struct network *n)
{
	if (n->len != 16 || n->bits < 96 ||
	    memcmp(n->octets, mapped, sizeof(mapped)) != 0)
		return;
	memmove(n->octets, n->octets + 12, 4);
	memset(n->octets + 4, 0, 12);
	n->len = 4;
	n->bits = (uint8_t)(n->bits - 96);
}

bool
network_parse(struct network *n, const char *text)
{
	char address[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/%");
	const char *slash = strchr(text, '/');
	uint64_t bits;

	memset(n, 0, sizeof(*n));
	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(AF_INET, address, n->octets) == 1)
		n->len = 4;
	else if (inet_pton(AF_INET6, address, n->octets) == 1)
		n->len = 16;
	else
		return false;
	bits = n->len * 8u;
	if (slash != NULL && !text_number(slash + 1, bits, &bits))
		return false;
	n->bits = (uint8_t)bits;
	unmap(n);
	return true;
}

bool
network_of(struct network *n, const struct sockaddr *sa)
{
	memset(n, 0, sizeof(*n));
	if (sa == NULL)
		return false;
	if (sa->sa_family == AF_INET) {
		memcpy(n->octets,
		    &((const struct sockaddr_in *)(const void *)sa)->sin_addr,
		    4);
		n->len = 4;
	} else if (sa->sa_family == AF_INET6) {
		memcpy(n->octets,
		    &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr,
		    16);
		n->len = 16;
	} else {
		return false;
	}
	n->bits = (uint8_t)(n->len * 8);
	unmap(n);
	return true;
}

bool
network_has(const struct network *n, const struct network *address)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;
	uint8_t mask;

	if (n->len != address->len ||
	    memcmp(n->octets, address->octets, whole) != 0)
		return false;
	if (rest == 0)
		return true;
	mask = (uint8_t)(0xff << (8 - rest));
	return ((n->octets[whole] ^ address->octets[whole]) & mask) == 0;
}

bool
network_is_loopback(const struct network *address)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (address->len == 4)
		return address->octets[0] == 127;
	return memcmp(address->octets, one, sizeof(one)) == 0;
}

struct network *
network_own(size_t *n)
{
	struct network *own = NULL, one;
	struct ifaddrs *list = NULL;
	const struct ifaddrs *ifa;

	*n = 0;
	if (getifaddrs(&list) == -1) {
		log_warn("event=own-addresses error=unknown");
		return NULL;
	}
	for (ifa = list; ifa != NULL; ifa = ifa->ifa_next) {
		if (!network_of(&one, ifa->ifa_addr))
			continue;
		own = mem_rearray(own, *n + 1, sizeof(*own));
		own[(*n)++] = one;
	}
	freeifaddrs(list);
	return own;
}

#include "daemon/mta/self.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"

struct list {
	struct sockaddr_storage *all;
	size_t n, room;
};

static void
add(struct list *l, const void *addr, socklen_t len)
{
	if (l->n == l->room) {
		l->room = l->room == 0 ? 8 : l->room * 2;
		l->all = mem_rearray(l->all, l->room, sizeof(*l->all));
	}
	memset(&l->all[l->n], 0, sizeof(*l->all));
	memcpy(&l->all[l->n++], addr, len);
}

static bool
is_any(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *six = (const void *)ss;
	const struct sockaddr_in *four = (const void *)ss;

	if (ss->ss_family == AF_INET)
		return four->sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr);
}

static void
add_interfaces(struct list *l, const struct conf_listener *listener)
{
	struct sockaddr_in6 six;
	struct sockaddr_in four;
	struct ifaddrs *all, *i;

	if (getifaddrs(&all) == -1)
		return; /* a loop is then seen by its Received fields */
	for (i = all; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr == NULL)
			continue;
		if (i->ifa_addr->sa_family == AF_INET) {
			memcpy(&four, i->ifa_addr, sizeof(four));
			four.sin_port = htons(listener->port);
			add(l, &four, sizeof(four));
		} else if (i->ifa_addr->sa_family == AF_INET6 &&
		    listener->addr.ss_family == AF_INET6) {
			memcpy(&six, i->ifa_addr, sizeof(six));
			six.sin6_port = htons(listener->port);
			add(l, &six, sizeof(six));
		}
	}
	freeifaddrs(all);
}

struct sockaddr_storage *
self_addresses(const struct conf *conf, size_t *n)
{
	struct list l = { 0 };
	size_t i;

	for (i = 0; i < conf->nlisteners; i++) {
		if (is_any(&conf->listeners[i].addr))
			add_interfaces(&l, &conf->listeners[i]);
		else
			add(&l, &conf->listeners[i].addr,
			    conf->listeners[i].addrlen);
	}
	*n = l.n;
	return l.all;
}

bool
self_towards(
    const struct sockaddr_storage *to, socklen_t len, char *dst, socklen_t size)
{
	struct sockaddr_storage own = { 0 };
	const struct sockaddr_in6 *six = (const void *)&own;
	const struct sockaddr_in *four = (const void *)&own;
	socklen_t ownlen = sizeof(own);
	const void *octets;
	bool known;
	int fd;

	if (to->ss_family == AF_UNIX)
		return false;
	/* A datagram socket is only given its ends: nothing is sent. */
	fd = socket(to->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return false;
	known = connect(fd, (const void *)to, len) == 0 &&
	    getsockname(fd, (void *)&own, &ownlen) == 0;
	close(fd);
	octets = own.ss_family == AF_INET ? (const void *)&four->sin_addr
					  : (const void *)&six->sin6_addr;
	return known && inet_ntop(own.ss_family, octets, dst, size) != NULL;
}

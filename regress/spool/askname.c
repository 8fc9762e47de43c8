/*
 * askname - asks the resolver of the dns role, for tests
 *
 * askname PORT DEADLINE_MS HOSTS_FILE (mx|address) NAME...: all are asked at
 * once of 127.0.0.1 port PORT; one line each, in the order of the answers.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/dns/etc.h"
#include "daemon/dns/resolver.h"

struct asker {
	struct event_base *base;
	char **names;
	int left;
};

static void
on_answer(void *arg, uint32_t ticket, const struct resolver_answer *a)
{
	static const char *const words[] = { "found", "temporary", "none",
		"null-mx" };
	struct asker *asker = arg;
	char text[INET6_ADDRSTRLEN];
	uint16_t i, k;

	printf("%s: %s", asker->names[ticket], words[a->status]);
	if (a->status != NAME_FOUND)
		printf(" (%s)", a->text);
	for (i = 0; i < a->n; i++) {
		printf(" %u %s", a->hosts[i].preference, a->hosts[i].name);
		for (k = 0; k < a->hosts[i].n; k++)
			printf(",%s",
			    inet_ntop(a->hosts[i].addresses[k].family == 4
				    ? AF_INET
				    : AF_INET6,
				a->hosts[i].addresses[k].octets, text,
				sizeof(text)));
	}
	printf("\n");
	if (--asker->left == 0)
		event_base_loopbreak(asker->base);
}

int
main(int argc, char **argv)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *sin = (void *)&ss;
	struct asker asker;
	struct resolver *r;
	int i;

	if (argc < 6)
		return 64;
	sin->sin_family = AF_INET;
	sin->sin_port = htons((uint16_t)atoi(argv[1]));
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	asker.base = event_base_new();
	asker.names = argv + 5;
	asker.left = argc - 5;
	r = resolver_new(asker.base, etc_read("/nonexistent", argv[3]),
	    (uint32_t)atoi(argv[2]), on_answer, &asker);
	if (resolver_servers(r, &ss, 1) == -1)
		return 1;
	for (i = 0; i < argc - 5; i++)
		resolver_ask(r,
		    strcmp(argv[4], "mx") == 0 ? NAME_MX : NAME_ADDRESS,
		    argv[5 + i], (uint32_t)i);
	if (asker.left > 0)
		event_base_dispatch(asker.base);
	return resolver_running(r) == 0 ? 0 : 1;
}

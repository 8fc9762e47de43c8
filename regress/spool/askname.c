/*
 * askname - asks the resolver of the dns role, for tests
 *
 * askname PORT DEADLINE_MS HOSTS_FILE (mx|address) NAME...: all are asked at
 * once of 127.0.0.1 port PORT; one line each, in the order of the answers.
 * With a file of trust anchors in the environment (ANCHOR) each line and each
 * host also says what DNSSEC says of it; TLSA are asked for port 25.
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
	char *anchor;
	int left;
};

static void
print_security(const struct name_host *h)
{
	static const char *const words[] = { "none", "usable", "unusable",
		"trouble" };
	uint8_t i;
	size_t k;

	printf(
	    " [%s tlsa=%s", h->secure ? "secure" : "insecure", words[h->tlsa]);
	if (h->base[0] != '\0')
		printf(" base=%s", h->base);
	for (i = 0; i < h->nrecords; i++) {
		printf(" %u/%u/%u/", h->records[i].usage,
		    h->records[i].selector, h->records[i].matching);
		for (k = 0; k < h->records[i].len && k < 2; k++)
			printf("%02x", h->records[i].data[k]);
	}
	if (h->text[0] != '\0')
		printf(" text=\"%s\"", h->text);
	printf("]");
}

static void
on_answer(void *arg, uint32_t ticket, const struct resolver_answer *a)
{
	static const char *const words[] = { "found", "temporary", "none",
		"null-mx" };
	struct asker *asker = arg;
	char text[INET6_ADDRSTRLEN];
	uint16_t i, k;

	printf("%s: %s", asker->names[ticket], words[a->status]);
	if (asker->anchor != NULL)
		printf(" %s", a->secure ? "secure" : "insecure");
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
		if (asker->anchor != NULL)
			print_security(&a->hosts[i]);
	}
	printf("\n");
	if (--asker->left == 0)
		event_base_loopbreak(asker->base);
}

static char *
read_anchor(const char *path)
{
	char *text;
	size_t len;
	FILE *f;

	if (path == NULL)
		return NULL;
	f = fopen(path, "r");
	if (f == NULL)
		exit(1);
	text = calloc(1, 65536);
	if (text == NULL)
		exit(1);
	len = fread(text, 1, 65535, f);
	text[len] = '\0';
	(void)fclose(f);
	return text;
}

int
main(int argc, char **argv)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *sin = (void *)&ss;
	struct name_ask ask = { .port = 25 };
	char why[CONTEXT_WHY];
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
	asker.anchor = read_anchor(getenv("ANCHOR"));
	if (resolver_servers(r, &ss, 1, asker.anchor, why) == -1) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	ask.kind = strcmp(argv[4], "mx") == 0 ? NAME_MX : NAME_ADDRESS;
	for (i = 0; i < argc - 5; i++) {
		ask.name = argv[5 + i];
		ask.ticket = (uint32_t)i;
		resolver_ask(r, &ask);
	}
	if (asker.left > 0)
		event_base_dispatch(asker.base);
	return resolver_running(r) == 0 ? 0 : 1;
}

#include "daemon/dns/context.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unbound-event.h>
#include <unbound.h>

#include "daemon/conf/anchor.h"
#include "daemon/dns/etc.h"

static int
set_options(struct ub_ctx *ctx, bool validates)
{
	const struct {
		const char *name, *value;
	} options[] = {
		{ "module-config:",
		    validates ? "validator iterator" : "iterator" },
		{ "do-not-query-localhost:", "no" },
		{ "outgoing-range:", "256" },
		{ "num-queries-per-thread:", "1024" },
		{ "msg-cache-size:", "4m" },
		{ "rrset-cache-size:", "8m" },
		{ "key-cache-size:", "1m" },
		{ "neg-cache-size:", "1m" },
		/* Which keys we trust is nobody's business (RFC 8145). */
		{ "trust-anchor-signaling:", "no" },
	};
	size_t i;
	int failed;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		failed =
		    ub_ctx_set_option(ctx, options[i].name, options[i].value);
		if (failed != 0)
			return failed;
	}
	return 0;
}

static int
forward(struct ub_ctx *ctx, const struct sockaddr_storage *ss)
{
	char text[INET6_ADDRSTRLEN], server[INET6_ADDRSTRLEN + 8];
	const struct sockaddr_in6 *six = (const void *)ss;
	const struct sockaddr_in *four = (const void *)ss;
	uint16_t port;

	if (ss->ss_family == AF_INET) {
		inet_ntop(AF_INET, &four->sin_addr, text, sizeof(text));
		port = ntohs(four->sin_port);
	} else {
		inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof(text));
		port = ntohs(six->sin6_port);
	}
	snprintf(server, sizeof(server), "%s@%u", text, port == 0 ? 53 : port);
	return ub_ctx_set_fwd(ctx, server);
}

static int
forward_all(struct ub_ctx *ctx, const struct etc *etc,
    const struct sockaddr_storage *servers, size_t n)
{
	const char *server;
	int failed = 0;
	size_t i;

	for (i = 0; i < n && failed == 0; i++)
		failed = forward(ctx, &servers[i]);
	for (i = 0; n == 0 && failed == 0; i++) {
		server = etc_server(etc, i);
		if (server == NULL)
			break;
		failed = ub_ctx_set_fwd(ctx, server);
	}
	return failed;
}

static int
add_anchor(void *arg, const char *record)
{
	return ub_ctx_add_ta(arg, record) == 0 ? 0 : -1;
}

struct ub_ctx *
context_new(struct event_base *base, const struct etc *etc,
    const struct sockaddr_storage *servers, size_t n, const char *anchor,
    char why[CONTEXT_WHY])
{
	struct ub_ctx *ctx = ub_ctx_create_event(base);
	char said[ANCHOR_WHY] = "";
	int failed;

	if (ctx == NULL) {
		snprintf(why, CONTEXT_WHY, "out of memory");
		return NULL;
	}
	ub_ctx_debugout(ctx, NULL);
	if (anchor != NULL &&
	    anchor_each(anchor, add_anchor, ctx, said) == -1) {
		snprintf(why, CONTEXT_WHY, "trust anchor: %s",
		    said[0] != '\0' ? said : "unbound does not take it");
		goto fail;
	}
	failed = set_options(ctx, anchor != NULL);
	if (failed == 0)
		failed = forward_all(ctx, etc, servers, n);
	/* unbound would answer for it by itself; whether it exists is for the
	 * servers to say. The last step, for it makes the context final. */
	if (failed == 0)
		failed = ub_ctx_zone_remove(ctx, "test.");
	if (failed == 0)
		return ctx;
	snprintf(why, CONTEXT_WHY, "unbound: %s", ub_strerror(failed));
fail:
	ub_ctx_delete(ctx);
	return NULL;
}

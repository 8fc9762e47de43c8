#include "daemon/dns/resolver.h"

#include <sys/queue.h>

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound-event.h>
#include <unbound.h>

#include "daemon/dns/etc.h"
#include "daemon/dns/packet.h"
#include "lib/base/hmap.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

#define CLASS_IN 1
#define RCODE_NXDOMAIN 3
#define RCODE_REFUSED 5
#define BOGUS 1

/* One look-up. unbound always calls back, so it outlives a question that gave
 * up: then question is NULL. */
struct lookup {
	TAILQ_ENTRY(lookup) entry;
	struct resolver *resolver;
	struct question *question;
	enum packet_type type;
	uint16_t host; /* whose addresses */
};

struct waiter {
	uint32_t ticket;
	struct waiter *next;
};

struct question {
	TAILQ_ENTRY(question) entry;
	struct resolver *resolver;
	enum name_kind kind;
	char name[256];
	uint64_t key;
	struct waiter *waiters;
	struct event *deadline;
	unsigned running; /* look-ups, and one while they are started */
	bool temporary; /* some look-up failed for now */
	bool null_mx;
	char text[320];
	struct packet_mx *mx; /* hosts to be asked for, sorted */
	struct name_host *hosts; /* with what was found */
	uint16_t n;
};

struct resolver {
	struct event_base *base;
	const struct etc *etc;
	struct ub_ctx *ctx;
	struct timeval deadline;
	void (*fn)(void *, uint32_t, const struct resolver_answer *);
	void *arg;
	TAILQ_HEAD(question_list, question) questions;
	TAILQ_HEAD(lookup_list, lookup) lookups;
	struct hmap *by_key;
	size_t count;
};

static void
forget_lookups(struct question *q)
{
	struct lookup *l;

	TAILQ_FOREACH(l, &q->resolver->lookups, entry)
		if (l->question == q)
			l->question = NULL;
}

static void
clear_findings(struct question *q)
{
	free(q->mx);
	free(q->hosts);
	q->mx = NULL;
	q->hosts = NULL;
	q->n = 0;
	q->temporary = q->null_mx = false;
	q->text[0] = '\0';
}

static void
finish(struct question *q, enum name_status status, const char *text)
{
	struct resolver *r = q->resolver;
	struct resolver_answer a = { .status = status, .text = text };
	struct waiter *w;

	TAILQ_REMOVE(&r->questions, q, entry);
	r->count--;
	if (hmap_get(r->by_key, q->key) == q)
		hmap_del(r->by_key, q->key);
	if (q->running > 0)
		forget_lookups(q);
	if (status == NAME_FOUND) {
		a.hosts = q->hosts;
		a.n = q->n;
	}
	log_debug("event=name name=%s kind=%s status=%d hosts=%u text=\"%s\"",
	    q->name, q->kind == NAME_MX ? "mx" : "address", (int)status, a.n,
	    text);
	while ((w = q->waiters) != NULL) {
		q->waiters = w->next;
		r->fn(r->arg, w->ticket, &a);
		free(w);
	}
	event_free(q->deadline);
	clear_findings(q);
	free(q);
}

/* Hosts without an address are of no use. */
static void
drop_empty(struct question *q)
{
	uint16_t i, kept = 0;

	for (i = 0; i < q->n; i++)
		if (q->hosts[i].n > 0)
			q->hosts[kept++] = q->hosts[i];
	q->n = kept;
}

static void
conclude(struct question *q)
{
	drop_empty(q);
	if (q->n > 0) {
		finish(q, NAME_FOUND, "");
		return;
	}
	if (q->temporary) {
		finish(q, NAME_TEMPORARY, q->text);
		return;
	}
	if (q->null_mx) {
		finish(q, NAME_NULL_MX, "the domain takes no mail (null MX)");
		return;
	}
	if (q->text[0] == '\0')
		snprintf(
		    q->text, sizeof(q->text), "%s has no address", q->name);
	finish(q, NAME_NONE, q->text);
}

static void on_found(void *arg, int rcode, void *packet, int len, int security,
    char *why, int limited);

static void
start_lookup(
    struct question *q, const char *name, enum packet_type type, uint16_t host)
{
	struct resolver *r = q->resolver;
	struct lookup *l = mem_zalloc(sizeof(*l));
	int failed;

	l->resolver = r;
	l->question = q;
	l->type = type;
	l->host = host;
	TAILQ_INSERT_TAIL(&r->lookups, l, entry);
	q->running++;
	failed = ub_resolve_event(
	    r->ctx, name, (int)type, CLASS_IN, l, on_found, NULL);
	if (failed == 0)
		return;
	log_debug(
	    "event=lookup name=%s error=\"%s\"", name, ub_strerror(failed));
	TAILQ_REMOVE(&r->lookups, l, entry);
	free(l);
	q->running--;
	q->temporary = true;
	snprintf(q->text, sizeof(q->text), "%s: %s", name, ub_strerror(failed));
}

/* Asks for both families of every host, all at once. */
static void
start_addresses(struct question *q)
{
	uint16_t i;

	q->hosts = mem_zarray(q->n, sizeof(*q->hosts));
	for (i = 0; i < q->n; i++) {
		q->hosts[i].preference = q->mx[i].preference;
		q->hosts[i].name = q->mx[i].name;
	}
	for (i = 0; i < q->n; i++) {
		start_lookup(q, q->mx[i].name, PACKET_AAAA, i);
		start_lookup(q, q->mx[i].name, PACKET_A, i);
	}
}

/* The name itself is the host: for NAME_ADDRESS, and for a domain without any
 * MX (RFC 5321 section 5.1). */
static void
start_itself(struct question *q)
{
	q->mx = mem_zarray(1, sizeof(*q->mx));
	snprintf(q->mx[0].name, sizeof(q->mx[0].name), "%s", q->name);
	q->n = 1;
	start_addresses(q);
}

static int
by_preference(const void *a, const void *b)
{
	const struct packet_mx *x = a, *y = b;

	return (int)x->preference - (int)y->preference;
}

/* Sorted; those of one preference in random order, to spread the load. */
static void
order(struct packet_mx *mx, size_t n)
{
	struct packet_mx swap;
	size_t i, k;

	for (i = n; i > 1; i--) {
		k = (size_t)(ident_random64() % i);
		swap = mx[i - 1];
		mx[i - 1] = mx[k];
		mx[k] = swap;
	}
	/* An insertion keeps equal ones in the order of the shuffle. */
	for (i = 1; i < n; i++) {
		swap = mx[i];
		for (k = i; k > 0 && by_preference(&mx[k - 1], &swap) > 0; k--)
			mx[k] = mx[k - 1];
		mx[k] = swap;
	}
}

static void
take_mx(struct question *q, const void *packet, size_t len)
{
	int i, n, kept = 0;

	q->mx = mem_zarray(NAME_HOSTS, sizeof(*q->mx));
	n = packet_mx(packet, len, q->mx, NAME_HOSTS);
	if (n == -1) {
		q->temporary = true;
		snprintf(q->text, sizeof(q->text),
		    "MX of %s: the answer cannot be read", q->name);
		return;
	}
	if (n == 0) {
		clear_findings(q);
		start_itself(q);
		return;
	}
	/* The root among others means nothing (RFC 7505 section 3). */
	for (i = 0; i < n; i++)
		if (q->mx[i].name[0] != '\0')
			q->mx[kept++] = q->mx[i];
	if (kept == 0) {
		q->null_mx = true;
		return;
	}
	order(q->mx, (size_t)kept);
	q->n = (uint16_t)kept;
	start_addresses(q);
}

static void
take_addresses(
    struct question *q, const struct lookup *l, const void *packet, size_t len)
{
	struct name_host *h = &q->hosts[l->host];
	uint8_t found[NAME_ADDRESSES][16];
	int i, n;

	memset(found, 0, sizeof(found));
	n = packet_addresses(
	    packet, len, l->type, found, (size_t)(NAME_ADDRESSES - h->n));
	if (n == -1)
		q->temporary = true;
	for (i = 0; i < n; i++) {
		h->addresses[h->n].family = l->type == PACKET_A ? 4 : 6;
		memcpy(h->addresses[h->n].octets, found[i], 16);
		h->n++;
	}
}

static void
take_error(struct question *q, const struct lookup *l, int rcode)
{
	const char *what = l->type == PACKET_MX ? "MX" : "address";
	const char *name = l->type == PACKET_MX ? q->name : q->mx[l->host].name;

	if (rcode == RCODE_NXDOMAIN) {
		/* One host of many that does not exist is only left out. */
		if (l->type == PACKET_MX || q->n == 1)
			snprintf(q->text, sizeof(q->text), "%s does not exist",
			    name);
		return;
	}
	q->temporary = true;
	snprintf(q->text, sizeof(q->text), "%s of %s: %s", what, name,
	    rcode == RCODE_REFUSED ? "refused" : "no name server could answer");
}

static void
on_found(void *arg, int rcode, void *packet, int len, int security, char *why,
    int limited)
{
	struct lookup *l = arg;
	struct question *q = l->question;

	(void)why;
	(void)limited;
	TAILQ_REMOVE(&l->resolver->lookups, l, entry);
	if (q == NULL) {
		free(l);
		return;
	}
	if (rcode == 0)
		rcode = packet_rcode(packet, (size_t)len);
	if (rcode != 0 || security == BOGUS)
		take_error(q, l, rcode);
	else if (l->type == PACKET_MX)
		take_mx(q, packet, (size_t)len);
	else
		take_addresses(q, l, packet, (size_t)len);
	free(l);
	q->running--;
	if (q->running == 0)
		conclude(q);
}

static void
start(struct question *q)
{
	q->running++;
	if (q->kind == NAME_MX)
		start_lookup(q, q->name, PACKET_MX, 0);
	else
		start_itself(q);
	q->running--;
	if (q->running == 0)
		conclude(q);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct question *q = arg;

	(void)fd;
	(void)what;
	q->temporary = true;
	if (q->text[0] == '\0')
		snprintf(q->text, sizeof(q->text),
		    "%s of %s: no answer in time",
		    q->kind == NAME_MX ? "MX" : "address", q->name);
	conclude(q);
}

struct resolver *
resolver_new(struct event_base *base, const struct etc *etc,
    uint32_t deadline_ms,
    void (*fn)(void *arg, uint32_t ticket, const struct resolver_answer *a),
    void *arg)
{
	struct resolver *r = mem_zalloc(sizeof(*r));

	r->base = base;
	r->etc = etc;
	r->fn = fn;
	r->arg = arg;
	r->deadline.tv_sec = deadline_ms / 1000;
	r->deadline.tv_usec = (suseconds_t)(deadline_ms % 1000) * 1000;
	TAILQ_INIT(&r->questions);
	TAILQ_INIT(&r->lookups);
	r->by_key = hmap_new();
	return r;
}

static int
set(struct ub_ctx *ctx, const char *option, const char *value)
{
	return ub_ctx_set_option(ctx, option, value);
}

/* A context that needs no file and validates nothing: there is no trust
 * anchor yet, and nobody who would use what it proves. */
static struct ub_ctx *
make_context(struct event_base *base)
{
	struct ub_ctx *ctx = ub_ctx_create_event(base);

	if (ctx == NULL)
		return NULL;
	if (set(ctx, "module-config:", "iterator") != 0 ||
	    set(ctx, "do-not-query-localhost:", "no") != 0 ||
	    set(ctx, "outgoing-range:", "256") != 0 ||
	    set(ctx, "num-queries-per-thread:", "1024") != 0 ||
	    set(ctx, "msg-cache-size:", "4m") != 0 ||
	    set(ctx, "rrset-cache-size:", "8m") != 0) {
		ub_ctx_delete(ctx);
		return NULL;
	}
	ub_ctx_debugout(ctx, NULL);
	return ctx;
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

/* What runs is asked anew of ctx; the old one never calls back. */
static void
replace_context(struct resolver *r, struct ub_ctx *ctx)
{
	struct question *q, *next;
	struct lookup *l;

	TAILQ_FOREACH(l, &r->lookups, entry)
		l->question = NULL;
	if (r->ctx != NULL)
		ub_ctx_delete(r->ctx);
	r->ctx = ctx;
	while ((l = TAILQ_FIRST(&r->lookups)) != NULL) {
		TAILQ_REMOVE(&r->lookups, l, entry);
		free(l);
	}
	TAILQ_FOREACH_SAFE(q, &r->questions, entry, next) {
		clear_findings(q);
		q->running = 0;
		start(q);
	}
}

int
resolver_servers(
    struct resolver *r, const struct sockaddr_storage *servers, size_t n)
{
	struct ub_ctx *ctx = make_context(r->base);
	const char *server;
	size_t i;

	if (ctx == NULL)
		return -1;
	for (i = 0; i < n; i++)
		if (forward(ctx, &servers[i]) != 0)
			goto fail;
	for (i = 0; n == 0 && (server = etc_server(r->etc, i)) != NULL; i++)
		if (ub_ctx_set_fwd(ctx, server) != 0)
			goto fail;
	/* unbound would answer for it by itself; whether it exists is for the
	 * servers to say. The last step, for it makes the context final. */
	(void)ub_ctx_zone_remove(ctx, "test.");
	replace_context(r, ctx);
	return 0;
fail:
	ub_ctx_delete(ctx);
	return -1;
}

static uint64_t
key_of(enum name_kind kind, const char *name)
{
	return hmap_hash(name, strlen(name)) + (uint64_t)kind;
}

static void
wait_for(struct question *q, uint32_t ticket)
{
	struct waiter *w = mem_zalloc(sizeof(*w));

	w->ticket = ticket;
	w->next = q->waiters;
	q->waiters = w;
}

/* Answered from hosts: a host that is named in the configuration. */
static bool
from_hosts(struct resolver *r, const char *name, uint32_t ticket)
{
	struct resolver_answer a = { .status = NAME_FOUND, .text = "", .n = 1 };
	struct name_host h;

	if (!etc_host(r->etc, name, &h))
		return false;
	a.hosts = &h;
	r->fn(r->arg, ticket, &a);
	return true;
}

void
resolver_ask(
    struct resolver *r, enum name_kind kind, const char *name, uint32_t ticket)
{
	struct question *q;
	char lower[256];
	uint64_t key;

	snprintf(lower, sizeof(lower), "%s", name);
	text_lower(lower);
	if (kind == NAME_ADDRESS && from_hosts(r, lower, ticket))
		return;
	key = key_of(kind, lower);
	q = hmap_get(r->by_key, key);
	if (q != NULL && q->kind == kind && strcmp(q->name, lower) == 0) {
		wait_for(q, ticket);
		return;
	}
	q = mem_zalloc(sizeof(*q));
	q->resolver = r;
	q->kind = kind;
	q->key = key;
	memcpy(q->name, lower, sizeof(q->name));
	wait_for(q, ticket);
	TAILQ_INSERT_TAIL(&r->questions, q, entry);
	r->count++;
	hmap_put(r->by_key, key, q);
	q->deadline = evtimer_new(r->base, on_deadline, q);
	if (q->deadline == NULL)
		fatal("out of memory: a timer");
	evtimer_add(q->deadline, &r->deadline);
	start(q);
}

size_t
resolver_running(const struct resolver *r)
{
	return r->count;
}

#include "daemon/dns/resolver.h"

#include <sys/queue.h>

#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound-event.h>
#include <unbound.h>

#include "daemon/dns/context.h"
#include "daemon/dns/etc.h"
#include "daemon/dns/finding.h"
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
#define SECURE 2

/* One look-up. unbound always calls back, so it outlives a question that gave
 * up: then question is NULL. */
struct lookup {
	TAILQ_ENTRY(lookup) entry;
	struct resolver *resolver;
	struct question *question;
	enum packet_type type;
	uint16_t host; /* whom it is about */
};

struct waiter {
	uint32_t ticket;
	struct waiter *next;
};

struct question {
	TAILQ_ENTRY(question) entry;
	struct resolver *resolver;
	enum name_kind kind;
	uint16_t port;
	char name[PACKET_NAME];
	uint64_t key;
	struct waiter *waiters;
	struct event *deadline;
	unsigned running; /* look-ups, and one while they are started */
	bool temporary; /* some look-up failed for now */
	bool null_mx;
	bool secure; /* the MX, or that there are none */
	char text[FINDING_TEXT];
	struct finding *findings; /* of each host, the best first */
	unsigned *families; /* of addresses that have not come, of each host */
	uint16_t n;
};

struct resolver {
	struct event_base *base;
	const struct etc *etc;
	struct ub_ctx *ctx;
	bool validates; /* there is a trust anchor */
	bool forwards; /* to servers that resolve for us */
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
	uint16_t i;

	for (i = 0; i < q->n; i++)
		finding_clear(&q->findings[i]);
	free(q->findings);
	free(q->families);
	q->findings = NULL;
	q->families = NULL;
	q->n = 0;
	q->temporary = q->null_mx = q->secure = false;
	q->text[0] = '\0';
}

static void
finish(struct question *q, enum name_status status, const char *text,
    const struct name_host *hosts, uint16_t n)
{
	struct resolver *r = q->resolver;
	struct resolver_answer a = { .status = status,
		.secure = q->secure,
		.text = text,
		.hosts = hosts,
		.n = n };
	struct waiter *w;

	TAILQ_REMOVE(&r->questions, q, entry);
	r->count--;
	if (hmap_get(r->by_key, q->key) == q)
		hmap_del(r->by_key, q->key);
	if (q->running > 0)
		forget_lookups(q);
	log_debug("event=name name=%s kind=%s status=%d secure=%d hosts=%u "
		  "text=\"%s\"",
	    q->name, q->kind == NAME_MX ? "mx" : "address", (int)status,
	    a.secure, a.n, text);
	while ((w = q->waiters) != NULL) {
		q->waiters = w->next;
		r->fn(r->arg, w->ticket, &a);
		free(w);
	}
	event_free(q->deadline);
	clear_findings(q);
	free(q);
}

/* Hosts without an address are of no use: why is told when there are no
 * others. */
static void
weigh(struct question *q, struct name_host *hosts, uint16_t *n)
{
	const struct finding *f;
	uint16_t i;

	*n = 0;
	for (i = 0; i < q->n; i++) {
		f = &q->findings[i];
		if (f->host.n > 0) {
			hosts[(*n)++] = f->host;
		} else if (f->troubled) {
			q->temporary = true;
			snprintf(q->text, sizeof(q->text), "%s", f->text);
		} else if (f->missing && q->n == 1) {
			snprintf(q->text, sizeof(q->text), "%s does not exist",
			    f->name);
		}
	}
	if (q->kind == NAME_ADDRESS)
		q->secure = *n > 0 && hosts[0].secure;
}

static void
conclude(struct question *q)
{
	struct name_host *hosts = mem_zarray(q->n + 1u, sizeof(*hosts));
	uint16_t n;

	weigh(q, hosts, &n);
	if (n > 0) {
		finish(q, NAME_FOUND, "", hosts, n);
	} else if (q->temporary) {
		finish(q, NAME_TEMPORARY, q->text, NULL, 0);
	} else if (q->null_mx) {
		finish(q, NAME_NULL_MX, "the domain takes no mail (null MX)",
		    NULL, 0);
	} else {
		if (q->text[0] == '\0')
			snprintf(q->text, sizeof(q->text), "%s has no address",
			    q->name);
		finish(q, NAME_NONE, q->text, NULL, 0);
	}
	free(hosts);
}

static void on_found(void *arg, int rcode, void *packet, int len, int security,
    char *why, int limited);

static void take(
    struct question *q, const struct lookup *l, const struct found *found);

static void
start_lookup(
    struct question *q, const char *name, enum packet_type type, uint16_t host)
{
	struct found failure = { .status = FOUND_TROUBLE };
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
	failure.text = ub_strerror(failed);
	TAILQ_REMOVE(&r->lookups, l, entry);
	take(q, l, &failure);
	free(l);
	q->running--;
}

/* Asks for both families of every host, all at once. */
static void
start_addresses(struct question *q, const struct packet_mx *mx, uint16_t n)
{
	uint16_t i;

	q->findings = mem_zarray(n, sizeof(*q->findings));
	q->families = mem_zarray(n, sizeof(*q->families));
	q->n = n;
	for (i = 0; i < n; i++) {
		finding_init(
		    &q->findings[i], mx[i].name, mx[i].preference, q->port);
		q->families[i] = 2;
	}
	for (i = 0; i < n; i++) {
		start_lookup(q, mx[i].name, PACKET_AAAA, i);
		start_lookup(q, mx[i].name, PACKET_A, i);
	}
}

/* The name itself is the host: for NAME_ADDRESS, and for a domain without any
 * MX (RFC 5321 section 5.1). */
static void
start_itself(struct question *q)
{
	struct packet_mx mx = { 0 };

	snprintf(mx.name, sizeof(mx.name), "%s", q->name);
	start_addresses(q, &mx, 1);
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
fail(struct question *q, const char *why)
{
	q->temporary = true;
	snprintf(q->text, sizeof(q->text), "MX of %s: %s", q->name, why);
}

static void
take_mx(struct question *q, const struct found *found)
{
	struct packet_mx *mx;
	int i, n, kept = 0;

	if (found->status == FOUND_TROUBLE) {
		fail(q, found->text);
		return;
	}
	q->secure = found->secure;
	if (found->status == FOUND_NOTHING) {
		snprintf(
		    q->text, sizeof(q->text), "%s does not exist", q->name);
		return;
	}
	mx = mem_zarray(NAME_HOSTS, sizeof(*mx));
	n = packet_mx(found->packet, found->len, mx, NAME_HOSTS);
	/* The root among others means nothing (RFC 7505 section 3). */
	for (i = 0; i < n; i++)
		if (mx[i].name[0] != '\0')
			mx[kept++] = mx[i];
	if (n == -1) {
		fail(q, "the answer cannot be read");
	} else if (n == 0) {
		start_itself(q);
	} else if (kept == 0) {
		q->null_mx = true;
	} else {
		order(mx, (size_t)kept);
		start_addresses(q, mx, (uint16_t)kept);
	}
	free(mx);
}

static void
take(struct question *q, const struct lookup *l, const struct found *found)
{
	struct finding *f;
	char name[PACKET_NAME];
	enum packet_type type;

	if (l->type == PACKET_MX) {
		take_mx(q, found);
		return;
	}
	f = &q->findings[l->host];
	if (l->type == PACKET_A || l->type == PACKET_AAAA) {
		finding_address(f, l->type, found);
		if (--q->families[l->host] > 0)
			return;
	} else {
		finding_take(f, found);
	}
	if (finding_next(f, q->resolver->validates, name, &type))
		start_lookup(q, name, type, l->host);
}

/* What unbound says is wrong, for people. A server on the way that drops
 * signatures is the likely cause of those that are missing. */
static void
explain(const struct resolver *r, const char *why, char text[FINDING_TEXT])
{
	bool lacking = why != NULL &&
	    (strstr(why, "no signatures") != NULL ||
		strstr(why, "no DNSSEC records") != NULL);

	snprintf(text, FINDING_TEXT, "DNSSEC: bogus%s%s%s",
	    why != NULL && why[0] != '\0' ? ": " : "", why != NULL ? why : "",
	    lacking && r->forwards
		? " (the resolver may not pass signatures on)"
		: "");
}

static void
on_found(void *arg, int rcode, void *packet, int len, int security, char *why,
    int limited)
{
	struct lookup *l = arg;
	struct question *q = l->question;
	char text[FINDING_TEXT];
	struct found found = { .secure = security == SECURE,
		.text = text,
		.packet = packet,
		.len = len > 0 ? (size_t)len : 0 };

	(void)limited;
	TAILQ_REMOVE(&l->resolver->lookups, l, entry);
	if (q == NULL) {
		free(l);
		return;
	}
	text[0] = '\0';
	if (rcode == 0)
		rcode = packet_rcode(packet, found.len);
	if (security == BOGUS) {
		found.status = FOUND_TROUBLE;
		explain(l->resolver, why, text);
	} else if (rcode == RCODE_NXDOMAIN) {
		found.status = FOUND_NOTHING;
	} else if (rcode != 0) {
		found.status = FOUND_TROUBLE;
		snprintf(text, sizeof(text), "%s",
		    rcode == RCODE_REFUSED ? "refused"
					   : "no name server could answer");
	}
	take(q, l, &found);
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
	uint16_t i;

	(void)fd;
	(void)what;
	q->temporary = true;
	if (q->text[0] == '\0')
		snprintf(q->text, sizeof(q->text),
		    "%s of %s: no answer in time",
		    q->kind == NAME_MX ? "MX" : "address", q->name);
	for (i = 0; i < q->n; i++)
		finding_expire(&q->findings[i], q->resolver->validates);
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
resolver_servers(struct resolver *r, const struct sockaddr_storage *servers,
    size_t n, const char *anchor, char why[CONTEXT_WHY])
{
	struct ub_ctx *ctx =
	    context_new(r->base, r->etc, servers, n, anchor, why);

	if (ctx == NULL)
		return -1;
	r->validates = anchor != NULL;
	r->forwards = n > 0 || etc_server(r->etc, 0) != NULL;
	replace_context(r, ctx);
	return 0;
}

static uint64_t
key_of(const struct name_ask *ask, const char *name)
{
	return hmap_hash(name, strlen(name)) + (uint64_t)ask->kind +
	    ((uint64_t)ask->port << 1);
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
resolver_ask(struct resolver *r, const struct name_ask *ask)
{
	struct question *q;
	char lower[PACKET_NAME];
	uint64_t key;

	snprintf(lower, sizeof(lower), "%s", ask->name);
	text_lower(lower);
	if (ask->kind == NAME_ADDRESS && from_hosts(r, lower, ask->ticket))
		return;
	key = key_of(ask, lower);
	q = hmap_get(r->by_key, key);
	if (q != NULL && q->kind == ask->kind && q->port == ask->port &&
	    strcmp(q->name, lower) == 0) {
		wait_for(q, ask->ticket);
		return;
	}
	q = mem_zalloc(sizeof(*q));
	q->resolver = r;
	q->kind = ask->kind;
	q->port = ask->port;
	q->key = key;
	memcpy(q->name, lower, sizeof(q->name));
	wait_for(q, ask->ticket);
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

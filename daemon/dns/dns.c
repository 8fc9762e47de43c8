#include "daemon/dns/dns.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/dns/etc.h"
#include "daemon/dns/resolver.h"
#include "daemon/edge/name.h"
#include "daemon/proc/answer.h"
#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

#define DEADLINE_MS 30000u
#define SMTP_PORT 25

struct dns {
	struct proc *proc;
	struct etc *etc;
	struct resolver *resolver;
	struct sockaddr_storage *servers; /* in force */
	size_t nservers;
	char *anchor; /* as well; NULL: none */
	uint64_t asked, found, none, temporary;
	uint64_t dane; /* hosts with TLSA records, or trouble about them */
};

static void
on_answer(void *arg, uint32_t ticket, const struct resolver_answer *a)
{
	struct dns *d = arg;
	struct peer *mta = proc_peer(d->proc, ROLE_MTA);
	struct name_answer m = { .ticket = ticket,
		.status = a->status,
		.secure = a->secure,
		.text = a->text,
		.n = name_hosts_fit(a->hosts, a->n) };
	struct buf *b = peer_begin(mta);
	uint16_t i;

	name_answer_put(b, &m);
	for (i = 0; i < m.n; i++) {
		name_host_put(b, &a->hosts[i]);
		if (a->hosts[i].tlsa != NAME_TLSA_NONE)
			d->dane++;
	}
	peer_send(mta, NAME_ANSWER);
	if (a->status == NAME_FOUND)
		d->found++;
	else if (a->status == NAME_TEMPORARY)
		d->temporary++;
	else
		d->none++;
}

static int
on_ask(void *arg, struct message *m)
{
	struct dns *d = arg;
	struct name_ask ask;

	if (name_ask_get(&m->body, &ask) == -1)
		return -1;
	if (ask.port == 0)
		ask.port = SMTP_PORT;
	d->asked++;
	resolver_ask(d->resolver, &ask);
	return 0;
}

/* A test cannot wait for as long as a resolver may take. */
static uint32_t
deadline(void)
{
	const char *text = getenv("SMTPD_TEST_DEADLINE");
	uint64_t ms;

	if (text != NULL && text_number(text, DEADLINE_MS, &ms) && ms > 0)
		return (uint32_t)ms;
	return DEADLINE_MS;
}

static void *
prepare(struct proc *p, const struct conf *conf)
{
	struct dns *d = mem_zalloc(sizeof(*d));

	(void)conf;
	d->proc = p;
	d->etc = etc_read("/etc/resolv.conf", "/etc/hosts");
	d->resolver =
	    resolver_new(proc_base(p), d->etc, deadline(), on_answer, d);
	return d;
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
configure(void *arg, const struct conf *conf)
{
	struct dns *d = arg;
	size_t size = conf->nresolvers * sizeof(*d->servers);
	char why[CONTEXT_WHY];

	/* The cache is kept when nothing changed. */
	if (d->servers != NULL && d->nservers == conf->nresolvers &&
	    same(d->anchor, conf->trust_anchor_text) &&
	    (size == 0 || memcmp(d->servers, conf->resolvers, size) == 0))
		return;
	if (resolver_servers(d->resolver, conf->resolvers, conf->nresolvers,
		conf->trust_anchor_text, why) == -1)
		fatal("event=resolver error=\"%s\"", why);
	free(d->servers);
	d->servers = mem_zalloc(size + 1);
	if (size > 0)
		memcpy(d->servers, conf->resolvers, size);
	d->nservers = conf->nresolvers;
	free(d->anchor);
	d->anchor = conf->trust_anchor_text == NULL
	    ? NULL
	    : mem_strdup(conf->trust_anchor_text);
}

static void
start(void *arg)
{
	struct dns *d = arg;

	answer_counter(d->proc, "asked", &d->asked);
	answer_counter(d->proc, "found", &d->found);
	answer_counter(d->proc, "none", &d->none);
	answer_counter(d->proc, "temporary", &d->temporary);
	answer_counter(d->proc, "dane", &d->dane);
}

static const struct handler from_mta[] = {
	{ NAME_ASK, "name-ask", on_ask },
};

static const struct proc_peer peers[] = {
	{ ROLE_MTA, from_mta, sizeof(from_mta) / sizeof(from_mta[0]) },
};

const struct proc_role dns_role = {
	.id = ROLE_DNS,
	.peers = peers,
	.npeers = sizeof(peers) / sizeof(peers[0]),
	.prepare = prepare,
	.start = start,
	.configure = configure,
};

#include "daemon/mta/porter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mta/conn.h"
#include "daemon/mta/domain.h"
#include "daemon/mta/self.h"
#include "lib/base/hmap.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

struct porter {
	struct engine *engine;
	struct conn_env env;
	const char *hostname;
	struct hmap *streams; /* link */
	uint32_t last_stream;
	const struct porter_ops *ops;
	void *arg;
};

static struct porter *
porter_of(const struct link *l)
{
	return l->porter;
}

static void
on_ready(void *arg)
{
	struct porter *p = porter_of(arg);

	p->ops->clock(p->arg);
	link_on_ready(arg);
	p->ops->wake(p->arg);
}

static void
on_accepted(void *arg, const struct transaction *t, unsigned i)
{
	struct porter *p = porter_of(arg);

	p->ops->clock(p->arg);
	link_on_accepted(arg, t, i);
}

static bool
on_settle(void *arg, const struct transaction *t, unsigned i,
    enum carry_result result, enum conn_phase phase, const char *status)
{
	struct porter *p = porter_of(arg);

	p->ops->clock(p->arg);
	return link_on_settle(arg, t, i, result, phase, status);
}

static void
on_over(void *arg, struct transaction *t, bool stale)
{
	struct porter *p = porter_of(arg);
	struct link *l = arg;

	hmap_del(p->streams, l->stream);
	l->stream = 0;
	p->ops->clock(p->arg);
	link_on_over(l, t, stale);
	p->ops->wake(p->arg);
}

static void
on_want(void *arg, uint32_t stream, uint64_t msgid, uint64_t offset)
{
	struct porter *p = porter_of(arg);

	p->ops->want(p->arg, stream, msgid, offset);
}

static void
on_leaving(void *arg)
{
	struct porter *p = porter_of(arg);

	p->ops->clock(p->arg);
	link_on_leaving(arg);
	p->ops->wake(p->arg);
}

static void
on_closed(void *arg, const struct conn_closed *why)
{
	struct porter *p = porter_of(arg);

	p->ops->clock(p->arg);
	link_on_closed(arg, why);
	p->ops->wake(p->arg);
}

static const struct conn_ops conn_ops = { on_ready, on_accepted, on_settle,
	on_over, on_want, on_leaving, on_closed };

struct porter *
porter_new(struct event_base *base, struct dialer *dialer, uint32_t deadline_ms,
    const struct porter_ops *ops, void *arg)
{
	struct porter *p = mem_zalloc(sizeof(*p));

	p->env.base = base;
	p->env.deadline_ms = deadline_ms;
	p->env.dialer = dialer;
	p->env.ops = &conn_ops;
	p->streams = hmap_new();
	p->ops = ops;
	p->arg = arg;
	return p;
}

void
porter_attach(struct porter *p, struct engine *e)
{
	p->engine = e;
	p->env.uncertain = &e->counts.uncertain;
}

void
porter_configure(struct porter *p, const char *hostname)
{
	p->hostname = hostname;
}

void
porter_body(struct porter *p, const struct carry_body *piece)
{
	struct link *l = NULL;

	if (piece->stream != 0)
		l = hmap_get(p->streams, piece->stream);
	if (l != NULL)
		conn_body(l->conn, piece);
}

/* The name that goes with the address we connect from. Where the system
 * chooses that, it is asked which it would be. */
static const char *
helo_of(const struct porter *p, const struct route *r)
{
	char own[SOURCE_TEXT_MAX];
	const char *source = r->source->text, *name;

	if (r->manner->nnames > 0 && r->source->addrlen == 0 &&
	    self_towards(&r->host->addr, r->host->addrlen, own, sizeof(own)))
		source = own;
	name = manner_helo(r->manner, source);
	return name == NULL ? p->hostname : name;
}

void
porter_open(struct porter *p, struct link *l)
{
	const struct route *r = l->route;
	struct domain *d = l->relay->domain;
	struct engine *e = p->engine;
	char label[HOST_LABEL_MAX];
	struct conn_way way = { .policy = r->manner->policy,
		.addr = r->host->addr,
		.addrlen = r->host->addrlen,
		.source = r->source->addr,
		.sourcelen = r->source->addrlen,
		.label = host_label(r->host, r->name, label),
		.name = r->name,
		.helo = helo_of(p, r),
		.tlsa = r->tlsa,
		.in_clear = l->in_clear,
		.messages = domain_limit(e, d, CONF_LIMIT_MESSAGES),
		.recipients = domain_limit(e, d, CONF_LIMIT_RECIPIENTS),
		.keepalive_ms =
		    domain_limit(e, d, CONF_LIMIT_KEEPALIVE) * 1000 };
	struct conn_facts f;

	l->porter = p;
	l->conn = conn_open(&p->env, &way, l);
	conn_facts(l->conn, &f);
	log_info("session=%08x event=connecting route=r%u remote=\"%s\"",
	    f.session, r->id, label);
}

void
porter_carry(struct porter *p, struct link *l, struct transaction *t)
{
	if (++p->last_stream == 0)
		p->last_stream = 1;
	l->stream = p->last_stream;
	hmap_put(p->streams, l->stream, l);
	conn_carry(l->conn, t, l->stream);
}

/* One line for each change of a route. */
static void
log_route(const struct porter *p, const char *event, const struct route *r,
    const char *status)
{
	char text[ROUTE_ERROR_MAX], until[TEXT_TIME_MAX] = "";

	if (r->disabled_until > 0)
		text_time(until, engine_wall_at(p->engine, r->disabled_until));
	log_info("event=route-%s id=r%u penalty=%u until=%s status=%s", event,
	    r->id, r->penalty, until, text_quote(text, sizeof(text), status));
}

static void
log_new(const struct route *r)
{
	char name[TARGET_NAME_MAX];

	log_info("event=route-new id=r%u source=%s host=%s address=%s "
		 "port=%u",
	    r->id, r->source->text, text_quote(name, sizeof(name), r->name),
	    r->host->address, r->host->port);
}

static void
log_host(const char *event, const struct route *r, const char *status)
{
	char text[ROUTE_ERROR_MAX];

	log_info("event=%s host=\"%s\" source=%s id=r%u status=%s", event,
	    r->host->label, r->source->text, r->id,
	    text_quote(text, sizeof(text), status));
}

void
porter_event(struct porter *p, enum engine_event what, const struct route *r,
    const struct link *l, const char *status)
{
	(void)l;
	switch (what) {
	case ENGINE_ROUTE_NEW:
		log_new(r);
		break;
	case ENGINE_ROUTE_WORKS:
		log_route(p, "works", r, "");
		break;
	case ENGINE_ROUTE_FAILED:
		log_route(p, "failed", r, status);
		break;
	case ENGINE_ROUTE_USABLE:
		log_route(p, "usable", r, "");
		break;
	case ENGINE_ROUTE_ASIDE:
		log_route(p, "aside", r, status);
		break;
	case ENGINE_ROUTE_GONE:
		log_info("event=route-gone id=r%u", r->id);
		break;
	case ENGINE_ROUTE_PAUSED:
		log_route(p, "paused", r, status);
		break;
	case ENGINE_ROUTE_RESUMED:
		log_route(p, "resumed", r, "");
		break;
	case ENGINE_HOST_SKIPPED:
		log_host("host-skipped", r, status);
		break;
	case ENGINE_HOST_CLEAR:
		log_host("host-clear", r, status);
		break;
	case ENGINE_SOURCE_BAD:
		log_host("source-bad", r, status);
		break;
	default: /* sessions write their own lines */
		break;
	}
}

void
porter_stop(struct porter *p)
{
	struct link *l, *next;

	engine_stop(p->engine);
	for (l = TAILQ_FIRST(&p->engine->links); l != NULL; l = next) {
		next = TAILQ_NEXT(l, all);
		if (!conn_committing(l->conn))
			conn_abort(l->conn);
	}
}

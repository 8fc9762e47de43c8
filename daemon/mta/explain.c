#include "daemon/mta/explain.h"

#include <sys/queue.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mta/cause.h"
#include "daemon/mta/dane.h"
#include "daemon/mta/destination.h"
#include "daemon/mta/domain.h"
#include "daemon/mta/engine.h"
#include "daemon/mta/manners.h"
#include "daemon/mta/policy.h"
#include "lib/base/hmap.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/cli/exitcode.h"
#include "lib/mail/addr.h"
#include "lib/proto/record.h"

#define MANNERS 8 /* alternatives of an action that are explained */
#define HOSTS 256 /* rows: addresses times sources */

struct asked {
	struct explains *all;
	struct answer *a;
	struct choice *choice;
	char action[128];
	struct addr to;
	struct event *deadline;
	TAILQ_ENTRY(asked) entry;
};

struct explains {
	const struct show_env *env;
	const struct manners *manners;
	TAILQ_HEAD(, asked) waiting; /* for the DNS */
};

static void
asked_free(struct asked *q)
{
	TAILQ_REMOVE(&q->all->waiting, q, entry);
	choice_unref(q->choice);
	event_free(q->deadline);
	free(q);
}

static bool
target_of(const struct engine *e, const struct manner *m, const struct addr *to,
    struct target *t)
{
	if (!m->by_mx) {
		*t = m->via;
		return true;
	}
	return target_set(t, NULL, 0, to->domain, e->mx_port);
}

static void
add_list(char *dst, size_t size, const char *what)
{
	if (*dst != '\0')
		strlcat(dst, ", ", size);
	strlcat(dst, what, size);
}

/* Which names are said from which of the sources. */
static void
put_sources(const struct engine *e, const struct manner *m, struct buf *b)
{
	char sources[512] = "", names[1024] = "";
	const char *name;
	size_t i;

	for (i = 0; i < m->nsources; i++) {
		add_list(sources, sizeof(sources), m->sources[i]);
		name = manner_helo(m, m->sources[i]);
		add_list(names, sizeof(names),
		    name != NULL ? name : e->conf->hostname);
	}
	name = manner_helo(m, "");
	if (m->nsources == 0 && m->nnames > 0 && name == NULL)
		name = "by the address that the system chooses";
	record_str(
	    b, "source", m->nsources > 0 ? sources : "* (the system chooses)");
	record_str(b, "helo",
	    m->nsources > 0    ? names
		: name != NULL ? name
			       : e->conf->hostname);
}

static void
put_limits(const struct engine *e, struct domain *d, struct buf *b)
{
	char text[256], keep[TEXT_SPAN_MAX];

	snprintf(text, sizeof(text),
	    "connections: %u a host, %u a route, %u a source, %u a relay, %u "
	    "a domain; %u messages each, %u recipients at a time, kept for %s",
	    domain_limit(e, d, CONF_LIMIT_HOST),
	    domain_limit(e, d, CONF_LIMIT_ROUTE),
	    domain_limit(e, d, CONF_LIMIT_SOURCE),
	    domain_limit(e, d, CONF_LIMIT_RELAY),
	    domain_limit(e, d, CONF_LIMIT_DOMAIN),
	    domain_limit(e, d, CONF_LIMIT_MESSAGES),
	    domain_limit(e, d, CONF_LIMIT_RECIPIENTS),
	    text_span(keep, domain_limit(e, d, CONF_LIMIT_KEEPALIVE)));
	record_str(b, "limits", text);
}

/* How TLS is done, and what says so. */
static void
put_tls(const struct engine *e, const struct asked *q, const struct manner *m,
    struct buf *b)
{
	const struct conf_action *action = conf_action(e->conf, q->action);
	char text[1024], words[512] = "";

	if (action != NULL)
		conf_action_text(action, words, sizeof(words));
	snprintf(text, sizeof(text), "%s%s; by the action: %s",
	    m->policy != NULL ? policy_text(m->policy) : "smtp",
	    m->dane ? ", and by TLSA records where the DNS is secure" : "",
	    words);
	record_str(b, "tls", text);
}

static const struct domain *
last_of(const struct engine *e, const struct addr *to)
{
	char name[ADDR_DOMAIN_MAX + 1];
	const struct domain *d;

	snprintf(name, sizeof(name), "%s", to->domain);
	text_lower(name);
	d = hmap_get(e->domains, hmap_hash(name, strlen(name)));
	return d != NULL && d->last != 0 ? d : NULL;
}

static void
send_way(const struct asked *q, struct destination *d)
{
	const struct engine *e = q->all->env->engine;
	const struct manner *m = d->manner;
	const struct domain *last = last_of(e, &q->to);
	struct buf *b = answer_row(q->a);
	char text[ADDR_TEXT_MAX], relay[1200], span[TEXT_SPAN_MAX];

	snprintf(relay, sizeof(relay), "%s: %s%s%.700s", d->target.key,
	    m->by_mx ? "by MX" : "as configured",
	    d->relay != NULL && m->by_mx ? ", " : "",
	    d->relay != NULL && m->by_mx ? d->relay->text : "");
	record_begin(b, "way");
	record_str(b, "rcpt", addr_text(text, &q->to));
	record_str(b, "relay", relay);
	put_tls(e, q, m, b);
	put_sources(e, m, b);
	put_limits(e, d->domain, b);
	if (m->backup != NULL)
		record_str(b, "backup", m->backup);
	if (last != NULL) {
		snprintf(relay, sizeof(relay), "%s ago: %s",
		    text_span(span, e->wall - last->last), last->status);
		record_str(b, "last", relay);
	}
	answer_send(q->a);
}

static void
send_host(const struct asked *q, struct relay *r, struct connector *c, size_t i)
{
	struct engine *e = q->all->env->engine;
	const struct relay_address *a = &r->addresses[i];
	struct pace p = pace_route(e, r, c, i);
	char why[PACE_TEXT_MAX], id[16] = "", label[HOST_LABEL_MAX], tlsa[256];
	struct buf *b = answer_row(q->a);

	if (p.route != NULL)
		snprintf(id, sizeof(id), "r%u", p.route->id);
	record_begin(b, "mx");
	record_u64(b, "preference", a->preference);
	record_str(b, "host", host_label(a->host, a->name, label));
	record_str(b, "address", a->host->address);
	record_u64(b, "port", a->host->port);
	record_str(b, "source", c->source->text);
	record_str(b, "route", id);
	record_str(b, "waits_for", pace_word(p.kind));
	record_str(b, "why", pace_text(e, r, &p, why));
	record_i64(b, "until",
	    p.at > e->now && p.at != UINT64_MAX ? engine_wall_at(e, p.at) : 0);
	record_str(b, "tlsa",
	    a->tlsa != NULL ? tlsa_text(a->tlsa, tlsa, sizeof(tlsa)) : "");
	answer_send(q->a);
}

static void
send_destination(const struct asked *q, struct destination *d)
{
	struct engine *e = q->all->env->engine;
	struct relay *r = d->relay;
	struct cause c;
	struct buf *b;
	unsigned rows = 0;
	size_t i, k;

	send_way(q, d);
	for (i = 0; r != NULL && i < r->n; i++)
		for (k = 0; k < r->nconnectors && rows < HOSTS; k++, rows++)
			send_host(q, r, &r->connectors[k], i);
	cause_find(e, d, last_of(e, &q->to), &c);
	b = answer_row(q->a);
	record_begin(b, "cause");
	record_str(b, "cause", c.word);
	record_str(b, "text", c.text);
	record_i64(b, "until", c.until);
	answer_send(q->a);
}

/* Asks for the hosts of each manner; those known for long as well. True: some
 * answer is awaited. */
static bool
asks(const struct asked *q, bool ask)
{
	struct engine *e = q->all->env->engine;
	struct destination *d;
	struct target t;
	bool any = false;
	size_t i;

	for (i = 0; i < q->choice->n && i < MANNERS; i++) {
		if (q->choice->manners[i] == NULL ||
		    !target_of(e, q->choice->manners[i], &q->to, &t))
			continue;
		d = ask ? destination_get(e, q->choice->manners[i], &t)
			: destination_find(e, q->choice->manners[i], &t);
		if (ask)
			destination_ask(e, d);
		any |= d != NULL && d->asking;
	}
	return any;
}

static void
finish(struct asked *q)
{
	struct engine *e = q->all->env->engine;
	struct answer *a = q->a;
	struct destination *d;
	struct target t;
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < q->choice->n && i < MANNERS; i++) {
		if (q->choice->manners[i] == NULL ||
		    !target_of(e, q->choice->manners[i], &q->to, &t))
			continue;
		d = destination_find(e, q->choice->manners[i], &t);
		if (d == NULL)
			continue; /* its answer came and it was forgotten */
		send_destination(q, d);
		n++;
	}
	asked_free(q);
	if (n > 0)
		answer_end(a, EXIT_DONE, n, 0, "");
	else
		answer_end(a, EXIT_NOINPUT, 0, 0,
		    "mail for that address has nowhere to go: its domain is "
		    "no name of a host");
}

void
explain_look(struct explains *x)
{
	struct asked *q, *next;

	for (q = TAILQ_FIRST(&x->waiting); q != NULL; q = next) {
		next = TAILQ_NEXT(q, entry);
		if (!asks(q, false))
			finish(q);
	}
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct asked *q = arg;

	(void)fd;
	(void)what;
	q->all->env->clock(q->all->env->arg);
	finish(q);
}

static void
on_gone(void *ctx)
{
	asked_free(ctx);
}

static void
on_more(void *ctx, struct answer *a)
{
	(void)ctx;
	(void)a;
}

static void
begin(struct explains *x, struct answer *a, struct choice *choice,
    const char *action, const struct addr *to)
{
	static const struct timeval most = { EXPLAIN_WAIT_S, 0 };
	struct asked *q = mem_zalloc(sizeof(*q));

	q->all = x;
	q->a = a;
	q->choice = choice_ref(choice);
	q->to = *to;
	snprintf(q->action, sizeof(q->action), "%s", action);
	q->deadline = evtimer_new(proc_base(x->env->proc), on_deadline, q);
	if (q->deadline == NULL)
		fatal("out of memory: a timer");
	TAILQ_INSERT_TAIL(&x->waiting, q, entry);
	if (!asks(q, true)) {
		finish(q);
		return;
	}
	answer_on_more(a, on_more, on_gone, q);
	evtimer_add(q->deadline, &most);
	x->env->wake(x->env->arg);
}

static int
on_explain(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	struct explains *x = arg;
	const char *action, *recipient, *why;
	struct choice *choice;
	char text[320];
	struct addr to;

	if (q->n != 2) {
		answer_end(
		    a, EXIT_USAGE, 0, 0, "an action and an address are wanted");
		return 0;
	}
	action = unpack_str(args);
	recipient = unpack_str(args);
	if (addr_parse(&to, recipient, strlen(recipient), true, false) !=
		ADDR_OK ||
	    addr_is_null(&to) || to.domain[0] == '\0') {
		answer_end(a, EXIT_USAGE, 0, 0,
		    "that is no address mail can be sent to: local@domain is "
		    "wanted");
		return 0;
	}
	choice = manners_of(x->manners, action, &why);
	if (choice == NULL) {
		snprintf(text, sizeof(text), "the action %.60s: %.200s",
		    *action == '\0' ? "''" : action, why);
		answer_end(a, EXIT_NOINPUT, 0, 0, text);
		return 0;
	}
	x->env->clock(x->env->arg);
	begin(x, a, choice, action, &to);
	return 0;
}

static const struct answer_entry answers[] = {
	{ QUERY_EXPLAIN_RELAY, on_explain },
};

struct explains *
explain_start(const struct show_env *env, const struct manners *manners)
{
	struct explains *x = mem_zalloc(sizeof(*x));

	x->env = env;
	x->manners = manners;
	TAILQ_INIT(&x->waiting);
	answer_register(
	    env->proc, answers, sizeof(answers) / sizeof(answers[0]), x);
	return x;
}

/*
 * Long on purpose: hosts, scheduler and clock are one world, in which each
 * calls the others.
 */
#include "regress/sim/sim.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mta/conn.h"
#include "daemon/mta/destination.h"
#include "daemon/mta/domain.h"
#include "lib/base/hmap.h"
#include "lib/base/mem.h"
#include "lib/mail/backoff.h"

#define START_MS 1800000000000u
#define NAMES 4096
#define WINDOW 2000 /* of the scheduler */
#define HASTEN 64
#define DNS_MS 5
#define CONNECT_MS 2
#define SILENT_MS 30000

struct name {
	char domain[256];
	const char *text;
};

enum step { /* what a connection does next */
	STEP_READY,
	STEP_FAIL,
	STEP_CARRY,
	STEP_END, /* by us */
	STEP_KEEPALIVE
};

struct sim_conn { /* stands for a conn */
	struct timer timer;
	struct sim *sim;
	struct link *link;
	struct sim_host *host;
	struct transaction *t;
	enum step step;
	bool up;
	bool leaving;
	unsigned messages;
	struct conn_closed why;
};

struct question {
	struct timer timer;
	uint32_t id;
	char name[256];
};

struct sim {
	struct engine *engine;
	struct conf *conf;
	struct choice *choice;
	uint64_t now;
	struct timers conns, questions, queue;
	struct sim_host *hosts;
	size_t nhosts;
	struct hmap *by_address;
	struct name *names;
	size_t nnames;
	struct sim_envelope **envelopes;
	size_t n, room, done;
	struct hmap *by_evpid;
	unsigned inflight;
	uint64_t hasten_at;
	unsigned hasten;
	size_t hasten_from, waiting; /* waiting: for their destination */
	bool hastening, retry;
	uint64_t steps, last_msgid, random;
	unsigned events[ENGINE_CLOSED + 1];
};

static uint64_t
hash(const char *text)
{
	return hmap_hash(text, strlen(text));
}

static bool
op_ask(void *arg, uint32_t id, enum name_kind kind, const char *name,
    uint16_t port)
{
	struct sim *s = arg;
	struct question *q = mem_zalloc(sizeof(*q));

	(void)kind;
	(void)port;
	q->id = id;
	snprintf(q->name, sizeof(q->name), "%s", name);
	timer_set(&s->questions, &q->timer, s->now + DNS_MS);
	return true;
}

static void
next(struct sim_conn *c, enum step step, uint64_t ms)
{
	c->step = step;
	timer_set(&c->sim->conns, &c->timer, c->sim->now + ms);
}

static void
fail_with(
    struct sim_conn *c, enum conn_end end, const char *status, uint64_t ms)
{
	c->why.end = end;
	c->why.status = status;
	next(c, STEP_FAIL, ms);
}

static void
op_open(void *arg, struct link *l)
{
	struct sim *s = arg;
	struct sim_conn *c = mem_zalloc(sizeof(*c));
	struct sim_host *h = sim_host(s, l->route->host->address);

	c->sim = s;
	c->link = l;
	c->host = h;
	l->conn = (struct conn *)(void *)c;
	if (h->connects < SIM_CONNECTS) {
		h->connect_at[h->connects] = s->now - START_MS;
		h->sources[h->connects] = l->route->source->text;
	}
	h->connects++;
	if (++h->sessions > h->peak)
		h->peak = h->sessions;
	if (h->connect == SIM_NO_SOURCE && l->route->source->addrlen > 0)
		fail_with(c, CONN_END_SOURCE, "451 4.4.1 no such source", 0);
	else if (h->connect == SIM_REFUSES)
		fail_with(c, CONN_END_CONNECT, "451 4.4.1 connection refused",
		    CONNECT_MS);
	else if (h->connect == SIM_SILENT)
		fail_with(c, CONN_END_CONNECT, "451 4.4.1 connection timed out",
		    SILENT_MS);
	else if (h->most > 0 && h->sessions > h->most)
		fail_with(c, CONN_END_421, "421 4.7.0 too many connections",
		    CONNECT_MS);
	else if (h->banner != NULL)
		fail_with(
		    c, h->banner_end, h->banner, CONNECT_MS + h->banner_ms);
	else if (h->bad_tls && !l->in_clear)
		fail_with(c,
		    l->route->manner->may_be_clear ? CONN_END_TLS_TRY
						   : CONN_END_TLS,
		    "451 4.7.5 handshake failed", CONNECT_MS);
	else
		next(c, STEP_READY, CONNECT_MS + h->banner_ms);
}

static void
op_carry(void *arg, struct link *l, struct transaction *t)
{
	struct sim_conn *c = (struct sim_conn *)(void *)l->conn;

	(void)arg;
	c->t = t;
	c->messages++;
	next(c, STEP_CARRY, c->host->carry_ms);
}

static void
op_rest(void *arg, struct link *l)
{
	struct sim_conn *c = (struct sim_conn *)(void *)l->conn;
	const struct engine *e = l->engine;

	(void)arg;
	next(c, STEP_KEEPALIVE,
	    (uint64_t)conf_limit(e->conf, NULL, CONF_LIMIT_KEEPALIVE) * 1000);
}

static void
op_quit(void *arg, struct link *l)
{
	struct sim_conn *c = (struct sim_conn *)(void *)l->conn;

	(void)arg;
	c->host->quits++;
	c->why.end = CONN_END_QUIT;
	c->why.status = "";
	next(c, STEP_END, 1);
}

static struct sim_envelope *
find(struct sim *s, uint64_t evpid)
{
	struct sim_envelope *v = hmap_get(s->by_evpid, evpid);

	assert(v != NULL);
	return v;
}

static void
hasten(struct sim *s)
{
	size_t i, k, n = 0;

	for (k = 0; k < s->n && n < s->hasten && s->waiting > 0; k++) {
		i = s->hasten_from++ % s->n;
		if (!s->envelopes[i]->waits || s->envelopes[i]->done ||
		    s->envelopes[i]->timer.place == 0)
			continue;
		s->envelopes[i]->waits = false;
		s->waiting--;
		timer_set(&s->queue, &s->envelopes[i]->timer, s->now);
		n++;
	}
	s->hastening = n == s->hasten;
	s->hasten *= 2;
	s->hasten_at = s->now + 1000;
}

static void
try_again(struct sim *s, struct sim_envelope *v, const struct carry_outcome *o)
{
	int64_t wall = (int64_t)(s->now / 1000);

	v->waits = o->destination;
	s->waiting += v->waits;
	if (o->result == CARRY_UNTRIED) {
		v->untried++;
		v->next = wall + o->delay;
	} else {
		v->tries++;
		v->next = backoff_next(v->created, wall,
		    v->tries + (o->step ? 1 : 0), BACKOFF_RELAY);
	}
	if (o->destination && o->result == CARRY_LATER)
		s->hastening = false;
	if (s->retry)
		timer_set(&s->queue, &v->timer, (uint64_t)v->next * 1000);
}

static void
op_outcome(void *arg, const struct engine_outcome *o)
{
	struct sim *s = arg;
	struct sim_envelope *v = find(s, o->carry.evpid);

	assert(!v->done);
	s->inflight--;
	v->last = o->carry;
	snprintf(v->status, sizeof(v->status), "%s", o->carry.status);
	if (o->carry.result == CARRY_LATER ||
	    o->carry.result == CARRY_UNTRIED) {
		try_again(s, v, &o->carry);
		return;
	}
	v->done = true;
	v->done_at = (int64_t)(s->now / 1000);
	s->done++;
	if (o->carry.result == CARRY_DONE && !s->hastening) {
		s->hasten = HASTEN;
		hasten(s);
	}
}

static void
op_event(void *arg, enum engine_event what, const struct route *r,
    const struct link *l, const char *status)
{
	struct sim *s = arg;

	(void)r;
	(void)l;
	(void)status;
	s->events[what]++;
}

/* The same every time. */
static uint64_t
op_random(void *arg)
{
	struct sim *s = arg;

	s->random = s->random * 6364136223846793005u + 1442695040888963407u;
	return s->random >> 33;
}

static const struct engine_ops ops = { op_ask, op_open, op_carry, op_rest,
	op_quit, op_quit, op_outcome, op_event, op_random };

static void
report(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

struct sim *
sim_new(const char *conf)
{
	struct sim *s = mem_zalloc(sizeof(*s));

	if (conf == NULL)
		conf = "";
	s->conf = conf_parse("sim", conf, strlen(conf), report, NULL);
	assert(s->conf != NULL);
	s->now = START_MS;
	s->retry = true;
	s->engine = engine_new(&ops, s);
	s->hosts = mem_zarray(SIM_HOSTS, sizeof(*s->hosts));
	s->names = mem_zarray(NAMES, sizeof(*s->names));
	s->by_address = hmap_new();
	s->by_evpid = hmap_new();
	s->choice = choice_new(1);
	s->choice->manners[0] = sim_manner(true, NULL, 0);
	engine_clock(s->engine, s->now, (int64_t)(s->now / 1000));
	engine_configure(s->engine, s->conf, NULL, 0);
	return s;
}

struct manner *
sim_manner(bool by_mx, const char *via, uint16_t port)
{
	struct manner *m = manner_new();

	m->by_mx = by_mx;
	m->may_be_clear = true;
	m->key = mem_strdup("");
	m->action = mem_strdup("relay-1");
	if (!by_mx)
		assert(target_set(&m->via, via, port, NULL, 0));
	return m;
}

struct engine *
sim_engine(struct sim *s)
{
	return s->engine;
}

uint64_t
sim_now(const struct sim *s)
{
	return s->now - START_MS;
}

uint64_t
sim_steps(const struct sim *s)
{
	return s->steps;
}

struct sim_host *
sim_host(struct sim *s, const char *address)
{
	struct sim_host *h = hmap_get(s->by_address, hash(address));

	if (h != NULL)
		return h;
	assert(s->nhosts < SIM_HOSTS);
	h = &s->hosts[s->nhosts++];
	snprintf(h->address, sizeof(h->address), "%s", address);
	h->carry_ms = 10;
	hmap_put(s->by_address, hash(address), h);
	return h;
}

void
sim_mx(struct sim *s, const char *domain, const char *text)
{
	struct name *n;
	size_t i;

	for (i = 0; i < s->nnames; i++)
		if (strcmp(s->names[i].domain, domain) == 0)
			break;
	assert(i < NAMES);
	n = &s->names[i];
	if (i == s->nnames)
		s->nnames++;
	snprintf(n->domain, sizeof(n->domain), "%s", domain);
	n->text = text;
}

struct choice *
sim_choice(struct sim *s)
{
	return s->choice;
}

void
sim_use(struct sim *s, struct choice *c)
{
	choice_unref(s->choice);
	s->choice = c;
}

struct sim_envelope *
sim_mail(struct sim *s, const char *domain, unsigned n)
{
	struct sim_envelope *v, *first = NULL;
	unsigned i;

	s->last_msgid++;
	for (i = 1; i <= n; i++) {
		v = mem_zalloc(sizeof(*v));
		v->evpid = s->last_msgid << 16 | i;
		v->created = (int64_t)(s->now / 1000);
		v->domain = domain;
		if (s->n == s->room) {
			s->room = s->room == 0 ? 1024 : s->room * 2;
			s->envelopes = mem_rearray(s->envelopes, s->room,
			    sizeof(struct sim_envelope *));
		}
		s->envelopes[s->n++] = v;
		hmap_put(s->by_evpid, v->evpid, v);
		timer_set(&s->queue, &v->timer, s->now);
		if (first == NULL)
			first = v;
	}
	return first;
}

size_t
sim_envelopes(const struct sim *s)
{
	return s->n;
}

struct sim_envelope *
sim_envelope(struct sim *s, size_t i)
{
	return s->envelopes[i];
}

size_t
sim_count(const struct sim *s, enum carry_result last)
{
	size_t i, n = 0;

	for (i = 0; i < s->n; i++)
		if (s->envelopes[i]->status[0] != '\0' &&
		    s->envelopes[i]->last.result == last)
			n++;
	return n;
}

size_t
sim_done(const struct sim *s)
{
	return s->done;
}

struct route *
sim_route(struct sim *s, const char *address)
{
	struct route *r;

	TAILQ_FOREACH(r, &s->engine->routes, entry)
		if (strcmp(r->host->address, address) == 0)
			return r;
	return NULL;
}

unsigned
sim_events(const struct sim *s, enum engine_event what)
{
	return s->events[what];
}

void
sim_retry(struct sim *s, bool on)
{
	s->retry = on;
}

static void
end(struct sim_conn *c)
{
	struct link *l = c->link;

	timer_clear(&c->sim->conns, &c->timer);
	c->host->sessions--;
	c->why.ready = c->up;
	link_on_closed(l, &c->why);
	free(c);
}

/* The reply to one RCPT; NULL: it is taken. */
static const char *
reply(struct sim_conn *c, struct sim_envelope *v)
{
	struct sim_host *h = c->host;
	uint64_t grey = (uint64_t)h->grey_s * 1000, now = c->sim->now;
	bool passes;

	v->rcpts++;
	h->rcpts++;
	if (v->first_rcpt == 0)
		v->first_rcpt = now;
	passes = now - v->first_rcpt >= grey && v->rcpts > 1;
	switch (h->rcpt) {
	case SIM_TAKES:
		break;
	case SIM_DEFERS:
		if (h->takes_after > 0 && h->rcpts % (h->takes_after + 1) == 0)
			break;
		return "451 4.7.1 not now";
	case SIM_REJECTS:
		return "550 5.1.1 nobody";
	case SIM_GREYLISTS_CLIENT:
		if (passes)
			h->white = true;
		if (h->white)
			break;
		return "451 4.7.1 greylisted";
	case SIM_GREYLISTS:
		if (passes)
			break;
		return "451 4.7.1 greylisted";
	case SIM_421:
		return "421 4.3.2 going down";
	}
	return NULL;
}

/* The transaction as a host with PIPELINING would have it. False: the
 * session ends. */
static bool
talk(struct sim_conn *c, struct transaction *t)
{
	struct sim *s = c->sim;
	const char *text;
	bool on = true;
	unsigned i;

	if (c->host->drops) {
		c->why.end = CONN_END_LOST;
		c->why.status = "451 4.4.2 connection closed";
		return false;
	}
	for (i = 0; i < t->n && c->host->refuses_mail; i++) {
		t->rcpts[i].state = TRANSACTION_SETTLED;
		t->open--;
		on = link_on_settle(c->link, t, i, CARRY_LATER, CONN_PHASE_MAIL,
		    "451 4.3.2 no mail now");
	}
	if (c->host->refuses_mail)
		return on;
	for (i = 0; i < t->n && on; i++) {
		text = reply(c, find(s, t->rcpts[i].evpid));
		if (text == NULL) {
			t->rcpts[i].state = TRANSACTION_ACCEPTED;
			link_on_accepted(c->link, t, i);
			continue;
		}
		if (text[0] == '4' && text[1] == '2') {
			c->why.end = CONN_END_421;
			c->why.status = text;
			return false;
		}
		t->rcpts[i].state = TRANSACTION_SETTLED;
		t->open--;
		on = link_on_settle(c->link, t, i,
		    text[0] == '5' ? CARRY_NEVER : CARRY_LATER, CONN_PHASE_RCPT,
		    text);
	}
	for (i = 0; i < t->n; i++) {
		if (t->rcpts[i].state != TRANSACTION_ACCEPTED)
			continue;
		t->rcpts[i].state = TRANSACTION_SETTLED;
		t->open--;
		c->host->taken++;
		link_on_settle(c->link, t, i,
		    c->host->data == NULL ? CARRY_DONE : CARRY_LATER,
		    CONN_PHASE_BODY,
		    c->host->data == NULL ? "250 2.0.0 ok" : c->host->data);
	}
	c->why.end = CONN_END_QUIT;
	c->why.status = "";
	return on;
}

static void
carry(struct sim_conn *c)
{
	struct sim *s = c->sim;
	struct transaction *t = c->t;
	bool on = talk(c, t);

	c->host->transactions++;
	c->t = NULL;
	link_on_over(c->link, t, false);
	if (!on) {
		end(c);
		return;
	}
	if (c->messages >= conf_limit(s->conf, NULL, CONF_LIMIT_MESSAGES)) {
		link_on_leaving(c->link);
		next(c, STEP_END, 1);
		return;
	}
	link_on_ready(c->link);
}

static void
on_conn(struct sim_conn *c)
{
	switch (c->step) {
	case STEP_READY:
		c->up = true;
		link_on_ready(c->link);
		break;
	case STEP_FAIL:
	case STEP_END:
		end(c);
		break;
	case STEP_CARRY:
		carry(c);
		break;
	case STEP_KEEPALIVE:
		c->why.end = CONN_END_QUIT;
		c->why.status = "";
		link_on_leaving(c->link);
		next(c, STEP_END, 1);
		break;
	}
}

static unsigned
read_hosts(char *text, struct name_host *hosts, char (*names)[256])
{
	char *save = NULL, *inner, *host, *word;
	unsigned n = 0;

	for (host = strtok_r(text, ",", &save); host != NULL;
	     host = strtok_r(NULL, ",", &save)) {
		word = strtok_r(host, " ", &inner);
		hosts[n].preference = (uint16_t)atoi(word);
		word = strtok_r(NULL, " ", &inner);
		snprintf(names[n], 256, "%s", word);
		hosts[n].name = names[n];
		while ((word = strtok_r(NULL, " ", &inner)) != NULL) {
			unsigned k = hosts[n].n++;

			hosts[n].addresses[k].family =
			    strchr(word, ':') == NULL ? 4 : 6;
			if (inet_pton(
				strchr(word, ':') == NULL ? AF_INET : AF_INET6,
				word, hosts[n].addresses[k].octets) != 1) {
				/* "bogus": DANE forbids it */
				hosts[n].n--;
				hosts[n].tlsa = NAME_TLSA_TROUBLE;
				hosts[n].text = "its TLSA records are bogus";
			}
		}
		n++;
	}
	return n;
}

static void
on_question(struct sim *s, struct question *q)
{
	static struct name_host hosts[NAME_HOSTS];
	static char names[NAME_HOSTS][256];
	const char *text = NULL;
	bool known = false;
	char *copy;
	unsigned n;
	size_t i;

	for (i = 0; i < s->nnames; i++)
		if (strcmp(s->names[i].domain, q->name) == 0) {
			text = s->names[i].text;
			known = true;
		}
	memset(hosts, 0, sizeof(hosts));
	if (!known) {
		engine_resolved(
		    s->engine, q->id, NAME_NONE, "it does not exist", NULL, 0);
	} else if (text == NULL) {
		engine_resolved(s->engine, q->id, NAME_TEMPORARY,
		    "no answer in time", NULL, 0);
	} else if (text[0] == '\0') {
		engine_resolved(s->engine, q->id, NAME_NULL_MX,
		    "it takes no mail", NULL, 0);
	} else {
		copy = mem_strdup(text);
		n = read_hosts(copy, hosts, names);
		engine_resolved(s->engine, q->id, NAME_FOUND, "", hosts, n);
		free(copy);
	}
	free(q);
}

static void
release(struct sim *s, struct sim_envelope *v)
{
	char address[300];
	struct engine_recipient r = { .msgid = v->evpid >> 16,
		.size = 4096,
		.sender = "ann@sender.example",
		.evpid = v->evpid,
		.address = address,
		.domain = v->domain,
		.arrived = v->created,
		.choice = s->choice,
		.tried = v->tries > 0,
		.turn = (unsigned)(v->evpid >> 16) + v->tries };

	snprintf(address, sizeof(address), "u%u@%s",
	    (unsigned)(v->evpid & 0xffff), v->domain);
	s->waiting -= v->waits;
	v->waits = false;
	s->inflight++;
	engine_add(s->engine, &r);
}

/* One round of what is due now. */
static bool
round_of(struct sim *s)
{
	struct timer *t;
	bool any = false;
	int i;

	engine_clock(s->engine, s->now, (int64_t)(s->now / 1000));
	if (s->hastening && s->hasten_at <= s->now)
		hasten(s);
	for (i = 0; i < 64 && s->inflight < WINDOW; i++) {
		t = timer_due(&s->queue, s->now);
		if (t == NULL)
			break;
		release(s, (struct sim_envelope *)(void *)t);
		s->steps++;
		any = true;
	}
	while ((t = timer_due(&s->questions, s->now)) != NULL) {
		on_question(s, (struct question *)(void *)t);
		s->steps++;
		any = true;
	}
	for (i = 0; i < 64; i++) {
		t = timer_due(&s->conns, s->now);
		if (t == NULL)
			break;
		on_conn((struct sim_conn *)(void *)t);
		s->steps++;
		any = true;
	}
	return any;
}

static uint64_t
next_time(const struct sim *s, uint64_t engine)
{
	uint64_t at = engine, t;

	if (s->inflight < WINDOW && (t = timer_next(&s->queue)) < at)
		at = t;
	if ((t = timer_next(&s->questions)) < at)
		at = t;
	if ((t = timer_next(&s->conns)) < at)
		at = t;
	if (s->hastening && s->hasten_at < at)
		at = s->hasten_at;
	return at;
}

static void
run(struct sim *s, uint64_t until, bool drain)
{
	uint64_t at;

	until += START_MS;
	for (;;) {
		if (drain && s->done == s->n)
			return;
		round_of(s);
		at = next_time(s, engine_turn(s->engine));
		if (at > until) {
			if (!drain && s->now < until)
				s->now = until;
			engine_clock(
			    s->engine, s->now, (int64_t)(s->now / 1000));
			return;
		}
		if (at > s->now)
			s->now = at;
	}
}

void
sim_run(struct sim *s, uint64_t until_ms)
{
	run(s, until_ms, false);
}

bool
sim_drain(struct sim *s, uint64_t until_ms)
{
	run(s, until_ms, true);
	return s->done == s->n;
}

void
sim_free(struct sim *s)
{
	struct timer *t;
	size_t i;

	engine_stop(s->engine);
	while ((t = timer_due(&s->questions, UINT64_MAX)) != NULL)
		free(t);
	while ((t = timer_due(&s->conns, UINT64_MAX)) != NULL) {
		struct sim_conn *c = (struct sim_conn *)(void *)t;

		c->why.end = CONN_END_LOST;
		c->why.status = "451 4.3.2 the end";
		if (c->t != NULL)
			link_on_over(c->link, c->t, true);
		end(c);
	}
	engine_free(s->engine);
	timers_clear(&s->conns);
	timers_clear(&s->questions);
	timers_clear(&s->queue);
	for (i = 0; i < s->n; i++)
		free(s->envelopes[i]);
	free(s->envelopes);
	free(s->hosts);
	free(s->names);
	hmap_free(s->by_address);
	hmap_free(s->by_evpid);
	choice_unref(s->choice);
	conf_free(s->conf);
	free(s);
}

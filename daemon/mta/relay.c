#include "daemon/mta/relay.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/hmap.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"

#define FRESH_MS 60000u /* an answer of the DNS; unbound's cache is behind */
#define RESTING_MAX 4096 /* relays without work that are kept */
#define TURN 64 /* relays dispatched, or freed, in one turn */
#define REAP_SECONDS 10

/* Off whichever list of all it is on. */
static void
unlist(struct relay *r)
{
	struct relays *rs = r->all;

	if (r->dirty)
		TAILQ_REMOVE(&rs->dirty, r, entry);
	if (r->starving)
		TAILQ_REMOVE(&rs->starving, r, entry);
	if (r->resting) {
		TAILQ_REMOVE(&rs->resting, r, entry);
		rs->nresting--;
	}
	r->dirty = r->starving = r->resting = false;
}

void
relay_mark(struct relay *r)
{
	if (r->dirty)
		return;
	unlist(r);
	r->dirty = true;
	TAILQ_INSERT_TAIL(&r->all->dirty, r, entry);
	event_active(r->all->tail, EV_TIMEOUT, 1);
}

void
relay_starve(struct relay *r)
{
	unlist(r);
	r->starving = true;
	TAILQ_INSERT_TAIL(&r->all->starving, r, entry);
}

void
relay_wait(struct relay *r, struct host *h)
{
	if (h != NULL)
		h->refs++;
	if (r->waits_for != NULL) {
		TAILQ_REMOVE(&r->waits_for->waiters, r, waiting);
		host_release(r->all->hosts, r->waits_for);
	}
	r->waits_for = h;
	if (h != NULL)
		TAILQ_INSERT_TAIL(&h->waiters, r, waiting);
}

static void
drop_addresses(struct relay *r)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		host_release(r->all->hosts, r->addresses[i].host);
	free(r->addresses);
	r->addresses = NULL;
	r->n = 0;
	r->resolved = false;
}

static void
free_relay(struct relay *r)
{
	relay_wait(r, NULL);
	drop_addresses(r);
	unlist(r);
	hmap_del(r->all->by_key, r->key);
	free(r);
}

void
relay_rest(struct relay *r)
{
	struct relays *rs = r->all;

	if (r->resting || r->queued > 0 || r->bound > 0 || r->asking)
		return;
	relay_wait(r, NULL);
	unlist(r);
	r->resting = true;
	TAILQ_INSERT_TAIL(&rs->resting, r, entry);
	if (++rs->nresting > RESTING_MAX)
		free_relay(TAILQ_FIRST(&rs->resting));
}

static void
on_reaper(evutil_socket_t fd, short what, void *arg)
{
	struct relays *rs = arg;
	uint64_t now = mono_ms();
	struct relay *r;
	int i;

	(void)fd;
	(void)what;
	for (i = 0; i < TURN && (r = TAILQ_FIRST(&rs->resting)) != NULL; i++) {
		if (r->resolved && now - r->resolved_at < FRESH_MS)
			return;
		free_relay(r);
	}
	if (i == TURN)
		event_active(rs->reaper, EV_TIMEOUT, 1);
}

static void
on_tail(evutil_socket_t fd, short what, void *arg)
{
	struct relays *rs = arg;
	struct relay *r;
	int i;

	(void)fd;
	(void)what;
	for (i = 0; i < TURN && (r = TAILQ_FIRST(&rs->dirty)) != NULL; i++) {
		unlist(r);
		rs->ops->dispatch(rs->arg, r);
	}
	if (!TAILQ_EMPTY(&rs->dirty))
		event_active(rs->tail, EV_TIMEOUT, 1);
}

struct relays *
relays_new(struct event_base *base, struct hosts *hosts,
    const struct relays_ops *ops, void *arg)
{
	static const struct timeval often = { REAP_SECONDS, 0 };
	struct relays *rs = mem_zalloc(sizeof(*rs));

	rs->hosts = hosts;
	rs->ops = ops;
	rs->arg = arg;
	rs->by_key = hmap_new();
	rs->growing = hmap_new();
	TAILQ_INIT(&rs->dirty);
	TAILQ_INIT(&rs->starving);
	TAILQ_INIT(&rs->resting);
	rs->tail = evtimer_new(base, on_tail, rs);
	rs->reaper = event_new(base, -1, EV_PERSIST, on_reaper, rs);
	if (rs->tail == NULL || rs->reaper == NULL)
		fatal("out of memory: a timer");
	event_add(rs->reaper, &often);
	return rs;
}

static uint64_t
growing_key(const struct relay *r, uint64_t msgid)
{
	uint64_t id[2] = { (uint64_t)(uintptr_t)r, msgid };

	return hmap_hash(id, sizeof(id));
}

struct transaction *
relay_take(struct relay *r)
{
	struct transaction *t = TAILQ_FIRST(&r->queue);
	uint64_t key;

	if (t == NULL)
		return NULL;
	TAILQ_REMOVE(&r->queue, t, entry);
	r->queued--;
	r->all->waiting--;
	/* It grows no more. */
	key = growing_key(r, t->msgid);
	if (hmap_get(r->all->growing, key) == t)
		hmap_del(r->all->growing, key);
	return t;
}

void
relay_put_back(struct relay *r, struct transaction *t)
{
	TAILQ_INSERT_HEAD(&r->queue, t, entry);
	r->queued++;
	r->all->waiting++;
	relay_mark(r);
}

void
relay_settle(struct relay *r, enum carry_result result, const char *status,
    const char *remote)
{
	struct relays *rs = r->all;
	struct transaction *t;
	unsigned i;

	while ((t = relay_take(r)) != NULL) {
		for (i = 0; i < t->n; i++)
			rs->ops->outcome(rs->arg, t, i, result, status, remote);
		transaction_free(t);
	}
}

static bool
is_own(const struct relays *rs, const struct host *h)
{
	size_t i;

	for (i = 0; i < rs->nown; i++)
		if (host_same(h, &rs->own[i]))
			return true;
	return false;
}

/* All addresses in order, without what is not better than ourselves. */
static void
set_addresses(struct relay *r, const struct name_host *hosts, unsigned n)
{
	uint16_t preference[RELAY_ADDRESSES];
	bool own[RELAY_ADDRESSES];
	struct relay_address *a;
	size_t left;
	unsigned i, k;

	drop_addresses(r);
	r->addresses = mem_zarray(RELAY_ADDRESSES, sizeof(*r->addresses));
	for (i = 0; i < n; i++) {
		for (k = 0; k < hosts[i].n && r->n < RELAY_ADDRESSES; k++) {
			a = &r->addresses[r->n];
			a->host = host_get(r->all->hosts, hosts[i].name,
			    hosts[i].addresses[k].family,
			    hosts[i].addresses[k].octets, r->target.port);
			a->preference = hosts[i].preference;
			a->number = (uint16_t)i;
			preference[r->n] = a->preference;
			own[r->n] = is_own(r->all, a->host);
			r->n++;
		}
	}
	left = route_cut_own(preference, own, r->n);
	while (r->n > left)
		host_release(r->all->hosts, r->addresses[--r->n].host);
	if (r->n > 0)
		r->addresses =
		    mem_rearray(r->addresses, r->n, sizeof(*r->addresses));
	r->resolved = r->n > 0;
	r->resolved_at = mono_ms();
}

static void
not_found(struct relay *r, enum name_status status, const char *text)
{
	const char *code = "451 4.4.3";
	enum carry_result result = CARRY_LATER;
	char line[512];

	if (status == NAME_NULL_MX) {
		code = "556 5.1.10";
		result = CARRY_NEVER;
	} else if (status == NAME_NONE && r->target.kind == ROUTE_MX) {
		code = "550 5.1.2";
		result = CARRY_NEVER;
	}
	/* A host of the configuration that is not there is our trouble, not
	 * the sender's: that mail waits. */
	snprintf(line, sizeof(line), "%s %s", code, text);
	relay_settle(r, result, line, "");
}

void
relay_resolved(struct relay *r, enum name_status status, const char *text,
    const struct name_host *hosts, unsigned n)
{
	r->asking = false;
	if (status == NAME_TEMPORARY && r->resolved) {
		/* What was known a minute ago is better than nothing. */
		r->resolved_at = mono_ms();
	} else if (status != NAME_FOUND) {
		drop_addresses(r);
		not_found(r, status, text);
	} else {
		set_addresses(r, hosts, n);
		if (!r->resolved)
			relay_settle(r, CARRY_NEVER,
			    "554 5.4.6 mail for this domain comes back to us",
			    "");
	}
	relay_mark(r);
}

static void
resolve(struct relay *r)
{
	struct name_host literal = { 0 };

	if (r->target.kind == ROUTE_LITERAL) {
		literal.name = r->target.name;
		literal.n = 1;
		literal.addresses[0].family = r->target.family6 ? 6 : 4;
		memcpy(literal.addresses[0].octets, r->target.octets, 16);
		relay_resolved(r, NAME_FOUND, "", &literal, 1);
		return;
	}
	r->asking = true;
	if (!r->all->ops->ask(r->all->arg, r,
		r->target.kind == ROUTE_MX ? NAME_MX : NAME_ADDRESS,
		r->target.name))
		relay_resolved(
		    r, NAME_TEMPORARY, "too many names are asked for", NULL, 0);
}

static struct relay *
find_relay(struct relays *rs, const struct route_target *target)
{
	uint64_t key = hmap_hash(target->key, strlen(target->key));
	struct relay *r;

	/* Two targets of one hash would be a wonder; they are kept apart. */
	while ((r = hmap_get(rs->by_key, key)) != NULL &&
	    (r->target.kind != target->kind ||
		strcmp(r->target.key, target->key) != 0))
		key = key == UINT64_MAX ? 1 : key + 1;
	if (r != NULL)
		return r;
	r = mem_zalloc(sizeof(*r));
	r->all = rs;
	r->target = *target;
	r->key = key;
	TAILQ_INIT(&r->queue);
	hmap_put(rs->by_key, key, r);
	return r;
}

/* Of the same message and sender, with room: the recipient joins it. */
static bool
join(struct relay *r, const struct relays_rcpt *rcpt)
{
	struct transaction *t =
	    hmap_get(r->all->growing, growing_key(r, rcpt->msgid));

	return t != NULL && t->relay == r && t->msgid == rcpt->msgid &&
	    strcmp(t->sender, rcpt->sender) == 0 &&
	    transaction_add(t, rcpt->evpid, rcpt->address, rcpt->arrived);
}

void
relays_add(struct relays *rs, const struct route_target *target,
    const struct relays_rcpt *rcpt)
{
	struct relay *r = find_relay(rs, target);
	struct transaction *t;

	if (!join(r, rcpt)) {
		t = transaction_new(r, rcpt->msgid, rcpt->size, rcpt->sender);
		transaction_add(t, rcpt->evpid, rcpt->address, rcpt->arrived);
		TAILQ_INSERT_TAIL(&r->queue, t, entry);
		r->queued++;
		rs->waiting++;
		hmap_put(rs->growing, growing_key(r, rcpt->msgid), t);
	}
	relay_mark(r);
	if (!r->asking &&
	    (!r->resolved || mono_ms() - r->resolved_at >= FRESH_MS))
		resolve(r);
}

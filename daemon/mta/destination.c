#include "daemon/mta/destination.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/mta/dane.h"
#include "daemon/mta/domain.h"
#include "daemon/mta/engine.h"
#include "lib/base/hmap.h"
#include "lib/base/mem.h"

/* Its place, or the one it would have: two targets of one hash would be a
 * wonder, and are kept apart. */
static uint64_t
key_of(const struct engine *e, const struct manner *m, const struct target *t)
{
	uint64_t id[3] = { (uint64_t)(uintptr_t)m, t->kind,
		hmap_hash(t->key, strlen(t->key)) };
	uint64_t key = hmap_hash(id, sizeof(id));
	const struct destination *d;

	while ((d = hmap_get(e->by_target, key)) != NULL &&
	    (d->manner != m || d->target.kind != t->kind ||
		strcmp(d->target.key, t->key) != 0))
		key = key == UINT64_MAX ? 1 : key + 1;
	return key;
}

struct destination *
destination_find(
    const struct engine *e, const struct manner *m, const struct target *t)
{
	return hmap_get(e->by_target, key_of(e, m, t));
}

static bool
is_idle(const struct destination *d)
{
	return !d->asking && d->queued == 0 &&
	    (d->relay == NULL ||
		(d->relay->queued == 0 && d->relay->bound == 0));
}

static void
touch(struct engine *e, struct destination *d)
{
	TAILQ_REMOVE(&e->destinations, d, all);
	TAILQ_INSERT_TAIL(&e->destinations, d, all);
	d->used_at = e->now;
}

struct destination *
destination_get(struct engine *e, struct manner *m, const struct target *t)
{
	struct destination *d = destination_find(e, m, t), *old;

	if (d != NULL) {
		touch(e, d);
		return d;
	}
	old = TAILQ_FIRST(&e->destinations);
	if (e->ndestinations >= DESTINATION_MAX && is_idle(old))
		destination_free(e, old);
	d = mem_zalloc(sizeof(*d));
	d->key = key_of(e, m, t);
	d->manner = manner_ref(m);
	d->target = *t;
	d->domain = domain_get(e, t->key);
	d->used_at = e->now;
	TAILQ_INIT(&d->waiting);
	hmap_put(e->by_target, d->key, d);
	TAILQ_INSERT_TAIL(&e->destinations, d, all);
	e->ndestinations++;
	return d;
}

void
destination_free(struct engine *e, struct destination *d)
{
	struct transaction *t;

	while ((t = TAILQ_FIRST(&d->waiting)) != NULL) {
		TAILQ_REMOVE(&d->waiting, t, entry);
		engine_drop(e, t);
	}
	if (d->relay != NULL)
		relay_remove(e, d->relay, d);
	if (d->asking)
		hmap_del(e->by_question, d->id);
	hmap_del(e->by_target, d->key);
	TAILQ_REMOVE(&e->destinations, d, all);
	e->ndestinations--;
	domain_release(e, d->domain);
	manner_unref(d->manner);
	free(d->text);
	free(d);
}

/* The relay gets what waited for the answer. */
static void
hand_over(struct engine *e, struct destination *d)
{
	struct transaction *t;

	while ((t = TAILQ_FIRST(&d->waiting)) != NULL) {
		TAILQ_REMOVE(&d->waiting, t, entry);
		d->queued--;
		relay_put(e, d->relay, t);
	}
}

static void
refuse(struct engine *e, struct destination *d, enum carry_result result,
    const char *status)
{
	struct carry_outcome o = { .result = result,
		.status = status,
		.remote = "",
		.destination = result == CARRY_LATER };
	struct relay_queue all;
	struct transaction *t;

	free(d->text);
	d->text = mem_strdup(status);
	TAILQ_INIT(&all);
	TAILQ_CONCAT(&all, &d->waiting, entry);
	d->queued = 0;
	while ((t = TAILQ_FIRST(&all)) != NULL) {
		TAILQ_REMOVE(&all, t, entry);
		if (!engine_next(e, t))
			engine_settle(e, t, &o, d->target.key);
	}
}

static void
not_found(struct engine *e, struct destination *d, enum name_status status,
    const char *text)
{
	const char *code = "451 4.4.3";
	enum carry_result result = CARRY_LATER;
	char line[512];

	if (status == NAME_NULL_MX) {
		code = "556 5.1.10";
		result = CARRY_NEVER;
	} else if (status == NAME_NONE && d->target.kind == TARGET_MX) {
		code = "550 5.1.2";
		result = CARRY_NEVER;
	}
	/* A host of the configuration that is not there is our trouble, not
	 * the sender's: that mail waits. */
	snprintf(line, sizeof(line), "%s %s", code, text);
	refuse(e, d, result, line);
}

static int
by_preference(const void *a, const void *b)
{
	const struct name_host *x = *(const struct name_host *const *)a;
	const struct name_host *y = *(const struct name_host *const *)b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool
is_own(const struct engine *e, const struct host *h)
{
	size_t i;

	for (i = 0; i < e->nown; i++)
		if (host_same(h, &e->own[i]))
			return true;
	return false;
}

struct found { /* an answer being made into a list */
	struct relay_address *a;
	uint16_t preference[RELAY_ADDRESSES];
	bool own[RELAY_ADDRESSES];
	size_t n;
};

static void
add_host(struct engine *e, const struct destination *d, struct found *f,
    const struct name_host *h)
{
	bool dane = d->manner->dane;
	struct relay_address *a;
	unsigned k;

	for (k = 0; k < h->n && f->n < RELAY_ADDRESSES; k++) {
		a = &f->a[f->n];
		a->host = host_get(e->hosts, h->name, h->addresses[k].family,
		    h->addresses[k].octets, d->target.port);
		a->name =
		    mem_strdup(d->target.kind == TARGET_LITERAL ? "" : h->name);
		a->preference = h->preference;
		if (dane && h->tlsa == NAME_TLSA_TROUBLE)
			a->trouble = mem_strdup(h->text);
		else if (dane)
			a->tlsa = tlsa_new(h);
		f->preference[f->n] = h->preference;
		f->own[f->n] = is_own(e, a->host) ||
		    (d->manner->backup != NULL &&
			strcasecmp(h->name, d->manner->backup) == 0);
		f->n++;
	}
}

/* What two destinations have in common when they share a relay: the names of
 * the hosts, for addresses may come in turns. */
static char *
set_text(const struct destination *d, const struct found *f)
{
	size_t i, len = 0, room = f->n * (TARGET_NAME_MAX + 16) + 1;
	char *text;

	if (d->target.kind != TARGET_MX)
		return mem_strdup(d->target.key);
	text = mem_zalloc(room);
	for (i = 0; i < f->n; i++)
		if (i == 0 || strcmp(f->a[i].name, f->a[i - 1].name) != 0)
			len += (size_t)snprintf(text + len, room - len,
			    "%s%u %s", i == 0 ? "" : ", ", f->a[i].preference,
			    f->a[i].name);
	return text;
}

static void
attach(struct engine *e, struct destination *d, struct found *f)
{
	char *text = set_text(d, f);
	struct relay *r = relay_get(e, d->manner, d->domain, text);

	free(text);
	relay_add(e, r, d);
	relay_set_addresses(e, r, f->a, f->n);
	hand_over(e, d);
	relay_mark(e, r);
}

static void
found(struct engine *e, struct destination *d, const struct name_host *hosts,
    unsigned n)
{
	const struct name_host *order[NAME_HOSTS];
	struct found f = { 0 };
	size_t left;
	unsigned i;

	f.a = mem_zarray(RELAY_ADDRESSES, sizeof(*f.a));
	for (i = 0; i < n && i < NAME_HOSTS; i++)
		order[i] = &hosts[i];
	qsort(order, i, sizeof(order[0]), by_preference);
	for (n = i, i = 0; i < n; i++)
		add_host(e, d, &f, order[i]);
	left = target_cut_own(f.preference, f.own, f.n);
	while (f.n > left) {
		f.n--;
		host_release(e->hosts, f.a[f.n].host);
		tlsa_unref(f.a[f.n].tlsa);
		free(f.a[f.n].name);
		free(f.a[f.n].trouble);
	}
	if (f.n > 0) {
		attach(e, d, &f);
		return;
	}
	free(f.a);
	if (d->relay != NULL)
		relay_remove(e, d->relay, d);
	refuse(e, d, CARRY_NEVER,
	    "554 5.4.6 mail for this domain comes back to us");
}

void
destination_resolved(struct engine *e, struct destination *d,
    enum name_status status, const char *text, const struct name_host *hosts,
    unsigned n)
{
	if (d->asking)
		hmap_del(e->by_question, d->id);
	d->asking = false;
	d->resolved_at = e->now;
	/* What was known a minute ago is better than nothing. */
	if (status == NAME_TEMPORARY && d->relay != NULL) {
		hand_over(e, d);
		return;
	}
	d->status = status;
	if (status == NAME_FOUND) {
		found(e, d, hosts, n);
		return;
	}
	if (d->relay != NULL)
		relay_remove(e, d->relay, d);
	not_found(e, d, status, text);
}

static void
to_path(struct engine *e, struct destination *d)
{
	struct found f = { .n = 1 };

	f.a = mem_zarray(1, sizeof(*f.a));
	f.a[0].host = host_get_path(e->hosts, d->target.name);
	f.a[0].name = mem_strdup("");
	d->status = NAME_FOUND;
	d->resolved_at = e->now;
	attach(e, d, &f);
}

void
destination_ask(struct engine *e, struct destination *d)
{
	struct name_host literal = { 0 };

	if (d->asking ||
	    (d->relay != NULL &&
		e->now - d->resolved_at < DESTINATION_FRESH_MS))
		return;
	switch (d->target.kind) {
	case TARGET_PATH:
		to_path(e, d);
		return;
	case TARGET_LITERAL:
		literal.name = d->target.name;
		literal.n = 1;
		literal.addresses[0].family = d->target.family6 ? 6 : 4;
		memcpy(literal.addresses[0].octets, d->target.octets, 16);
		destination_resolved(e, d, NAME_FOUND, "", &literal, 1);
		return;
	default:
		break;
	}
	if (++e->last_question == 0)
		e->last_question = 1;
	d->id = e->last_question;
	d->asking = true;
	hmap_put(e->by_question, d->id, d);
	if (!e->ops->ask(e->arg, d->id,
		d->target.kind == TARGET_MX ? NAME_MX : NAME_ADDRESS,
		d->target.name, d->target.port))
		destination_resolved(e, d, NAME_TEMPORARY,
		    "too many names are asked for", NULL, 0);
}

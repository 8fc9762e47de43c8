#include "daemon/spooler/known.h"

#include <string.h>

#include "daemon/spooler/spooler.h"
#include "lib/base/hmap.h"
#include "lib/base/mem.h"

struct known {
	unsigned n;
	struct plan_row rows[PLAN_ROWS];
};

struct known *
known_new(struct spooler *s)
{
	(void)s;
	return mem_zalloc(sizeof(struct known));
}

enum plan_kind
known_kind(const struct spooler *s, const struct entry *en)
{
	const struct conf_action *a = conf_action(s->conf, en->action);

	if (a == NULL)
		return en->kind == ENVELOPE_DELIVER ? PLAN_LOCAL : PLAN_RELAY;
	return a->kind == CONF_RELAY ? PLAN_RELAY : PLAN_LOCAL;
}

/* The same for envelopes that go the same way: all that one action gives to its
 * smarthosts, whatever their domains; one domain of one that goes by MX; one
 * local recipient. Two actions are two ways to a domain: what one can reach
 * says nothing of the other. */
static uint32_t
key_of(const struct spooler *s, const struct entry *en)
{
	const struct conf_action *a = conf_action(s->conf, en->action);
	const char *to = entry_destination(en), *domain;
	uint64_t h;

	if (a == NULL || a->kind != CONF_RELAY)
		return (uint32_t)hmap_hash(to, strlen(to));
	h = hmap_hash(en->action, strlen(en->action));
	domain = strrchr(to, '@');
	if (a->relay.nurls == 0 && a->relay.via == NULL && domain != NULL)
		h ^= hmap_hash(domain, strlen(domain));
	return (uint32_t)h;
}

void
known_add(struct spooler *s, struct entry *en)
{
	struct plan_row *row = &s->known->rows[s->known->n];

	if (en->flags & (ENTRY_FAILED | ENTRY_REMOVED | ENTRY_INFLIGHT))
		return;
	if (conf_action(s->conf, en->action) == NULL)
		en->flags |= ENTRY_NO_ACTION;
	else
		en->flags &= (uint8_t)~ENTRY_NO_ACTION;
	row->evpid = en->evpid;
	row->kind = known_kind(s, en);
	row->key = key_of(s, en);
	row->due = en->next_try;
	row->held =
	    (en->flags & (ENTRY_HELD | ENTRY_BROKEN | ENTRY_NO_ACTION)) != 0;
	if (++s->known->n == PLAN_ROWS)
		known_flush(s);
}

void
known_flush(struct spooler *s)
{
	struct peer *scheduler = proc_peer(s->proc, ROLE_SCHEDULER);
	struct buf *b;
	unsigned i;

	if (s->known->n == 0)
		return;
	b = peer_begin(scheduler);
	for (i = 0; i < s->known->n; i++)
		plan_row_put(b, &s->known->rows[i]);
	peer_send(scheduler, PLAN_KNOWN);
	s->known->n = 0;
}

void
known_outcome(struct spooler *s, const struct plan_settled *m)
{
	struct peer *scheduler = proc_peer(s->proc, ROLE_SCHEDULER);

	known_flush(s); /* it hears of an envelope before its end */
	plan_settled_put(peer_begin(scheduler), m);
	peer_send(scheduler, PLAN_SETTLED);
}

void
known_settled(
    struct spooler *s, uint64_t evpid, enum plan_result result, int64_t due)
{
	const struct plan_settled m = {
		.evpid = evpid, .result = result, .due = due
	};

	known_outcome(s, &m);
}

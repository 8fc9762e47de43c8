#include "daemon/edge/plan.h"

void
plan_settled_put(struct buf *b, const struct plan_settled *m)
{
	pack_u64(b, m->evpid);
	pack_u8(b, (uint8_t)m->result);
	pack_i64(b, m->due);
	pack_bool(b, m->destination);
}

int
plan_settled_get(struct unpack *u, struct plan_settled *m)
{
	m->evpid = unpack_u64(u);
	m->result = unpack_enum(u, PLAN_RESULTS);
	m->due = unpack_i64(u);
	m->destination = unpack_bool(u);
	return unpack_done(u);
}

void
plan_ended_put(struct buf *b, const struct plan_ended *m)
{
	pack_u32(b, m->ticket);
	pack_u8(b, m->status);
	pack_u32(b, m->done);
	pack_u32(b, m->skipped);
	pack_str(b, m->text);
}

int
plan_ended_get(struct unpack *u, struct plan_ended *m)
{
	m->ticket = unpack_u32(u);
	m->status = unpack_u8(u);
	m->done = unpack_u32(u);
	m->skipped = unpack_u32(u);
	m->text = unpack_str(u);
	return unpack_done(u);
}

void
plan_pause_put(struct buf *b, const struct plan_pause *m)
{
	pack_u8(b, (uint8_t)m->kind);
	pack_bool(b, m->paused);
}

int
plan_pause_get(struct unpack *u, struct plan_pause *m)
{
	m->kind = unpack_enum(u, PLAN_KINDS);
	m->paused = unpack_bool(u);
	return unpack_done(u);
}

void
plan_row_put(struct buf *b, const struct plan_row *r)
{
	pack_u64(b, r->evpid);
	pack_u8(b, (uint8_t)r->kind);
	pack_u32(b, r->key);
	pack_i64(b, r->due);
	pack_bool(b, r->held);
}

int
plan_row_get(struct unpack *u, struct plan_row *r)
{
	r->evpid = unpack_u64(u);
	r->kind = unpack_enum(u, PLAN_KINDS);
	r->key = unpack_u32(u);
	r->due = unpack_i64(u);
	r->held = unpack_bool(u);
	return u->bad ? -1 : 0;
}

static void
put_ids(struct buf *b, const uint64_t *evpids, uint16_t n)
{
	uint16_t i;

	pack_u16(b, n);
	for (i = 0; i < n; i++)
		pack_u64(b, evpids[i]);
}

static uint16_t
get_ids(struct unpack *u, uint64_t *evpids, uint16_t max)
{
	uint16_t i, n = unpack_u16(u);

	if (n > max)
		u->bad = true;
	for (i = 0; i < n && !u->bad; i++)
		evpids[i] = unpack_u64(u);
	return u->bad ? 0 : n;
}

void
plan_due_put(struct buf *b, const struct plan_due *m)
{
	pack_u8(b, (uint8_t)m->kind);
	pack_u32(b, m->key);
	put_ids(b, m->evpids, m->n);
}

int
plan_due_get(struct unpack *u, struct plan_due *m)
{
	m->kind = unpack_enum(u, PLAN_KINDS);
	m->key = unpack_u32(u);
	m->n = get_ids(u, m->evpids, PLAN_BATCH);
	return unpack_done(u);
}

void
plan_verb_put(struct buf *b, const struct plan_verb *m)
{
	pack_u32(b, m->ticket);
	pack_u8(b, (uint8_t)m->verb);
	pack_bool(b, m->all);
	pack_u32(b, m->uid);
	pack_str(b, m->reason);
	put_ids(b, m->evpids, m->n);
}

int
plan_verb_get(struct unpack *u, struct plan_verb *m)
{
	m->ticket = unpack_u32(u);
	m->verb = unpack_enum(u, PLAN_VERBS);
	m->all = unpack_bool(u);
	m->uid = unpack_u32(u);
	m->reason = unpack_str(u);
	m->n = get_ids(u, m->evpids, PLAN_IDS);
	return unpack_done(u);
}

void
plan_hasten_put(struct buf *b)
{
	(void)b;
}

int
plan_hasten_get(struct unpack *u)
{
	return unpack_done(u);
}

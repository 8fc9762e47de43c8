#include "daemon/edge/carry.h"

void
carry_task_put(struct buf *b, const struct carry_task *m)
{
	pack_u64(b, m->msgid);
	pack_u64(b, m->size);
	pack_u16(b, m->n);
}

int
carry_task_get(struct unpack *u, struct carry_task *m)
{
	m->msgid = unpack_u64(u);
	m->size = unpack_u64(u);
	m->n = unpack_u16(u);
	if (m->n == 0 || m->n > CARRY_ENVELOPES)
		u->bad = true;
	return u->bad ? -1 : 0;
}

void
carry_text_put(struct buf *b, const void *text, size_t len)
{
	pack_bytes(b, text, len);
}

int
carry_text_get(struct unpack *u, const char **text, size_t *len)
{
	*text = (const char *)unpack_bytes(u, len);
	return u->bad ? -1 : 0;
}

void
carry_want_put(struct buf *b, const struct carry_want *m)
{
	pack_u32(b, m->stream);
	pack_u64(b, m->msgid);
	pack_u64(b, m->offset);
	pack_u32(b, m->max);
}

int
carry_want_get(struct unpack *u, struct carry_want *m)
{
	m->stream = unpack_u32(u);
	m->msgid = unpack_u64(u);
	m->offset = unpack_u64(u);
	m->max = unpack_u32(u);
	return unpack_done(u);
}

void
carry_body_put(struct buf *b, const struct carry_body *m)
{
	pack_u32(b, m->stream);
	pack_u8(b, (uint8_t)m->status);
	pack_bytes(b, m->data, m->len);
	pack_bool(b, m->last);
}

int
carry_body_get(struct unpack *u, struct carry_body *m)
{
	m->stream = unpack_u32(u);
	m->status = unpack_enum(u, CARRY_BODY_STATUSES);
	m->data = unpack_bytes(u, &m->len);
	m->last = unpack_bool(u);
	return unpack_done(u);
}

void
carry_outcome_put(struct buf *b, const struct carry_outcome *m)
{
	pack_u64(b, m->evpid);
	pack_u8(b, (uint8_t)m->result);
	pack_str(b, m->status);
	pack_str(b, m->remote);
	pack_u32(b, m->delay);
}

int
carry_outcome_get(struct unpack *u, struct carry_outcome *m)
{
	m->evpid = unpack_u64(u);
	m->result = unpack_enum(u, CARRY_RESULTS);
	m->status = unpack_str(u);
	m->remote = unpack_str(u);
	m->delay = unpack_u32(u);
	return unpack_done(u);
}

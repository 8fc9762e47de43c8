#include "daemon/edge/carry.h"

#include <string.h>

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
	pack_bool(b, m->destination);
	pack_bool(b, m->step);
}

int
carry_outcome_get(struct unpack *u, struct carry_outcome *m)
{
	m->evpid = unpack_u64(u);
	m->result = unpack_enum(u, CARRY_RESULTS);
	m->status = unpack_str(u);
	m->remote = unpack_str(u);
	m->delay = unpack_u32(u);
	m->destination = unpack_bool(u);
	m->step = unpack_bool(u);
	return unpack_done(u);
}

void
carry_steer_put(struct buf *b, const struct carry_steer *m)
{
	pack_u32(b, m->ticket);
	pack_bool(b, m->pause);
	pack_u8(b, (uint8_t)m->part);
	pack_str(b, m->name);
	pack_i64(b, m->until);
	pack_u32(b, m->uid);
	pack_str(b, m->reason);
}

int
carry_steer_get(struct unpack *u, struct carry_steer *m)
{
	m->ticket = unpack_u32(u);
	m->pause = unpack_bool(u);
	m->part = unpack_enum(u, CARRY_PARTS);
	m->name = unpack_str(u);
	m->until = unpack_i64(u);
	m->uid = unpack_u32(u);
	m->reason = unpack_str(u);
	if (unpack_done(u) == -1)
		return -1;
	return strlen(m->name) > CARRY_NAME_MAX ||
		strlen(m->reason) > CARRY_REASON_MAX
	    ? -1
	    : 0;
}

void
carry_steered_put(struct buf *b, const struct carry_steered *m)
{
	pack_u32(b, m->ticket);
	pack_bool(b, m->done);
	pack_str(b, m->text);
}

int
carry_steered_get(struct unpack *u, struct carry_steered *m)
{
	m->ticket = unpack_u32(u);
	m->done = unpack_bool(u);
	m->text = unpack_str(u);
	return unpack_done(u);
}

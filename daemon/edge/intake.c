#include "daemon/edge/intake.h"

void
intake_open_put(struct buf *b, const struct intake_open *m)
{
	pack_u32(b, m->ticket);
}

int
intake_open_get(struct unpack *u, struct intake_open *m)
{
	m->ticket = unpack_u32(u);
	return unpack_done(u);
}

void
intake_opened_put(struct buf *b, const struct intake_opened *m)
{
	pack_u32(b, m->ticket);
	pack_u8(b, (uint8_t)m->status);
	pack_u64(b, m->msgid);
}

int
intake_opened_get(struct unpack *u, struct intake_opened *m)
{
	m->ticket = unpack_u32(u);
	m->status = unpack_enum(u, INTAKE_STATUSES);
	m->msgid = unpack_u64(u);
	return unpack_done(u);
}

void
intake_envelope_put(struct buf *b, const struct intake_envelope *m)
{
	pack_u64(b, m->msgid);
	pack_bytes(b, m->text, m->len);
}

int
intake_envelope_get(struct unpack *u, struct intake_envelope *m)
{
	m->msgid = unpack_u64(u);
	m->text = unpack_bytes(u, &m->len);
	return unpack_done(u);
}

void
intake_body_put(struct buf *b, const struct intake_body *m)
{
	pack_u64(b, m->msgid);
	pack_bytes(b, m->data, m->len);
}

int
intake_body_get(struct unpack *u, struct intake_body *m)
{
	m->msgid = unpack_u64(u);
	m->data = unpack_bytes(u, &m->len);
	return unpack_done(u);
}

void
intake_commit_put(struct buf *b, const struct intake_commit *m)
{
	pack_u32(b, m->ticket);
	pack_u64(b, m->msgid);
	pack_u64(b, m->size);
	pack_u16(b, m->envelopes);
}

int
intake_commit_get(struct unpack *u, struct intake_commit *m)
{
	m->ticket = unpack_u32(u);
	m->msgid = unpack_u64(u);
	m->size = unpack_u64(u);
	m->envelopes = unpack_u16(u);
	return unpack_done(u);
}

void
intake_abort_put(struct buf *b, const struct intake_abort *m)
{
	pack_u64(b, m->msgid);
}

int
intake_abort_get(struct unpack *u, struct intake_abort *m)
{
	m->msgid = unpack_u64(u);
	return unpack_done(u);
}

void
intake_done_put(struct buf *b, const struct intake_done *m)
{
	pack_u32(b, m->ticket);
	pack_u8(b, (uint8_t)m->status);
}

int
intake_done_get(struct unpack *u, struct intake_done *m)
{
	m->ticket = unpack_u32(u);
	m->status = unpack_enum(u, INTAKE_STATUSES);
	return unpack_done(u);
}

void
intake_credit_put(struct buf *b, const struct intake_credit *m)
{
	pack_u32(b, m->octets);
}

int
intake_credit_get(struct unpack *u, struct intake_credit *m)
{
	m->octets = unpack_u32(u);
	return unpack_done(u);
}

void
intake_pause_put(struct buf *b, const struct intake_pause *m)
{
	pack_bool(b, m->paused);
}

int
intake_pause_get(struct unpack *u, struct intake_pause *m)
{
	m->paused = unpack_bool(u);
	return unpack_done(u);
}

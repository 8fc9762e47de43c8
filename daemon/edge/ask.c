#include "daemon/edge/ask.h"

void
ask_rcpt_put(struct buf *b, const struct ask_rcpt *m)
{
	pack_u32(b, m->ticket);
	pack_str(b, m->client);
	pack_str(b, m->sender);
	pack_str(b, m->recipient);
}

int
ask_rcpt_get(struct unpack *u, struct ask_rcpt *m)
{
	m->ticket = unpack_u32(u);
	m->client = unpack_str(u);
	m->sender = unpack_str(u);
	m->recipient = unpack_str(u);
	return unpack_done(u);
}

void
ask_answer_put(struct buf *b, const struct ask_answer *m)
{
	pack_u32(b, m->ticket);
	pack_u8(b, (uint8_t)m->verdict);
	pack_str(b, m->reply);
	pack_u16(b, m->n);
}

int
ask_answer_get(struct unpack *u, struct ask_answer *m)
{
	m->ticket = unpack_u32(u);
	m->verdict = unpack_enum(u, ASK_VERDICTS);
	m->reply = unpack_str(u);
	m->n = unpack_u16(u);
	if (m->n > ASK_TARGETS)
		u->bad = true;
	return u->bad ? -1 : 0;
}

void
ask_target_put(struct buf *b, const struct ask_target *t)
{
	pack_u8(b, (uint8_t)t->kind);
	pack_str(b, t->action);
	pack_str(b, t->destination);
	pack_u32(b, t->ttl);
}

int
ask_target_get(struct unpack *u, struct ask_target *t)
{
	t->kind = unpack_enum(u, ENVELOPE_BOUNCE);
	t->action = unpack_str(u);
	t->destination = unpack_str(u);
	t->ttl = unpack_u32(u);
	return u->bad ? -1 : 0;
}

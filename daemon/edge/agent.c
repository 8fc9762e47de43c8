#include "daemon/edge/agent.h"

void
agent_run_put(struct buf *b, const struct agent_run *m)
{
	pack_u32(b, m->ticket);
	pack_u8(b, (uint8_t)m->kind);
	pack_str(b, m->user);
	pack_str(b, m->path);
	pack_str(b, m->sender);
	pack_str(b, m->recipient);
	pack_u64(b, m->size);
}

int
agent_run_get(struct unpack *u, struct agent_run *m)
{
	m->ticket = unpack_u32(u);
	m->kind = unpack_enum(u, AGENT_KINDS);
	m->user = unpack_str(u);
	m->path = unpack_str(u);
	m->sender = unpack_str(u);
	m->recipient = unpack_str(u);
	m->size = unpack_u64(u);
	return unpack_done(u);
}

void
agent_started_put(struct buf *b, const struct agent_started *m)
{
	pack_u32(b, m->ticket);
	pack_str(b, m->error);
}

int
agent_started_get(struct unpack *u, struct agent_started *m)
{
	m->ticket = unpack_u32(u);
	m->error = unpack_str(u);
	return unpack_done(u);
}

void
agent_exit_put(struct buf *b, const struct agent_exit *m)
{
	pack_u32(b, m->ticket);
	pack_i64(b, m->status);
}

int
agent_exit_get(struct unpack *u, struct agent_exit *m)
{
	m->ticket = unpack_u32(u);
	m->status = unpack_i64(u);
	return unpack_done(u);
}

void
agent_kill_put(struct buf *b, const struct agent_kill *m)
{
	pack_u32(b, m->ticket);
}

int
agent_kill_get(struct unpack *u, struct agent_kill *m)
{
	m->ticket = unpack_u32(u);
	return unpack_done(u);
}

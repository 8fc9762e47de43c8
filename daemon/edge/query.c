#include "daemon/edge/query.h"

#include "lib/base/log.h"

void
query_ask_put(struct buf *b, const struct query_ask *m)
{
	pack_u32(b, m->ticket);
	pack_u8(b, (uint8_t)m->what);
	pack_u32(b, m->uid);
	pack_str(b, m->reason);
	pack_u16(b, m->n);
}

int
query_ask_get(struct unpack *u, struct query_ask *m)
{
	m->ticket = unpack_u32(u);
	m->what = unpack_enum(u, QUERY_WHATS);
	m->uid = unpack_u32(u);
	m->reason = unpack_str(u);
	m->n = unpack_u16(u);
	return u->bad ? -1 : 0; /* the arguments follow */
}

void
query_cancel_put(struct buf *b, const struct query_cancel *m)
{
	pack_u32(b, m->ticket);
}

int
query_cancel_get(struct unpack *u, struct query_cancel *m)
{
	m->ticket = unpack_u32(u);
	return unpack_done(u);
}

void
query_more_put(struct buf *b, const struct query_more *m)
{
	pack_u32(b, m->ticket);
}

int
query_more_get(struct unpack *u, struct query_more *m)
{
	m->ticket = unpack_u32(u);
	return unpack_done(u);
}

void
query_row_put(struct buf *b, const struct query_row *m)
{
	pack_u32(b, m->ticket);
	pack_bytes(b, m->record, m->len);
}

int
query_row_get(struct unpack *u, struct query_row *m)
{
	m->ticket = unpack_u32(u);
	m->record = unpack_bytes(u, &m->len);
	return unpack_done(u);
}

void
query_end_put(struct buf *b, const struct query_end *m)
{
	pack_u32(b, m->ticket);
	pack_u8(b, m->status);
	pack_u32(b, m->done);
	pack_u32(b, m->skipped);
	pack_str(b, m->text);
}

int
query_end_get(struct unpack *u, struct query_end *m)
{
	m->ticket = unpack_u32(u);
	m->status = unpack_u8(u);
	m->done = unpack_u32(u);
	m->skipped = unpack_u32(u);
	m->text = unpack_str(u);
	return unpack_done(u);
}

void
query_trace_put(struct buf *b, const struct query_trace *m)
{
	pack_u32(b, m->mask);
}

int
query_trace_get(struct unpack *u, struct query_trace *m)
{
	m->mask = unpack_u32(u);
	return unpack_done(u);
}

void
query_line_put(struct buf *b, const struct query_line *m)
{
	pack_u8(b, (uint8_t)m->sub);
	pack_str(b, m->line);
}

int
query_line_get(struct unpack *u, struct query_line *m)
{
	m->sub = unpack_enum(u, TRACE_SUBS);
	m->line = unpack_str(u);
	return unpack_done(u);
}

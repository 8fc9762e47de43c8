#include "lib/proto/ctl.h"

#include "lib/base/log.h"

void
ctl_hello_put(struct buf *b, const struct ctl_hello *m)
{
	pack_u32(b, m->version);
	pack_str(b, m->program);
	pack_str(b, m->host);
}

/* The fields after the version may grow: who speaks another version is
 * answered, not cut off. */
int
ctl_hello_get(struct unpack *u, struct ctl_hello *m)
{
	m->version = unpack_u32(u);
	m->program = m->host = "";
	if (u->bad)
		return -1;
	if (m->version != CTL_VERSION)
		return 0;
	m->program = unpack_str(u);
	m->host = unpack_str(u);
	return unpack_done(u);
}

void
ctl_request_put(struct buf *b, const struct ctl_request *m)
{
	pack_str(b, m->command);
	pack_str(b, m->reason);
	pack_u32(b, m->flags);
	pack_u16(b, m->n);
}

int
ctl_request_get(struct unpack *u, struct ctl_request *m)
{
	m->command = unpack_str(u);
	m->reason = unpack_str(u);
	m->flags = unpack_u32(u);
	m->n = unpack_u16(u);
	if ((m->flags & ~CTL_FLAGS) != 0 || m->n > CTL_ARGS_MAX)
		u->bad = true;
	return u->bad ? -1 : 0; /* the arguments follow */
}

void
ctl_row_put(struct buf *b, const struct ctl_row *m)
{
	pack_bytes(b, m->record, m->len);
}

int
ctl_row_get(struct unpack *u, struct ctl_row *m)
{
	m->record = unpack_bytes(u, &m->len);
	return unpack_done(u);
}

void
ctl_line_put(struct buf *b, const struct ctl_line *m)
{
	pack_u8(b, m->sub);
	pack_u64(b, m->when);
	pack_str(b, m->text);
}

int
ctl_line_get(struct unpack *u, struct ctl_line *m)
{
	m->sub = unpack_enum(u, TRACE_SUBS);
	m->when = unpack_u64(u);
	m->text = unpack_str(u);
	return unpack_done(u);
}

void
ctl_lost_put(struct buf *b, const struct ctl_lost *m)
{
	pack_u64(b, m->lines);
}

int
ctl_lost_get(struct unpack *u, struct ctl_lost *m)
{
	m->lines = unpack_u64(u);
	return unpack_done(u);
}

void
ctl_end_put(struct buf *b, const struct ctl_end *m)
{
	pack_u8(b, m->status);
	pack_u32(b, m->done);
	pack_u32(b, m->skipped);
	pack_str(b, m->text);
}

int
ctl_end_get(struct unpack *u, struct ctl_end *m)
{
	m->status = unpack_u8(u);
	m->done = unpack_u32(u);
	m->skipped = unpack_u32(u);
	m->text = unpack_str(u);
	return unpack_done(u);
}

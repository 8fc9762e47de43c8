#include "daemon/edge/dial.h"

void
dial_open_put(struct buf *b, const struct dial_open *m)
{
	pack_u32(b, m->ticket);
	pack_str(b, m->path);
}

int
dial_open_get(struct unpack *u, struct dial_open *m)
{
	m->ticket = unpack_u32(u);
	m->path = unpack_str(u);
	return unpack_done(u);
}

void
dial_opened_put(struct buf *b, const struct dial_opened *m)
{
	pack_u32(b, m->ticket);
	pack_u32(b, m->error);
}

int
dial_opened_get(struct unpack *u, struct dial_opened *m)
{
	m->ticket = unpack_u32(u);
	m->error = unpack_u32(u);
	return unpack_done(u);
}

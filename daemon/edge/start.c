#include "daemon/edge/start.h"

#include "daemon/conf/role.h"

void
start_conf_put(struct buf *b, const struct start_conf *m)
{
	pack_bytes(b, m->text, m->len);
	pack_bool(b, m->last);
}

int
start_conf_get(struct unpack *u, struct start_conf *m)
{
	m->text = unpack_bytes(u, &m->len);
	m->last = unpack_bool(u);
	return unpack_done(u);
}

void
start_peer_put(struct buf *b, const struct start_peer *m)
{
	pack_u8(b, m->role);
}

int
start_peer_get(struct unpack *u, struct start_peer *m)
{
	m->role = unpack_enum(u, ROLES);
	return unpack_done(u);
}

void
start_socket_put(struct buf *b, const struct start_socket *m)
{
	pack_u32(b, m->index);
}

int
start_socket_get(struct unpack *u, struct start_socket *m)
{
	m->index = unpack_u32(u);
	return unpack_done(u);
}

void
start_secret_put(struct buf *b, const struct start_secret *m)
{
	pack_u8(b, m->which);
}

int
start_secret_get(struct unpack *u, struct start_secret *m)
{
	m->which = unpack_enum(u, START_SECRETS);
	return unpack_done(u);
}

void
start_log_put(struct buf *b, const struct start_log *m)
{
	pack_bool(b, m->verbose);
}

int
start_log_get(struct unpack *u, struct start_log *m)
{
	m->verbose = unpack_bool(u);
	return unpack_done(u);
}

#include "daemon/edge/name.h"

#include <string.h>

#include "lib/proto/frame.h"

#define ROOM_FOR_HEAD 1024 /* of an answer, before its hosts */

void
name_ask_put(struct buf *b, const struct name_ask *m)
{
	pack_u32(b, m->ticket);
	pack_u8(b, (uint8_t)m->kind);
	pack_u16(b, m->port);
	pack_str(b, m->name);
}

int
name_ask_get(struct unpack *u, struct name_ask *m)
{
	m->ticket = unpack_u32(u);
	m->kind = unpack_enum(u, NAME_KINDS);
	m->port = unpack_u16(u);
	m->name = unpack_str(u);
	return unpack_done(u);
}

void
name_answer_put(struct buf *b, const struct name_answer *m)
{
	pack_u32(b, m->ticket);
	pack_u8(b, (uint8_t)m->status);
	pack_bool(b, m->secure);
	pack_str(b, m->text);
	pack_u16(b, m->n);
}

int
name_answer_get(struct unpack *u, struct name_answer *m)
{
	m->ticket = unpack_u32(u);
	m->status = unpack_enum(u, NAME_STATUSES);
	m->secure = unpack_bool(u);
	m->text = unpack_str(u);
	m->n = unpack_u16(u);
	if (m->n > NAME_HOSTS)
		u->bad = true;
	return u->bad ? -1 : 0;
}

static size_t
octets_of(uint8_t family)
{
	return family == 4 ? 4 : 16;
}

void
name_host_put(struct buf *b, const struct name_host *h)
{
	uint8_t i;

	pack_u16(b, h->preference);
	pack_str(b, h->name);
	pack_u8(b, h->n);
	for (i = 0; i < h->n; i++)
		pack_bytes(b, h->addresses[i].octets,
		    octets_of(h->addresses[i].family));
	pack_bool(b, h->secure);
	pack_u8(b, (uint8_t)h->tlsa);
	pack_str(b, h->base);
	pack_str(b, h->text);
	pack_u8(b, h->nrecords);
	for (i = 0; i < h->nrecords; i++) {
		pack_u8(b, h->records[i].usage);
		pack_u8(b, h->records[i].selector);
		pack_u8(b, h->records[i].matching);
		pack_bytes(b, h->records[i].data, h->records[i].len);
	}
}

uint16_t
name_hosts_fit(const struct name_host *hosts, uint16_t n)
{
	struct buf *scratch = buf_new(FRAME_MAX);
	size_t room = FRAME_MAX - ROOM_FOR_HEAD;
	uint16_t i;

	for (i = 0; i < n; i++) {
		buf_reset(scratch);
		name_host_put(scratch, &hosts[i]);
		if (buf_len(scratch) > room)
			break;
		room -= buf_len(scratch);
	}
	buf_free(scratch);
	return i;
}

static void
get_record(struct unpack *u, struct name_record *r)
{
	r->usage = unpack_u8(u);
	r->selector = unpack_u8(u);
	r->matching = unpack_u8(u);
	r->data = unpack_bytes(u, &r->len);
	if (r->len > NAME_RECORD_MAX)
		u->bad = true;
}

int
name_host_get(struct unpack *u, struct name_host *h)
{
	const uint8_t *octets;
	size_t len;
	uint8_t i;

	memset(h, 0, sizeof(*h));
	h->preference = unpack_u16(u);
	h->name = unpack_str(u);
	h->n = unpack_enum(u, NAME_ADDRESSES + 1);
	for (i = 0; i < h->n; i++) {
		octets = unpack_bytes(u, &len);
		if (u->bad || (len != 4 && len != 16)) {
			u->bad = true;
			return -1;
		}
		h->addresses[i].family = len == 4 ? 4 : 6;
		memcpy(h->addresses[i].octets, octets, len);
	}
	h->secure = unpack_bool(u);
	h->tlsa = unpack_enum(u, NAME_TLSAS);
	h->base = unpack_str(u);
	h->text = unpack_str(u);
	h->nrecords = unpack_enum(u, NAME_RECORDS + 1);
	for (i = 0; i < h->nrecords; i++)
		get_record(u, &h->records[i]);
	return u->bad ? -1 : 0;
}

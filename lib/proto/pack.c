#include "lib/proto/pack.h"

#include <string.h>

#include "lib/base/log.h"

enum tag {
	BOOL = 'b',
	U8 = 'c',
	U16 = 'h',
	U32 = 'w',
	U64 = 'q',
	I64 = 'i',
	STR = 's',
	BYTES = 'x'
};

static uint8_t *
room(struct buf *b, enum tag tag, size_t len)
{
	uint8_t *p = buf_room(b, len + 1);

	if (p == NULL)
		fatal("a message to another role is too long: %zu bytes",
		    buf_len(b) + len);
	p[0] = (uint8_t)tag;
	return p + 1;
}

static void
number(struct buf *b, enum tag tag, uint64_t v, size_t len)
{
	uint8_t *p = room(b, tag, len);

	while (len-- > 0) {
		p[len] = (uint8_t)v;
		v >>= 8;
	}
}

void
pack_bool(struct buf *b, bool v)
{
	number(b, BOOL, v, 1);
}

void
pack_u8(struct buf *b, uint8_t v)
{
	number(b, U8, v, 1);
}

void
pack_u16(struct buf *b, uint16_t v)
{
	number(b, U16, v, 2);
}

void
pack_u32(struct buf *b, uint32_t v)
{
	number(b, U32, v, 4);
}

void
pack_u64(struct buf *b, uint64_t v)
{
	number(b, U64, v, 8);
}

void
pack_i64(struct buf *b, int64_t v)
{
	number(b, I64, (uint64_t)v, 8);
}

static void
counted(struct buf *b, enum tag tag, const void *data, size_t len)
{
	uint8_t *p = room(b, tag, 4 + len);

	p[0] = (uint8_t)(len >> 24);
	p[1] = (uint8_t)(len >> 16);
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	if (len > 0)
		memcpy(p + 4, data, len);
}

void
pack_str(struct buf *b, const char *s)
{
	if (s == NULL)
		s = "";
	counted(b, STR, s, strlen(s) + 1);
}

void
pack_bytes(struct buf *b, const void *data, size_t len)
{
	counted(b, BYTES, data, len);
}

void
unpack_init(struct unpack *u, const void *data, size_t len)
{
	u->at = data;
	u->left = len;
	u->bad = false;
}

static const uint8_t *
take(struct unpack *u, size_t len)
{
	const uint8_t *p = u->at;

	if (u->bad || u->left < len) {
		u->bad = true;
		return NULL;
	}
	u->at += len;
	u->left -= len;
	return p;
}

static uint64_t
get(struct unpack *u, enum tag tag, size_t len)
{
	const uint8_t *p = take(u, len + 1);
	uint64_t v = 0;
	size_t i;

	if (p == NULL)
		return 0;
	if (p[0] != tag) {
		u->bad = true;
		return 0;
	}
	for (i = 1; i <= len; i++)
		v = v << 8 | p[i];
	return v;
}

bool
unpack_bool(struct unpack *u)
{
	uint64_t v = get(u, BOOL, 1);

	if (v > 1)
		u->bad = true;
	return v == 1;
}

uint8_t
unpack_u8(struct unpack *u)
{
	return (uint8_t)get(u, U8, 1);
}

uint16_t
unpack_u16(struct unpack *u)
{
	return (uint16_t)get(u, U16, 2);
}

uint32_t
unpack_u32(struct unpack *u)
{
	return (uint32_t)get(u, U32, 4);
}

uint64_t
unpack_u64(struct unpack *u)
{
	return get(u, U64, 8);
}

int64_t
unpack_i64(struct unpack *u)
{
	return (int64_t)get(u, I64, 8);
}

static const uint8_t *
uncounted(struct unpack *u, enum tag tag, size_t *len)
{
	*len = (size_t)get(u, tag, 4);
	if (u->bad)
		*len = 0;
	return take(u, *len);
}

const char *
unpack_str(struct unpack *u)
{
	size_t len;
	const uint8_t *p = uncounted(u, STR, &len);

	if (p == NULL || len == 0 || memchr(p, '\0', len) != p + len - 1) {
		u->bad = true;
		return "";
	}
	return (const char *)p;
}

const uint8_t *
unpack_bytes(struct unpack *u, size_t *len)
{
	const uint8_t *p = uncounted(u, BYTES, len);

	if (p == NULL)
		*len = 0;
	return p;
}

uint8_t
unpack_enum(struct unpack *u, unsigned limit)
{
	uint8_t v = unpack_u8(u);

	if (v >= limit) {
		u->bad = true;
		return 0;
	}
	return v;
}

bool
unpack_more(const struct unpack *u)
{
	return !u->bad && u->left > 0;
}

int
unpack_done(const struct unpack *u)
{
	return u->bad || u->left > 0 ? -1 : 0;
}

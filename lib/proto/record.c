#include "lib/proto/record.h"

#include <string.h>

void
record_begin(struct buf *b, const char *type)
{
	pack_str(b, type);
}

static void
name_and_kind(struct buf *b, const char *name, enum record_kind kind)
{
	pack_str(b, name);
	pack_u8(b, (uint8_t)kind);
}

void
record_str(struct buf *b, const char *name, const char *value)
{
	name_and_kind(b, name, RECORD_STR);
	pack_str(b, value);
}

void
record_u64(struct buf *b, const char *name, uint64_t value)
{
	name_and_kind(b, name, RECORD_U64);
	pack_u64(b, value);
}

void
record_i64(struct buf *b, const char *name, int64_t value)
{
	name_and_kind(b, name, RECORD_I64);
	pack_i64(b, value);
}

void
record_bool(struct buf *b, const char *name, bool value)
{
	name_and_kind(b, name, RECORD_BOOL);
	pack_bool(b, value);
}

const char *
record_type(struct unpack *u)
{
	return unpack_str(u);
}

bool
record_next(struct unpack *u, struct record_field *f)
{
	if (!unpack_more(u))
		return false;
	memset(f, 0, sizeof(*f));
	f->name = unpack_str(u);
	f->kind = unpack_enum(u, RECORD_BOOL + 1);
	if (f->kind == RECORD_STR)
		f->str = unpack_str(u);
	else if (f->kind == RECORD_U64)
		f->u64 = unpack_u64(u);
	else if (f->kind == RECORD_I64)
		f->i64 = unpack_i64(u);
	else
		f->flag = unpack_bool(u);
	return !u->bad;
}

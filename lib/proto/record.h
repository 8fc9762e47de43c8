/*
 * record - one row of an answer: a type name and named, typed fields
 *
 * Written by the role that owns the facts, carried as is by control, shown by
 * the tool as a table row or a JSON object. The bytes are fields of pack: the
 * type, then name and value in turn.
 */
#ifndef LIB_PROTO_RECORD_H
#define LIB_PROTO_RECORD_H

#include "lib/proto/pack.h"

void record_begin(struct buf *b, const char *type);
void record_str(struct buf *b, const char *name, const char *value);
void record_u64(struct buf *b, const char *name, uint64_t value);
void record_i64(struct buf *b, const char *name, int64_t value);
void record_bool(struct buf *b, const char *name, bool value);

enum record_kind {
	RECORD_STR,
	RECORD_U64,
	RECORD_I64,
	RECORD_BOOL
};

struct record_field {
	const char *name;
	enum record_kind kind;
	const char *str;
	uint64_t u64;
	int64_t i64;
	bool flag;
};

/* The type, then field after field until NULL / false. A bad record ends
 * early with u->bad set. */
const char *record_type(struct unpack *u);
bool record_next(struct unpack *u, struct record_field *f);

#endif

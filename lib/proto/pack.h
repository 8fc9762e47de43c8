/*
 * pack - typed fields of a message
 *
 * Each field is a tag octet and a value; numbers are in network order, strings
 * carry a length and a NUL. A get of another type than was put, past the end
 * or out of range fails, and everything after it fails too, so that a decoder
 * is a row of gets and one unpack_done().
 */
#ifndef LIB_PROTO_PACK_H
#define LIB_PROTO_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

/* The buffer's maximum is our own promise: passing it is fatal. */
void pack_bool(struct buf *b, bool v);
void pack_u8(struct buf *b, uint8_t v);
void pack_u16(struct buf *b, uint16_t v);
void pack_u32(struct buf *b, uint32_t v);
void pack_u64(struct buf *b, uint64_t v);
void pack_i64(struct buf *b, int64_t v);
void pack_str(struct buf *b, const char *s); /* NULL is put as "" */
void pack_bytes(struct buf *b, const void *data, size_t len);

/* Reads a message where it lies: what it yields points into the message. */
struct unpack {
	const uint8_t *at;
	size_t left;
	bool bad;
};

void unpack_init(struct unpack *u, const void *data, size_t len);
bool unpack_bool(struct unpack *u);
uint8_t unpack_u8(struct unpack *u);
uint16_t unpack_u16(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
int64_t unpack_i64(struct unpack *u);
/* NUL-terminated and without any other NUL; "" after a failure. */
const char *unpack_str(struct unpack *u);
const uint8_t *unpack_bytes(struct unpack *u, size_t *len);
/* An unsigned octet that must be below limit: for enums. */
uint8_t unpack_enum(struct unpack *u, unsigned limit);
bool unpack_more(const struct unpack *u); /* fields are left, and none bad */
/* 0 when all went well and nothing is left over, else -1. */
int unpack_done(const struct unpack *u);

#endif

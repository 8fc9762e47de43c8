/*
 * message - the head of a message file
 *
 * A message file is a head and a stream: the record (every envelope of the
 * transaction in its first form), an empty line, the body. The stream goes
 * through a codec (codec.h). The head's first line carries its own checksum.
 * In the clear a digest follows, of the body, then the record, in that order,
 * so that a large body is hashed as it arrives. Sealed, two slots for wrapped
 * keys follow, each with a checksum: so damage is told from a wrong key, and a
 * slot that was half written from a whole one.
 */
#ifndef QUEUE_MESSAGE_H
#define QUEUE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "queue/seal.h"

#define MESSAGE_LINE 137 /* octets of the first line */
#define MESSAGE_HEAD 210 /* octets in the clear, the empty line included */
#define MESSAGE_SLOTS 2
#define MESSAGE_SLOT (SEAL_SLOT + 9u) /* a slot's line without its LF */
#define MESSAGE_SLOT_AT(i) (MESSAGE_LINE + (i) * (MESSAGE_SLOT + 1))
#define MESSAGE_HEAD_SEALED (MESSAGE_SLOT_AT(MESSAGE_SLOTS) + 1)
#define MESSAGE_HEAD_MAX MESSAGE_HEAD_SEALED
#define MESSAGE_DIGEST 32
#define MESSAGE_BODY_MAX UINT64_C(9999999999)

/* What was done to the stream, as bits. */
#define MESSAGE_PLAIN 0u
#define MESSAGE_ZSTD 1u
#define MESSAGE_SEALED 2u

struct message {
	uint64_t msgid;
	int64_t arrived;
	uint64_t record; /* octets */
	uint64_t size; /* octets of the body */
	uint8_t digest[MESSAGE_DIGEST]; /* when it is not sealed */
	unsigned codec;
};

const char *message_codec(unsigned codec); /* its name in the head */

/* Fills the head and a NUL; the slots of a sealed one are empty. */
void message_print(const struct message *m, char head[MESSAGE_HEAD_MAX + 1]);
/* Writes a digest that was computed later into a printed head. */
void message_put_digest(char *head, const uint8_t digest[MESSAGE_DIGEST]);
/* NULL, or why it is no head. len octets are there. */
const char *message_parse(struct message *m, const char *head, size_t len);

/* The line of a slot, as it stands at MESSAGE_SLOT_AT(i) of a sealed head. */
void message_slot_print(
    const char slot[SEAL_SLOT + 1], char line[MESSAGE_SLOT + 1]);
/* False: its checksum does not fit. */
bool message_slot_parse(const char *line, char slot[SEAL_SLOT + 1]);

/* Octets of the head, of the clear stream, and of the whole file; the last is
 * 0 where only the stream itself can tell (zstd). */
size_t message_head(const struct message *m);
uint64_t message_clear(const struct message *m);
uint64_t message_stored(const struct message *m);

/* The digest, piece by piece: the body's octets, then the record's. */
struct message_hash;
struct message_hash *message_hash_new(void);
void message_hash_add(struct message_hash *h, const void *data, size_t len);
void message_hash_end(struct message_hash *h, uint8_t digest[MESSAGE_DIGEST]);
void message_hash_free(struct message_hash *h); /* NULL is accepted */

#endif

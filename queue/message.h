/*
 * message - the head of a message file, and the stream behind it
 *
 * A message file is a head of fixed length and a stream: the record (every
 * envelope of the transaction in its first form), an empty line, the body.
 * The stream goes through a codec; plain is the identity. The head's first
 * line carries its own checksum; the digest covers the body, then the record,
 * in that order, so that a large body is hashed as it arrives.
 */
#ifndef QUEUE_MESSAGE_H
#define QUEUE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MESSAGE_HEAD 210 /* octets, the empty line included */
#define MESSAGE_DIGEST 32
#define MESSAGE_BODY_MAX UINT64_C(9999999999)

struct message {
	uint64_t msgid;
	int64_t arrived;
	uint64_t record; /* octets */
	uint64_t size; /* octets of the body */
	uint8_t digest[MESSAGE_DIGEST];
};

/* Fills MESSAGE_HEAD octets and a NUL. */
void message_print(const struct message *m, char head[MESSAGE_HEAD + 1]);
/* Writes a digest that was computed later into a printed head. */
void message_put_digest(
    char head[MESSAGE_HEAD + 1], const uint8_t digest[MESSAGE_DIGEST]);
/* NULL, or why it is no head. len octets are there. */
const char *message_parse(struct message *m, const char *head, size_t len);

/* Where the body begins, and where the file ends. */
uint64_t message_body_at(const struct message *m);
uint64_t message_end(const struct message *m);

/* The digest, piece by piece: the body's octets, then the record's. */
struct message_hash;
struct message_hash *message_hash_new(void);
void message_hash_add(struct message_hash *h, const void *data, size_t len);
void message_hash_end(struct message_hash *h, uint8_t digest[MESSAGE_DIGEST]);
void message_hash_free(struct message_hash *h); /* NULL is accepted */

/*
 * Reads a stream that begins at base in fd (a message file, or the journal).
 * Both return the octets read, -1 with errno; EBADMSG when it ends early.
 */
ssize_t message_read_body(int fd, uint64_t base, const struct message *m,
    uint64_t offset, void *data, size_t len);
ssize_t message_read_record(
    int fd, uint64_t base, const struct message *m, void *data, size_t len);
/* 1 when the digest fits, 0 when not, -1 with errno. */
int message_verify(int fd, uint64_t base, const struct message *m);

#endif

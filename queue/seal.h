/*
 * seal - AES-256-GCM as the spool uses it (spool.5, SEALED FORM)
 *
 * A message has a random data key. Its stream is sealed in segments of 64 KiB
 * of clear octets, nonce = segment number and last-segment flag (STREAM), so
 * that truncation and reordering fail. The data key is wrapped by a master key:
 * HKDF-SHA256 with a random salt, then AES-256-GCM. The associated data of a
 * segment is the message id and the codec, that of a wrapped key the message id
 * and the kid: a key is changed by rewriting one slot and nothing else. An
 * envelope's text is sealed alone, by a fresh key from HKDF for every write.
 * Beside each salt stands the master key's fingerprint, so that a ring which
 * gives a kid to another key is told apart from damage. Pure: no files.
 */
#ifndef QUEUE_SEAL_H
#define QUEUE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "queue/keyring.h"

#define SEAL_SEGMENT 65536u /* clear octets of every segment but the last */
#define SEAL_TAG 16u
#define SEAL_DATA_KEY 32u
#define SEAL_SLOT 110u /* "key=" kid " " salt " " wrapped, fixed, no LF */

enum seal_result {
	SEAL_OK,
	SEAL_EMPTY, /* a slot that holds nothing */
	SEAL_NO_KEY, /* sealed by a key that the ring does not have, or has
		      * another of that name */
	SEAL_DAMAGED /* the tag does not fit, or the form is odd */
};

/* Fills with random octets; -1 when there is none to be had. */
int seal_data_key(uint8_t key[SEAL_DATA_KEY]);
void seal_wipe(void *secret, size_t len);

/* One slot, SEAL_SLOT characters and a NUL. -1: libcrypto failed. */
int seal_wrap(const struct key *master, uint64_t msgid,
    const uint8_t data_key[SEAL_DATA_KEY], char slot[SEAL_SLOT + 1]);
void seal_slot_empty(char slot[SEAL_SLOT + 1]);
/* kid gets the slot's kid also when the ring does not have it. */
enum seal_result seal_unwrap(const struct keyring *r, uint64_t msgid,
    const char *slot, uint8_t data_key[SEAL_DATA_KEY],
    char kid[KEYRING_KID + 1]);

/* The segments of one message. Not shared by threads. A data key seals one
 * stream, once: the same place sealed twice with other octets gives both
 * away. */
struct seal_stream;
struct seal_stream *seal_stream_new(
    const uint8_t data_key[SEAL_DATA_KEY], uint64_t msgid, const char *codec);
void seal_stream_free(struct seal_stream *s); /* NULL is accepted; wipes */
/*
 * What only the last segment vouches for: the lengths in the message's head.
 * To be set before the last one is sealed or opened.
 */
void seal_stream_lengths(struct seal_stream *s, uint64_t record, uint64_t size);
/* out has room for len + SEAL_TAG and may be clear. -1: libcrypto failed. */
int seal_segment(struct seal_stream *s, uint64_t n, bool last,
    const void *clear, size_t len, void *out);
/* len counts the tag; clear may be sealed. */
enum seal_result seal_open_segment(struct seal_stream *s, uint64_t n, bool last,
    const void *sealed, size_t len, void *clear);
/* Octets of the sealed stream of so many clear ones, and back (UINT64_MAX when
 * no stream is that long). An empty stream is one segment of a tag. */
uint64_t seal_length(uint64_t clear);
uint64_t seal_clear_length(uint64_t sealed);

/*
 * A short text of one envelope: a clear line `spoolkit-envelope 1 <evpid> <gen>
 * <kid> <salt>`, then base64 lines. Also for what the journal keeps of an
 * envelope (kind tells them apart and is authenticated).
 */
bool seal_is_text(const char *data, size_t len);
int seal_text(const struct key *master, const char *kind, uint64_t evpid,
    uint32_t generation, const char *text, size_t len, struct buf *out);
/* Appends to clear. kid and evpid (either may be NULL) are those of the clear
 * line, also for SEAL_NO_KEY. */
enum seal_result seal_open_text(const struct keyring *r, const char *kind,
    const char *data, size_t len, struct buf *clear, uint64_t *evpid,
    char kid[KEYRING_KID + 1]);

#endif

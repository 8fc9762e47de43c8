/*
 * codec - a message's stream in its stored form: plain, zstd, sealed, both
 *
 * The clear stream is the record, an empty line and the body. zstd makes
 * frames of it, sealing cuts what comes out into segments (seal.h). A reader
 * gives the clear stream of a file, of a place in the journal or of memory; a
 * writer makes the stored octets, head included. Reading front to back is
 * cheap in every form, memory is bounded, and nothing is handed out past what
 * was found damaged. Neither is shared by threads; both may be used again.
 */
#ifndef QUEUE_CODEC_H
#define QUEUE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/keyring.h"
#include "queue/message.h"

#define CODEC_LEVEL_MAX 19 /* of zstd; more asks readers for much memory */
#define CODEC_TO_END UINT64_MAX /* as long as the file is */

/* How something is to be stored. */
struct codec_form {
	int level; /* of zstd; 0: not compressed */
	const struct key *key; /* seals; NULL: in the clear */
};

enum codec_result {
	CODEC_OK,
	CODEC_DAMAGED, /* codec_why() says what */
	CODEC_NO_KEY, /* codec_kid() is not in the ring */
	CODEC_WRONG_KEY, /* it is, but its secret did not seal this */
	CODEC_FAILED /* the system refused: errno */
};

struct codec_reader;

/*
 * Reads the head that begins at base in fd, which stays the caller's and must
 * stay open; stored is the length of the whole, or CODEC_TO_END. ring may be
 * NULL. Never NULL: codec_state() is what opening came to. But for CODEC_FAILED
 * and a head that cannot be read (codec_head() is 0 then) the message, kids and
 * lengths are there even when the stream cannot be had.
 */
struct codec_reader *codec_open(
    int fd, uint64_t base, uint64_t stored, const struct keyring *ring);
/* The same from memory, which must stay. */
struct codec_reader *codec_open_data(
    const void *data, size_t len, const struct keyring *ring);
void codec_close(struct codec_reader *r); /* NULL is accepted */

enum codec_result codec_state(const struct codec_reader *r);
const char *codec_why(const struct codec_reader *r); /* a phrase; never NULL */
const struct message *codec_message(const struct codec_reader *r);
size_t codec_head(const struct codec_reader *r); /* octets; 0: no head */
uint64_t codec_stored(const struct codec_reader *r); /* octets in all */
/* Of slot 0 or 1; "" when it is empty, damaged or the message not sealed. */
const char *codec_kid(const struct codec_reader *r, unsigned slot);
/* The data key of a sealed message that opened, to be wrapped anew; or NULL. */
const uint8_t *codec_data_key(const struct codec_reader *r);

/*
 * len octets of the clear stream, or of the body, from offset; *got is less at
 * the end only. The last octets come when all that follows them was checked.
 */
enum codec_result codec_read(struct codec_reader *r, uint64_t offset,
    void *data, size_t len, size_t *got);
enum codec_result codec_read_body(struct codec_reader *r, uint64_t offset,
    void *data, size_t len, size_t *got);
/* Reads all: digest or tags, lengths, frames, nothing behind the end. */
enum codec_result codec_verify(struct codec_reader *r);

/*
 * A writer keeps its buffers and contexts from one message to the next. After
 * begin() either the record and then the body, or the body in pieces and the
 * record last, for which exactly 64 KiB are kept in front of the body.
 */
struct codec_writer;
struct codec_writer *codec_writer_new(void);
void codec_writer_free(struct codec_writer *w); /* NULL is accepted; wipes */

/* To fd, from its first octet on, or to memory with fd -1. clear is what the
 * stream will be long, 0 when that is not known. -1 with errno. */
int codec_begin(struct codec_writer *w, const struct codec_form *form,
    uint64_t msgid, int64_t arrived, uint64_t clear, int fd);
/* Lent until codec_end(). */
void codec_put_record(struct codec_writer *w, const char *record, size_t len);
int codec_put_body(struct codec_writer *w, const void *data, size_t len);
/*
 * Writes what is left, the head last. -1 with errno: EMSGSIZE when the record
 * has outgrown its room; an empty one may then be given and codec_end() called
 * again, to read the body back and write it behind its record. m (may be NULL)
 * gets what the head says.
 */
int codec_end(struct codec_writer *w, struct message *m);
/* That of the writer's thread, for a head that is made by hand. */
struct message_hash *codec_hash(struct codec_writer *w);
/* After codec_end(): the head, its length, and that of the whole. */
const char *codec_written_head(const struct codec_writer *w, size_t *len);
uint64_t codec_written(const struct codec_writer *w);
/* Hands over what was written to memory; the caller frees it. */
char *codec_take(struct codec_writer *w, size_t *len);

/* What is in the reader, written anew in another form to fd. */
enum codec_result codec_convert(struct codec_reader *r, struct codec_writer *w,
    const struct codec_form *form, int fd);

/* No stored form of so many clear octets is longer, head included. */
uint64_t codec_bound(uint64_t clear);

#endif

/*
 * journal - the octets of the journal: segment heads, groups, records
 *
 * A segment begins with a block that holds its head and a fresh secret. All
 * that follows is checksummed with that secret, so nothing of an earlier lap
 * and nothing inside a mail can pass for a record. Records stand in groups; a
 * group begins on a block and names the last seq flushed before it. Pure:
 * what touches files is ring and commit.
 */
#ifndef QUEUE_JOURNAL_H
#define QUEUE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define JOURNAL_BLOCK 4096u
#define JOURNAL_HEAD_COPY 2048u /* where the head stands again */
#define JOURNAL_SECRET 16
#define JOURNAL_GROUP_HEAD 63u
#define JOURNAL_RECORD_HEAD 52u
#define JOURNAL_PAYLOAD_MAX (64u * 1024 * 1024)

enum journal_kind {
	JOURNAL_PUT,
	JOURNAL_IMAGE,
	JOURNAL_DONE,
	JOURNAL_BULK,
	JOURNAL_MARK,
	JOURNAL_KINDS
};

struct journal_segment {
	uint64_t number; /* counts up for ever */
	uint64_t run; /* of the process that wrote it */
	uint64_t first; /* the seq of its first record */
	uint64_t size; /* of the file */
	uint8_t secret[JOURNAL_SECRET];
};

struct journal_group {
	uint64_t first; /* seq of its first record */
	uint64_t flushed; /* last seq flushed before it was written */
	uint32_t length; /* of its records together */
};

struct journal_record {
	uint64_t seq;
	enum journal_kind kind;
	uint32_t length; /* of the payload */
	uint64_t check;
};

/* The keyed checksum; one per thread. */
struct journal_key;
struct journal_key *journal_key_new(void);
void journal_key_set(
    struct journal_key *k, const uint8_t secret[JOURNAL_SECRET]);
void journal_key_free(struct journal_key *k); /* NULL is accepted */

/* Fills a block of zeros with the head, twice: one damaged sector must not
 * take the secret away, without which nothing of the segment can be read. */
void journal_segment_print(
    const struct journal_segment *s, char block[JOURNAL_BLOCK]);
/* By either copy. */
bool journal_segment_parse(
    struct journal_segment *s, const char *block, size_t len);

/* Both fill exactly their head and no NUL. A record's checksum covers its
 * head and the payload in parts. */
void journal_group_print(struct journal_key *k, const struct journal_group *g,
    char head[JOURNAL_GROUP_HEAD]);
void journal_record_print(struct journal_key *k, struct journal_record *r,
    const struct iovec *payload, int parts, char head[JOURNAL_RECORD_HEAD]);

/* False: cut short, no head, or (a group) the checksum does not fit. */
bool journal_group_parse(struct journal_key *k, struct journal_group *g,
    const char *data, size_t len);
/* Reads and checks a record with its payload, which follows the head, and the
 * LF behind it. */
bool journal_record_parse(struct journal_key *k, struct journal_record *r,
    const char *data, size_t len);

/* What a record takes, and a group of records rounded up to blocks. */
static inline size_t
journal_record_size(size_t payload)
{
	return JOURNAL_RECORD_HEAD + payload + 1;
}

static inline size_t
journal_group_size(size_t records)
{
	return (JOURNAL_GROUP_HEAD + records + JOURNAL_BLOCK - 1) /
	    JOURNAL_BLOCK * JOURNAL_BLOCK;
}

#endif

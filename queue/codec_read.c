#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "lib/base/mem.h"
#include "queue/codec.h"

#define CHUNK 65536
#define RECORD_KEPT                                                            \
	(1024u * 1024) /* a longer one is read twice for its digest */
#define WINDOW_LOG 23 /* no frame of ours asks for more */

/* The frames of a stream, from front to back. */
struct unpack {
	ZSTD_DCtx *ctx;
	uint8_t *in;
	size_t in_at, in_len;
	uint64_t fed; /* inner octets read so far */
	uint64_t at; /* clear octets given so far */
	bool open; /* in the middle of a frame */
	bool ended; /* all behind the last clear octet was checked */
};

struct codec_reader {
	int fd;
	const uint8_t *memory; /* instead of fd */
	uint64_t base, stored;
	struct message m;
	size_t head;
	char kid[MESSAGE_SLOTS][KEYRING_KID + 1];
	uint8_t data_key[SEAL_DATA_KEY];
	bool opened; /* data_key is set */

	enum codec_result state;
	int error;
	char why[96];

	uint64_t
	    inner; /* octets of the stream once it is not sealed any more */
	struct seal_stream *seal;
	uint8_t *sealed, *segment;
	uint64_t number; /* of the segment that is open */
	size_t segment_len; /* 0: none is */
	struct unpack z;
};

static enum codec_result
damaged(struct codec_reader *r, const char *why)
{
	snprintf(r->why, sizeof(r->why), "%s", why);
	return r->state = CODEC_DAMAGED;
}

static enum codec_result
refused(struct codec_reader *r)
{
	r->error = errno;
	snprintf(r->why, sizeof(r->why), "%s", strerror(errno));
	return CODEC_FAILED;
}

/* Octets as they are stored. */
static enum codec_result
read_stored(struct codec_reader *r, uint64_t at, void *data, size_t len)
{
	size_t have = 0;
	ssize_t n;

	if (at > r->stored || len > r->stored - at)
		return damaged(r, "cut short");
	if (r->memory != NULL) {
		memcpy(data, r->memory + at, len);
		return CODEC_OK;
	}
	while (have < len) {
		n = pread(r->fd, (char *)data + have, len - have,
		    (off_t)(r->base + at + have));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return refused(r);
		if (n == 0)
			return damaged(r, "cut short");
		have += (size_t)n;
	}
	return CODEC_OK;
}

static enum codec_result
open_segment(struct codec_reader *r, uint64_t number)
{
	uint64_t from = number * SEAL_SEGMENT, left = r->inner - from;
	bool last = left <= SEAL_SEGMENT;
	size_t len = last ? (size_t)left : SEAL_SEGMENT;
	enum codec_result rc;

	r->segment_len = 0;
	rc = read_stored(r, r->head + number * (SEAL_SEGMENT + SEAL_TAG),
	    r->sealed, len + SEAL_TAG);
	if (rc != CODEC_OK)
		return rc;
	if (seal_open_segment(r->seal, number, last, r->sealed, len + SEAL_TAG,
		r->segment) != SEAL_OK)
		return damaged(r, "a tag does not fit");
	r->number = number;
	r->segment_len = len;
	return CODEC_OK;
}

/* The stream as the writer sealed it. */
static enum codec_result
read_inner(struct codec_reader *r, uint64_t at, uint8_t *data, size_t len)
{
	enum codec_result rc;
	size_t skip, n;

	if (at > r->inner || len > r->inner - at)
		return damaged(r, "cut short");
	if (!(r->m.codec & MESSAGE_SEALED))
		return read_stored(r, r->head + at, data, len);
	while (len > 0) {
		if ((r->segment_len == 0 || r->number != at / SEAL_SEGMENT) &&
		    (rc = open_segment(r, at / SEAL_SEGMENT)) != CODEC_OK)
			return rc;
		skip = (size_t)(at % SEAL_SEGMENT);
		n = r->segment_len - skip < len ? r->segment_len - skip : len;
		memcpy(data, r->segment + skip, n);
		data += n;
		at += n;
		len -= n;
	}
	return CODEC_OK;
}

static void
rewind_frames(struct codec_reader *r)
{
	struct unpack *z = &r->z;

	if (z->ctx == NULL) {
		z->ctx = ZSTD_createDCtx();
		z->in = mem_zalloc(CHUNK);
	}
	(void)ZSTD_DCtx_reset(z->ctx, ZSTD_reset_session_only);
	(void)ZSTD_DCtx_setParameter(z->ctx, ZSTD_d_windowLogMax, WINDOW_LOG);
	z->in_at = z->in_len = 0;
	z->fed = z->at = 0;
	z->open = z->ended = false;
}

/* At most len more clear octets; none when the frames are at their end. */
static enum codec_result
unpack_some(struct codec_reader *r, void *data, size_t len, size_t *got)
{
	struct unpack *z = &r->z;
	ZSTD_outBuffer out = { data, len, 0 };
	enum codec_result rc;
	ZSTD_inBuffer in;
	size_t n;

	*got = 0;
	while (out.pos == 0) {
		if (z->in_at == z->in_len && z->fed < r->inner) {
			z->in_at = 0;
			z->in_len = r->inner - z->fed < CHUNK
			    ? (size_t)(r->inner - z->fed)
			    : CHUNK;
			rc = read_inner(r, z->fed, z->in, z->in_len);
			if (rc != CODEC_OK) {
				z->in_len = 0;
				return rc;
			}
			z->fed += z->in_len;
		}
		in = (ZSTD_inBuffer){ z->in, z->in_len, z->in_at };
		if (in.pos == in.size && !z->open)
			return CODEC_OK;
		n = ZSTD_decompressStream(z->ctx, &out, &in);
		if (ZSTD_isError(n))
			return damaged(r, "its zstd frame is damaged");
		if (in.pos == z->in_at && out.pos == 0 && z->fed == r->inner)
			return damaged(r, "its zstd frame is cut short");
		z->in_at = in.pos;
		z->open = n != 0;
	}
	*got = out.pos;
	z->at += out.pos;
	return CODEC_OK;
}

/* What follows the last clear octet: checksums, and nothing else. */
static enum codec_result
end_frames(struct codec_reader *r)
{
	enum codec_result rc;
	uint8_t more;
	size_t got;

	if (r->z.ended)
		return CODEC_OK;
	rc = unpack_some(r, &more, 1, &got);
	if (rc != CODEC_OK)
		return rc;
	if (got > 0)
		return damaged(r, "longer than its head says");
	r->z.ended = true;
	return CODEC_OK;
}

static enum codec_result
read_frames(struct codec_reader *r, uint64_t at, uint8_t *data, size_t len)
{
	uint8_t *skipped = NULL;
	enum codec_result rc = CODEC_OK;
	size_t got;

	if (r->z.ctx == NULL || r->z.at > at)
		rewind_frames(r);
	if (r->z.at < at)
		skipped = mem_zalloc(CHUNK);
	while (rc == CODEC_OK && r->z.at < at) {
		rc = unpack_some(r, skipped,
		    at - r->z.at < CHUNK ? (size_t)(at - r->z.at) : CHUNK,
		    &got);
		if (rc == CODEC_OK && got == 0)
			rc = damaged(r, "shorter than its head says");
	}
	free(skipped);
	while (rc == CODEC_OK && len > 0) {
		rc = unpack_some(r, data, len, &got);
		if (rc == CODEC_OK && got == 0)
			rc = damaged(r, "shorter than its head says");
		data += got;
		len -= got;
	}
	if (rc == CODEC_OK && r->z.at == message_clear(&r->m))
		rc = end_frames(r);
	if (rc != CODEC_OK)
		r->z.at = UINT64_MAX; /* from the start again */
	return rc;
}

enum codec_result
codec_read(struct codec_reader *r, uint64_t offset, void *data, size_t len,
    size_t *got)
{
	uint64_t total = message_clear(&r->m);
	enum codec_result rc;

	*got = 0;
	if (r->state != CODEC_OK)
		return codec_state(r);
	if (offset >= total)
		return CODEC_OK;
	if (len > total - offset)
		len = (size_t)(total - offset);
	if (r->m.codec & MESSAGE_ZSTD)
		rc = read_frames(r, offset, data, len);
	else
		rc = read_inner(r, offset, data, len);
	*got = rc == CODEC_OK ? len : 0;
	return rc;
}

enum codec_result
codec_read_body(struct codec_reader *r, uint64_t offset, void *data, size_t len,
    size_t *got)
{
	*got = 0;
	if (r->state == CODEC_OK && offset >= r->m.size)
		return CODEC_OK;
	return codec_read(r, r->m.record + 1 + offset, data, len, got);
}

/* The octets before the empty line are kept, or hashed where kept is NULL. */
static enum codec_result
hash_piece(struct codec_reader *r, struct message_hash *h, uint64_t at,
    const char *data, size_t len, char *kept)
{
	uint64_t record = r->m.record;
	size_t before = 0;

	if (at <= record) {
		before = record - at < len ? (size_t)(record - at) : len;
		if (kept != NULL)
			memcpy(kept + at, data, before);
		else if (h != NULL)
			message_hash_add(h, data, before);
		if (before < len && data[before++] != '\n')
			return damaged(r, "no empty line before its body");
	}
	if (h != NULL)
		message_hash_add(h, data + before, len - before);
	return CODEC_OK;
}

static enum codec_result
hash_range(struct codec_reader *r, struct message_hash *h, uint64_t at,
    uint64_t end, char *kept)
{
	char *chunk = mem_zalloc(CHUNK);
	enum codec_result rc = CODEC_OK;
	size_t got;

	while (rc == CODEC_OK && at < end) {
		rc = codec_read(r, at, chunk,
		    end - at < CHUNK ? (size_t)(end - at) : CHUNK, &got);
		if (rc == CODEC_OK)
			rc = hash_piece(r, h, at, chunk, got, kept);
		at += got;
	}
	free(chunk);
	return rc;
}

enum codec_result
codec_verify(struct codec_reader *r)
{
	uint64_t record = r->m.record, end;
	uint8_t digest[MESSAGE_DIGEST];
	struct message_hash *h;
	enum codec_result rc;
	char *kept = NULL;

	if (r->state != CODEC_OK)
		return codec_state(r);
	end = message_clear(&r->m);
	if (r->m.codec & MESSAGE_SEALED)
		return hash_range(r, NULL, 0, end, NULL);
	h = message_hash_new();
	/* The digest is of the body first, then the record. */
	if (record <= RECORD_KEPT) {
		kept = mem_zalloc((size_t)record + 1);
		rc = hash_range(r, h, 0, end, kept);
		message_hash_add(h, kept, (size_t)record);
	} else {
		rc = hash_range(r, h, record + 1, end, NULL);
		if (rc == CODEC_OK)
			rc = hash_range(r, h, 0, record + 1, NULL);
	}
	message_hash_end(h, digest);
	message_hash_free(h);
	free(kept);
	if (rc == CODEC_OK && memcmp(digest, r->m.digest, sizeof(digest)) != 0)
		rc = damaged(r, "its digest does not fit");
	return rc;
}

/* The slots: any one that opens will do. */
static enum codec_result
open_slots(struct codec_reader *r, const char *head, const struct keyring *ring)
{
	enum codec_result rc = CODEC_DAMAGED;
	char slot[SEAL_SLOT + 1];
	unsigned i;

	snprintf(r->why, sizeof(r->why), "its key slots are damaged");
	for (i = 0; i < MESSAGE_SLOTS; i++) {
		if (!message_slot_parse(head + MESSAGE_SLOT_AT(i), slot))
			continue;
		switch (seal_unwrap(
		    ring, r->m.msgid, slot, r->data_key, r->kid[i])) {
		case SEAL_OK:
			r->opened = true;
			return CODEC_OK;
		case SEAL_NO_KEY:
			rc = keyring_find(ring, r->kid[i]) == NULL
			    ? CODEC_NO_KEY
			    : CODEC_WRONG_KEY;
			snprintf(r->why, sizeof(r->why),
			    rc == CODEC_NO_KEY
				? "sealed by key %s, which is not in the ring"
				: "sealed by another key %s than the ring's",
			    r->kid[i]);
			break;
		case SEAL_DAMAGED:
		case SEAL_EMPTY:
			break;
		}
	}
	return rc;
}

/* The second slot's kid is told even when the first has opened. */
static void
read_kids(struct codec_reader *r, const char *head)
{
	uint8_t none[SEAL_DATA_KEY];
	char slot[SEAL_SLOT + 1];
	unsigned i;

	for (i = 0; i < MESSAGE_SLOTS; i++)
		if (r->kid[i][0] == '\0' &&
		    message_slot_parse(head + MESSAGE_SLOT_AT(i), slot))
			(void)seal_unwrap(
			    NULL, r->m.msgid, slot, none, r->kid[i]);
}

static void
open_sealed(
    struct codec_reader *r, const char *head, const struct keyring *ring)
{
	r->inner = seal_clear_length(r->stored - r->head);
	r->state = open_slots(r, head, ring);
	read_kids(r, head);
	if (r->inner == UINT64_MAX)
		(void)damaged(r, "cut short");
	if (r->state != CODEC_OK)
		return;
	r->seal =
	    seal_stream_new(r->data_key, r->m.msgid, message_codec(r->m.codec));
	seal_stream_lengths(r->seal, r->m.record, r->m.size);
	r->sealed = mem_zalloc(SEAL_SEGMENT + SEAL_TAG);
	r->segment = mem_zalloc(SEAL_SEGMENT);
}

static struct codec_reader *
open_head(struct codec_reader *r, const struct keyring *ring)
{
	char head[MESSAGE_HEAD_MAX];
	const char *why;
	size_t len =
	    r->stored < sizeof(head) ? (size_t)r->stored : sizeof(head);

	r->state = read_stored(r, 0, head, len);
	if (r->state != CODEC_OK)
		return r;
	if ((why = message_parse(&r->m, head, len)) != NULL) {
		memset(&r->m, 0, sizeof(r->m));
		(void)damaged(r, why);
		return r;
	}
	r->head = message_head(&r->m);
	r->inner = r->stored - r->head;
	if (r->m.codec & MESSAGE_SEALED)
		open_sealed(r, head, ring);
	if (!(r->m.codec & MESSAGE_ZSTD) && r->stored != message_stored(&r->m))
		(void)damaged(r,
		    r->stored < message_stored(&r->m)
			? "cut short"
			: "longer than its head says");
	return r;
}

struct codec_reader *
codec_open(int fd, uint64_t base, uint64_t stored, const struct keyring *ring)
{
	struct codec_reader *r = mem_zalloc(sizeof(*r));
	struct stat st;

	r->fd = fd;
	r->base = base;
	r->stored = stored;
	if (stored == CODEC_TO_END) {
		if (fstat(fd, &st) == -1) {
			r->state = refused(r);
			return r;
		}
		r->stored = (uint64_t)st.st_size < base
		    ? 0
		    : (uint64_t)st.st_size - base;
	}
	return open_head(r, ring);
}

struct codec_reader *
codec_open_data(const void *data, size_t len, const struct keyring *ring)
{
	struct codec_reader *r = mem_zalloc(sizeof(*r));

	r->fd = -1;
	r->memory = data;
	r->stored = len;
	return open_head(r, ring);
}

void
codec_close(struct codec_reader *r)
{
	if (r == NULL)
		return;
	seal_stream_free(r->seal);
	ZSTD_freeDCtx(r->z.ctx);
	free(r->z.in);
	free(r->sealed);
	if (r->segment != NULL)
		seal_wipe(r->segment, SEAL_SEGMENT);
	free(r->segment);
	seal_wipe(r->data_key, sizeof(r->data_key));
	free(r);
}

enum codec_result
codec_state(const struct codec_reader *r)
{
	if (r->state == CODEC_FAILED)
		errno = r->error;
	return r->state;
}

const char *
codec_why(const struct codec_reader *r)
{
	return r->why;
}

const struct message *
codec_message(const struct codec_reader *r)
{
	return &r->m;
}

size_t
codec_head(const struct codec_reader *r)
{
	return r->head;
}

uint64_t
codec_stored(const struct codec_reader *r)
{
	return r->stored;
}

const char *
codec_kid(const struct codec_reader *r, unsigned slot)
{
	return r->kid[slot];
}

const uint8_t *
codec_data_key(const struct codec_reader *r)
{
	return r->opened ? r->data_key : NULL;
}

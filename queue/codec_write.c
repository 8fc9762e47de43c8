#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "lib/base/mem.h"
#include "queue/codec.h"

/* What is kept in front of a body that comes before its record: of the stored
 * stream, or in the plain form of the file. */
#define ROOM 65536u
#define SKIPPABLE 0x184d2a50u /* a frame that zstd leaves out, RFC 8878 3.1.2 */
#define SKIPPABLE_HEAD 8u
#define COPY 65536
/* At the quickest level a short message is searched with a table that stays in
 * the nearest cache: a sixth less time for 2 to 4 % more octets. */
#define SMALL 32768u
#define SMALL_HASH 11

struct codec_writer {
	ZSTD_CCtx *zstd;
	uint8_t *out; /* of zstd */
	size_t out_size;
	uint8_t *segment, *sealed;
	struct message_hash *hash;

	/* Of the message in hand. */
	struct message m;
	int level;
	int fd;
	uint64_t at; /* where the next octet goes in the file */
	char *memory; /* instead of it */
	size_t room;
	const char *record;
	size_t record_len;
	bool begun; /* the stream */
	bool behind; /* the body came first */
	bool complete; /* the body's last octet went to zstd */
	struct seal_stream *seal;
	uint64_t number; /* of the segment that is filled */
	size_t fill;
	char slot[SEAL_SLOT + 1];
	char head[MESSAGE_HEAD_MAX + 1];
};

struct codec_writer *
codec_writer_new(void)
{
	struct codec_writer *w = mem_zalloc(sizeof(*w));

	w->hash = message_hash_new();
	w->fd = -1;
	return w;
}

static void
forget(struct codec_writer *w)
{
	uint8_t digest[MESSAGE_DIGEST];

	message_hash_end(w->hash, digest); /* which begins anew */
	seal_stream_free(w->seal);
	w->seal = NULL;
	free(w->memory);
	w->memory = NULL;
	w->room = 0;
	w->record = NULL;
	w->record_len = 0;
	w->begun = w->behind = w->complete = false;
	w->number = 0;
	w->fill = 0;
}

void
codec_writer_free(struct codec_writer *w)
{
	if (w == NULL)
		return;
	forget(w);
	message_hash_free(w->hash);
	ZSTD_freeCCtx(w->zstd);
	if (w->segment != NULL)
		seal_wipe(w->segment, SEAL_SEGMENT);
	free(w->segment);
	free(w->sealed);
	free(w->out);
	free(w);
}

/* In memory: where the octet of that place is, with room for len of them. */
static char *
memory_at(struct codec_writer *w, uint64_t at, size_t len)
{
	size_t room = w->room == 0 ? 4096 : w->room;

	if (at + len > w->room) {
		while (room < at + len)
			room *= 2;
		w->memory = mem_rearray(w->memory, room, 1);
		w->room = room;
	}
	return w->memory + at;
}

static int
emit_at(struct codec_writer *w, const void *data, size_t len, uint64_t at)
{
	const char *p = data;
	ssize_t n;

	if (w->fd == -1 && len > 0) {
		memcpy(memory_at(w, at, len), data, len);
		return 0;
	}
	while (len > 0) {
		n = pwrite(w->fd, p, len, (off_t)at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? ENOSPC : errno;
			return -1;
		}
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int
emit(struct codec_writer *w, const void *data, size_t len)
{
	if (emit_at(w, data, len, w->at) == -1)
		return -1;
	w->at += len;
	return 0;
}

static int
seal_fill(struct codec_writer *w, bool last)
{
	size_t len = w->fill + SEAL_TAG;
	void *out = w->fd == -1 ? (void *)memory_at(w, w->at, len) : w->sealed;

	if (seal_segment(w->seal, w->number, last, w->segment, w->fill, out) ==
	    -1) {
		errno = EIO;
		return -1;
	}
	w->number++;
	w->fill = 0;
	if (w->fd != -1)
		return emit(w, w->sealed, len);
	w->at += len;
	return 0;
}

/* Octets that are not compressed. A full segment waits for the next one, for
 * only then it is not the last. */
static int
put_inner(struct codec_writer *w, const uint8_t *data, size_t len)
{
	size_t n;

	if (w->seal == NULL)
		return emit(w, data, len);
	while (len > 0) {
		if (w->fill == SEAL_SEGMENT && seal_fill(w, false) == -1)
			return -1;
		n = SEAL_SEGMENT - w->fill < len ? SEAL_SEGMENT - w->fill : len;
		memcpy(w->segment + w->fill, data, n);
		w->fill += n;
		data += n;
		len -= n;
	}
	return 0;
}

/* Where zstd may put what is next: straight into the segment that is sealed, or
 * into memory. A full segment is not the last, for zstd has more to say. */
static int
zstd_room(struct codec_writer *w, ZSTD_outBuffer *out)
{
	if (w->seal != NULL) {
		if (w->fill == SEAL_SEGMENT && seal_fill(w, false) == -1)
			return -1;
		*out = (ZSTD_outBuffer){ w->segment + w->fill,
			SEAL_SEGMENT - w->fill, 0 };
	} else if (w->fd == -1) {
		*out = (ZSTD_outBuffer){ memory_at(w, w->at, 1), 0, 0 };
		out->size = w->room - (size_t)w->at;
	} else
		*out = (ZSTD_outBuffer){ w->out, w->out_size, 0 };
	return 0;
}

static int
zstd_took(struct codec_writer *w, size_t n)
{
	if (w->seal != NULL)
		w->fill += n;
	else if (w->fd != -1)
		return emit(w, w->out, n);
	else
		w->at += n;
	return 0;
}

static int
put_clear(struct codec_writer *w, const void *data, size_t len, bool end)
{
	ZSTD_inBuffer in = { data, len, 0 };
	ZSTD_outBuffer out;
	size_t left;

	if (w->level == 0)
		return put_inner(w, data, len);
	do {
		if (zstd_room(w, &out) == -1)
			return -1;
		left = ZSTD_compressStream2(
		    w->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left)) {
			errno = EIO;
			return -1;
		}
		if (zstd_took(w, out.pos) == -1)
			return -1;
	} while (in.pos < in.size || (end && left > 0));
	return 0;
}

static int
begin_zstd(struct codec_writer *w, uint64_t clear)
{
	if (w->zstd == NULL) {
		w->zstd = ZSTD_createCCtx();
		w->out_size = ZSTD_CStreamOutSize();
		w->out = mem_zalloc(w->out_size);
	}
	if (w->zstd == NULL) {
		errno = ENOMEM;
		return -1;
	}
	(void)ZSTD_CCtx_reset(w->zstd, ZSTD_reset_session_only);
	(void)ZSTD_CCtx_setParameter(
	    w->zstd, ZSTD_c_compressionLevel, w->level);
	(void)ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_hashLog,
	    w->level == 1 && clear != 0 && clear <= SMALL ? SMALL_HASH : 0);
	(void)ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
	if (clear != 0)
		(void)ZSTD_CCtx_setPledgedSrcSize(w->zstd, clear);
	return 0;
}

static int
begin_seal(struct codec_writer *w, const struct key *key)
{
	uint8_t data_key[SEAL_DATA_KEY];
	int rc = -1;

	if (w->segment == NULL) {
		w->segment = mem_zalloc(SEAL_SEGMENT);
		w->sealed = mem_zalloc(SEAL_SEGMENT + SEAL_TAG);
	}
	if (seal_data_key(data_key) == 0 &&
	    seal_wrap(key, w->m.msgid, data_key, w->slot) == 0) {
		w->seal = seal_stream_new(
		    data_key, w->m.msgid, message_codec(w->m.codec));
		rc = 0;
	}
	seal_wipe(data_key, sizeof(data_key));
	if (rc == -1)
		errno = EIO;
	return rc;
}

int
codec_begin(struct codec_writer *w, const struct codec_form *form,
    uint64_t msgid, int64_t arrived, uint64_t clear, int fd)
{
	forget(w);
	memset(&w->m, 0, sizeof(w->m));
	w->m.msgid = msgid;
	w->m.arrived = arrived;
	w->m.codec = (form->level > 0 ? MESSAGE_ZSTD : 0) |
	    (form->key != NULL ? MESSAGE_SEALED : 0);
	w->level =
	    form->level > CODEC_LEVEL_MAX ? CODEC_LEVEL_MAX : form->level;
	w->fd = fd;
	w->at = message_head(&w->m);
	if (w->level > 0 && begin_zstd(w, clear) == -1)
		return -1;
	if (form->key != NULL && begin_seal(w, form->key) == -1)
		return -1;
	if (fd == -1 && clear > 0) {
		w->room = (size_t)codec_bound(clear);
		w->memory = mem_rearray(NULL, w->room, 1);
	}
	return 0;
}

void
codec_put_record(struct codec_writer *w, const char *record, size_t len)
{
	w->record = record;
	w->record_len = len;
}

/* Room that is left in front of the body, without what a segment adds. */
static size_t
room_of(const struct codec_writer *w)
{
	return w->m.codec == MESSAGE_PLAIN ? ROOM - MESSAGE_HEAD : ROOM;
}

static int
begin_stream(struct codec_writer *w)
{
	w->begun = true;
	if (w->record == NULL) {
		w->behind = true;
		w->at += room_of(w);
		if (w->seal != NULL) {
			w->at += SEAL_TAG;
			w->number = 1;
		}
		return 0;
	}
	w->m.record = w->record_len;
	if (put_clear(w, w->record, w->record_len, false) == -1)
		return -1;
	return put_clear(w, "\n", 1, false);
}

int
codec_put_body(struct codec_writer *w, const void *data, size_t len)
{
	if (!w->begun && begin_stream(w) == -1)
		return -1;
	w->m.size += len;
	if (w->seal == NULL)
		message_hash_add(w->hash, data, len);
	return put_clear(w, data, len, false);
}

/* The record as a frame of its own, and one that is skipped. */
static int
frame_room(struct codec_writer *w, uint8_t *room)
{
	char *clear = mem_zalloc(w->record_len + 1);
	size_t n, pad;
	int i;

	memcpy(clear, w->record, w->record_len);
	clear[w->record_len] = '\n';
	(void)ZSTD_CCtx_reset(w->zstd, ZSTD_reset_session_only);
	n = ZSTD_compress2(w->zstd, room, ROOM, clear, w->record_len + 1);
	free(clear);
	pad = ROOM - n;
	if (ZSTD_isError(n) || (pad != 0 && pad < SKIPPABLE_HEAD)) {
		errno = EMSGSIZE;
		return -1;
	}
	w->m.record = w->record_len;
	if (w->seal == NULL)
		message_hash_add(w->hash, w->record, w->record_len);
	if (pad == 0)
		return 0;
	pad -= SKIPPABLE_HEAD;
	for (i = 0; i < 4; i++) {
		room[n + (size_t)i] = (uint8_t)(SKIPPABLE >> 8 * i);
		room[n + 4 + (size_t)i] = (uint8_t)(pad >> 8 * i);
	}
	memset(room + n + SKIPPABLE_HEAD, 0, pad);
	return 0;
}

/* Fills the room in front of the body. */
static int
fill_room(struct codec_writer *w, uint8_t *room)
{
	size_t len = room_of(w);

	if (w->m.codec & MESSAGE_ZSTD)
		return frame_room(w, room);
	if (w->record_len > len - 1) {
		errno = EMSGSIZE;
		return -1;
	}
	/* Empty lines stand behind the last envelope. */
	memcpy(room, w->record, w->record_len);
	memset(room + w->record_len, '\n', len - w->record_len);
	w->m.record = len - 1;
	if (w->seal == NULL)
		message_hash_add(w->hash, room, len - 1);
	return 0;
}

static int
end_behind(struct codec_writer *w)
{
	uint8_t *room = mem_zalloc(ROOM + SEAL_TAG);
	bool alone;
	int rc = -1;

	if (!w->complete && put_clear(w, NULL, 0, true) == -1)
		goto out;
	w->complete = true;
	if (fill_room(w, room) == -1)
		goto out;
	if (w->seal != NULL) {
		alone = w->number == 1 && w->fill == 0;
		seal_stream_lengths(w->seal, w->m.record, w->m.size);
		if (!alone && seal_fill(w, true) == -1)
			goto out;
		if (seal_segment(w->seal, 0, alone, room, ROOM, w->sealed) ==
		    -1) {
			errno = EIO;
			goto out;
		}
		rc =
		    emit_at(w, w->sealed, ROOM + SEAL_TAG, message_head(&w->m));
	} else {
		rc = emit_at(w, room, room_of(w), message_head(&w->m));
	}
out:
	seal_wipe(room, ROOM);
	free(room);
	return rc;
}

static int
end_stream(struct codec_writer *w)
{
	if (!w->begun && begin_stream(w) == -1)
		return -1;
	if (w->behind)
		return end_behind(w);
	if (w->seal == NULL)
		message_hash_add(w->hash, w->record, w->record_len);
	if (put_clear(w, NULL, 0, true) == -1)
		return -1;
	if (w->seal == NULL)
		return 0;
	seal_stream_lengths(w->seal, w->m.record, w->m.size);
	return seal_fill(w, true);
}

int
codec_end(struct codec_writer *w, struct message *m)
{
	assert(w->record != NULL);
	if (end_stream(w) == -1)
		return -1;
	message_hash_end(w->hash, w->m.digest);
	message_print(&w->m, w->head);
	if (w->seal != NULL)
		message_slot_print(w->slot, w->head + MESSAGE_SLOT_AT(0));
	if (w->seal != NULL)
		w->head[MESSAGE_SLOT_AT(0) + MESSAGE_SLOT] = '\n';
	if (m != NULL)
		*m = w->m;
	return emit_at(w, w->head, message_head(&w->m), 0);
}

struct message_hash *
codec_hash(struct codec_writer *w)
{
	return w->hash;
}

const char *
codec_written_head(const struct codec_writer *w, size_t *len)
{
	*len = message_head(&w->m);
	return w->head;
}

uint64_t
codec_written(const struct codec_writer *w)
{
	return w->at;
}

char *
codec_take(struct codec_writer *w, size_t *len)
{
	char *data = w->memory;

	*len = (size_t)w->at;
	w->memory = NULL;
	w->room = 0;
	return data;
}

enum codec_result
codec_convert(struct codec_reader *r, struct codec_writer *w,
    const struct codec_form *form, int fd)
{
	const struct message *m = codec_message(r);
	char *record = NULL, *chunk = NULL;
	uint64_t at, total = message_clear(m);
	enum codec_result rc = codec_state(r);
	size_t got;

	if (rc != CODEC_OK)
		return rc;
	if (m->record > SIZE_MAX / 2 ||
	    codec_begin(w, form, m->msgid, m->arrived, total, fd) == -1)
		return CODEC_FAILED;
	record = mem_zalloc((size_t)m->record + 1);
	chunk = mem_zalloc(COPY);
	rc = codec_read(r, 0, record, (size_t)m->record, &got);
	codec_put_record(w, record, (size_t)m->record);
	for (at = m->record + 1; rc == CODEC_OK && at < total; at += got) {
		rc = codec_read(r, at, chunk, COPY, &got);
		if (rc == CODEC_OK && codec_put_body(w, chunk, got) == -1)
			rc = CODEC_FAILED;
	}
	if (rc == CODEC_OK && codec_end(w, NULL) == -1)
		rc = CODEC_FAILED;
	w->record = NULL;
	free(record);
	free(chunk);
	return rc;
}

uint64_t
codec_bound(uint64_t clear)
{
	/* zstd adds 3 octets a block of 128 KiB, its head and checksum, and
	 * what ZSTD_COMPRESSBOUND allows for small ones. */
	uint64_t inner = clear + (clear >> 8) + 1024;

	return MESSAGE_HEAD_MAX + inner + (inner / SEAL_SEGMENT + 1) * SEAL_TAG;
}

/*
 * Stored forms: what goes in comes out, in every form and size; what is cut
 * short or changed in one bit is found out or does no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "queue/codec.h"
#include "queue/envfile.h"

#define ID UINT64_C(0x3f9a0c41d7b2)

static struct key keys[2];
static struct keyring *ring, *other, *impostor;

static struct keyring *
ring_of(const struct key *k)
{
	struct buf *b = buf_new(4096);
	struct keyring *r;
	char err[256];

	key_print(k, b);
	r = keyring_parse(buf_text(b), buf_len(b), NULL, err, sizeof(err));
	if (r == NULL)
		fail_msg("%s", err);
	buf_free(b);
	return r;
}

static int
make_keys(void **state)
{
	struct key again;

	(void)state;
	assert_int_equal(key_generate(&keys[0], "first-key-000001"), 0);
	assert_int_equal(key_generate(&keys[1], "other-key-000002"), 0);
	assert_int_equal(key_generate(&again, "first-key-000001"), 0);
	keys[0].state = keys[1].state = again.state = KEY_ACTIVE;
	ring = ring_of(&keys[0]);
	other = ring_of(&keys[1]);
	impostor = ring_of(&again);
	return 0;
}

static int
drop_keys(void **state)
{
	(void)state;
	keyring_unref(ring);
	keyring_unref(other);
	keyring_unref(impostor);
	return 0;
}

static const struct codec_form forms[] = {
	{ 0, NULL },
	{ 1, NULL },
	{ 0, &keys[0] },
	{ 1, &keys[0] },
};

static const size_t sizes[] = { 0, 1, 63, 4096, 64311, 65535, 65536, 65537,
	131072, 300000 };

static char *
make_octets(size_t size, bool noise)
{
	char *body = mem_zalloc(size + 1);
	uint32_t seed = 7;
	size_t i;

	for (i = 0; i < size; i++) {
		seed = seed * 1664525 + 1013904223;
		body[i] = noise || (i >> 10 & 1) ? (char)(seed >> 24)
						 : (char)('a' + i % 23);
	}
	return body;
}

/* Half of it does not compress. */
static char *
make_body(size_t size)
{
	return make_octets(size, false);
}

static char *
write_one(const struct codec_form *form, const char *record, size_t rlen,
    const char *body, size_t size, bool behind, size_t *len)
{
	struct codec_writer *w = codec_writer_new();
	struct message m;
	size_t at, n;
	char *data;

	assert_int_equal(codec_begin(w, form, ID, 1795353669,
			     behind ? 0 : rlen + 1 + size, -1),
	    0);
	if (!behind)
		codec_put_record(w, record, rlen);
	for (at = 0; at < size; at += n) {
		n = size - at < 10007 ? size - at : 10007;
		assert_int_equal(codec_put_body(w, body + at, n), 0);
	}
	if (behind)
		codec_put_record(w, record, rlen);
	assert_int_equal(codec_end(w, &m), 0);
	assert_int_equal(m.size, size);
	data = codec_take(w, len);
	assert_true(behind || *len <= codec_bound(rlen + 1 + size));
	codec_writer_free(w);
	return data;
}

static void
compare(struct codec_reader *r, const char *record, size_t rlen,
    const char *body, size_t size, size_t step)
{
	const struct message *m = codec_message(r);
	char *got = mem_zalloc(size + 65536 + 1);
	size_t at, n;

	if (codec_state(r) != CODEC_OK)
		fail_msg("codec %u of %zu: %s", m->codec, size, codec_why(r));
	assert_int_equal(m->msgid, ID);
	assert_int_equal(m->arrived, 1795353669);
	assert_int_equal(m->size, size);
	assert_true(m->record >= rlen);
	for (at = 0; at < size; at += n) {
		assert_int_equal(
		    codec_read_body(r, at, got + at, step, &n), CODEC_OK);
		assert_true(n == step || at + n == size);
	}
	assert_memory_equal(got, body, size);
	assert_int_equal(codec_read_body(r, size, got, 1, &n), CODEC_OK);
	assert_int_equal(n, 0);
	assert_int_equal(codec_read(r, 0, got, rlen, &n), CODEC_OK);
	assert_memory_equal(got, record, rlen);
	assert_int_equal(codec_verify(r), CODEC_OK);
	free(got);
}

static void
round_trips(void **state)
{
	static const char record[] = "spool-envelope: 1\nid: and so on\n";
	struct codec_reader *r;
	size_t f, s, len;
	char *body, *data;
	int behind;

	(void)state;
	for (f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		for (s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			for (behind = 0; behind < 2; behind++) {
				if (behind && sizes[s] == 0)
					continue;
				body = make_body(sizes[s]);
				data = write_one(&forms[f], record,
				    sizeof(record) - 1, body, sizes[s],
				    behind != 0, &len);
				r = codec_open_data(data, len, ring);
				compare(r, record, sizeof(record) - 1, body,
				    sizes[s], s % 2 ? 65536 : 1000);
				codec_close(r);
				free(data);
				free(body);
			}
		}
	}
}

static bool
last_is_full(size_t stored)
{
	return (stored - MESSAGE_HEAD_SEALED) % (SEAL_SEGMENT + SEAL_TAG) == 0;
}

/* What zstd writes ends before, at and behind the end of a segment. */
static void
segments_filled(void **state)
{
	static const char record[] = "spool-envelope: 1\nid: and so on\n";
	struct codec_reader *r;
	char *body = make_octets(2 * SEAL_SEGMENT, true), *data;
	unsigned segments, full = 0;
	size_t size, len;

	(void)state;
	for (segments = 1; segments <= 2; segments++) {
		for (size = segments * SEAL_SEGMENT - 80;
		     size < segments * SEAL_SEGMENT; size++) {
			data = write_one(&forms[3], record, sizeof(record) - 1,
			    body, size, false, &len);
			full += last_is_full(len);
			r = codec_open_data(data, len, ring);
			compare(
			    r, record, sizeof(record) - 1, body, size, 65536);
			codec_close(r);
			free(data);
		}
	}
	assert_int_equal(full, 2);
	free(body);
}

/* The head at a place in a file, as in the journal. */
static void
within_a_file(void **state)
{
	char name[] = "/tmp/codec.XXXXXX", *body = make_body(70000), *data;
	struct codec_reader *r;
	size_t f, len;
	int fd = mkstemp(name);

	(void)state;
	assert_true(fd != -1);
	unlink(name);
	for (f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		data = write_one(
		    &forms[f], "record\n", 7, body, 70000, false, &len);
		assert_int_equal(pwrite(fd, data, len, 12345), (ssize_t)len);
		assert_int_equal(
		    pwrite(fd, "more", 4, (off_t)(12345 + len)), 4);
		r = codec_open(fd, 12345, len, ring);
		compare(r, "record\n", 7, body, 70000, 4096);
		codec_close(r);
		r = codec_open(fd, 12345, CODEC_TO_END, ring);
		assert_int_not_equal(codec_verify(r), CODEC_OK);
		codec_close(r);
		free(data);
	}
	close(fd);
	free(body);
}

/* Whether what can be read is what was written, or is refused. */
static bool
harmless(
    const char *data, size_t len, const char *body, size_t size, bool *found)
{
	struct codec_reader *r = codec_open_data(data, len, ring);
	char *got = mem_zalloc(size + 1);
	enum codec_result rc = codec_verify(r), piece;
	size_t n = 0;
	bool good = true;

	*found = rc != CODEC_OK;
	if (rc == CODEC_OK && codec_message(r)->msgid == ID) {
		piece = codec_read_body(r, 0, got, size, &n);
		good = piece == CODEC_OK && n == size &&
		    codec_message(r)->size == size &&
		    memcmp(got, body, size) == 0;
	}
	free(got);
	codec_close(r);
	return good;
}

static void
every_length(void **state)
{
	char *body = make_body(700), *data, *cut;
	size_t f, len, i;
	bool found;

	(void)state;
	for (f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		data =
		    write_one(&forms[f], "record\n", 7, body, 700, false, &len);
		for (i = 0; i < len; i++) {
			cut = mem_zalloc(i + 1);
			memcpy(cut, data, i);
			if (!harmless(cut, i, body, 700, &found) || !found)
				fail_msg("form %zu length %zu", f, i);
			free(cut);
		}
		data = mem_rearray(data, len + 1, 1);
		data[len] = 'x';
		assert_true(harmless(data, len + 1, body, 700, &found));
		assert_true(found);
		free(data);
	}
	free(body);
}

/* A slot that is not needed may be damaged. */
static bool
spare_slot(const struct codec_form *form, size_t at)
{
	return form->key != NULL && at >= MESSAGE_SLOT_AT(1) &&
	    at < MESSAGE_SLOT_AT(1) + MESSAGE_SLOT;
}

/* A frame has bits that nobody looks at (RFC 8878, 3.1.1.1.1.4). */
static bool
in_frame(const struct codec_form *form, size_t at)
{
	return form->key == NULL && form->level > 0 && at >= MESSAGE_HEAD;
}

static void
every_bit(void **state)
{
	char *body = make_body(700), *data;
	size_t f, len, i;
	bool found;
	int bit;

	(void)state;
	for (f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		data =
		    write_one(&forms[f], "record\n", 7, body, 700, false, &len);
		for (i = 0; i < len; i++) {
			for (bit = 0; bit < 8; bit++) {
				data[i] ^= (char)(1 << bit);
				if (!harmless(data, len, body, 700, &found) ||
				    (!found && !spare_slot(&forms[f], i) &&
					!in_frame(&forms[f], i)))
					fail_msg("form %zu octet %zu bit %d", f,
					    i, bit);
				data[i] ^= (char)(1 << bit);
			}
		}
		assert_true(harmless(data, len, body, 700, &found));
		assert_false(found);
		free(data);
	}
	free(body);
}

/* Segments of a large one in another order, or of another message. */
static void
segments_moved(void **state)
{
	char *body = make_body(200000), *data, *swap, *to;
	struct codec_reader *r;
	size_t len;

	(void)state;
	data = write_one(&forms[2], "record\n", 7, body, 200000, false, &len);
	to = data + MESSAGE_HEAD_SEALED;
	swap = mem_zalloc(65552);
	memcpy(swap, to, 65552);
	memcpy(to, to + 65552, 65552);
	memcpy(to + 65552, swap, 65552);
	r = codec_open_data(data, len, ring);
	assert_int_equal(codec_verify(r), CODEC_DAMAGED);
	codec_close(r);
	/* Whole segments gone from the end. */
	memcpy(to + 65552, to, 65552);
	memcpy(to, swap, 65552);
	r = codec_open_data(data, MESSAGE_HEAD_SEALED + 65552, ring);
	assert_int_equal(codec_verify(r), CODEC_DAMAGED);
	codec_close(r);
	free(swap);
	free(data);
	free(body);
}

static void
keys_missing(void **state)
{
	char *data;
	struct codec_reader *r;
	size_t len, f;

	(void)state;
	for (f = 2; f < 4; f++) {
		data = write_one(
		    &forms[f], "record\n", 7, "body\r\n", 6, false, &len);
		r = codec_open_data(data, len, other);
		assert_int_equal(codec_verify(r), CODEC_NO_KEY);
		assert_string_equal(codec_kid(r, 0), keys[0].kid);
		assert_string_equal(codec_kid(r, 1), "");
		assert_int_equal(codec_message(r)->size, 6);
		assert_null(codec_data_key(r));
		codec_close(r);
		r = codec_open_data(data, len, NULL);
		assert_int_equal(codec_state(r), CODEC_NO_KEY);
		codec_close(r);
		r = codec_open_data(data, len, impostor);
		assert_int_equal(codec_verify(r), CODEC_WRONG_KEY);
		assert_string_equal(codec_kid(r, 0), keys[0].kid);
		codec_close(r);
		free(data);
	}
}

/* One slot is rewritten, the stream is not. */
static void
slot_rewritten(void **state)
{
	char slot[SEAL_SLOT + 1], *data;
	struct codec_reader *r;
	size_t len;

	(void)state;
	data = write_one(&forms[3], "record\n", 7, "body\r\n", 6, false, &len);
	r = codec_open_data(data, len, ring);
	assert_int_equal(seal_wrap(&keys[1], ID, codec_data_key(r), slot), 0);
	codec_close(r);
	message_slot_print(slot, data + MESSAGE_SLOT_AT(1));
	data[MESSAGE_SLOT_AT(1) + MESSAGE_SLOT] = '\n';
	r = codec_open_data(data, len, other);
	assert_int_equal(codec_verify(r), CODEC_OK);
	assert_string_equal(codec_kid(r, 0), keys[0].kid);
	assert_string_equal(codec_kid(r, 1), keys[1].kid);
	codec_close(r);
	r = codec_open_data(data, len, ring);
	assert_int_equal(codec_verify(r), CODEC_OK);
	/* A half-written slot does not matter while the other is whole. */
	data[MESSAGE_SLOT_AT(1) + 60] ^= 1;
	codec_close(r);
	r = codec_open_data(data, len, ring);
	assert_int_equal(codec_verify(r), CODEC_OK);
	codec_close(r);
	free(data);
}

static int
scratch(void)
{
	char name[] = "/tmp/codec.XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd != -1);
	unlink(name);
	return fd;
}

static void
converted(void **state)
{
	char *body = make_body(150000), *data;
	struct codec_writer *w = codec_writer_new();
	struct codec_reader *r, *back;
	size_t from, to, len;
	int fd;

	(void)state;
	for (from = 0; from < 4; from++) {
		for (to = 0; to < 4; to++) {
			data = write_one(&forms[from], "record\n", 7, body,
			    150000, from % 2 != 0, &len);
			r = codec_open_data(data, len, ring);
			fd = scratch();
			assert_int_equal(
			    codec_convert(r, w, &forms[to], fd), CODEC_OK);
			back = codec_open(fd, 0, CODEC_TO_END, ring);
			compare(back, "record\n", 7, body, 150000, 65536);
			assert_int_equal(codec_stored(back), codec_written(w));
			codec_close(back);
			codec_close(r);
			close(fd);
			free(data);
		}
	}
	codec_writer_free(w);
	free(body);
}

/* The record does not fit in front of the body: the body is read back. */
static void
record_too_long(void **state)
{
	size_t rlen = 200000, size = 100000, f, n;
	char *record = make_body(rlen), *body = make_body(size), *got;
	struct codec_writer *w = codec_writer_new();
	struct codec_reader *r;
	int fd;

	(void)state;
	got = mem_zalloc(size + 1);
	for (f = 0; f < 4; f++) {
		fd = scratch();
		assert_int_equal(codec_begin(w, &forms[f], ID, 1, 0, fd), 0);
		assert_int_equal(codec_put_body(w, body, size), 0);
		codec_put_record(w, record, rlen);
		assert_int_equal(codec_end(w, NULL), -1);
		codec_put_record(w, "", 0);
		assert_int_equal(codec_end(w, NULL), 0);
		r = codec_open(fd, 0, CODEC_TO_END, ring);
		assert_int_equal(codec_verify(r), CODEC_OK);
		assert_int_equal(
		    codec_read_body(r, 0, got, size, &n), CODEC_OK);
		assert_int_equal(n, size);
		assert_memory_equal(got, body, size);
		codec_close(r);
		close(fd);
	}
	codec_writer_free(w);
	free(record);
	free(body);
	free(got);
}

static size_t
make_text(char *text, size_t size)
{
	int n = snprintf(text, size,
	    "spool-envelope: 1\nid: 3f9a0c41d7b20001\ngeneration: 4\n");

	return (size_t)n +
	    (size_t)snprintf(text + n, size - (size_t)n, "check: crc32c=%08x\n",
		(unsigned)crc32c(0, text, (size_t)n));
}

static void
envelope_files(void **state)
{
	struct buf *b = buf_new(ENVFILE_STORED_MAX),
		   *clear = buf_new(ENVFILE_MAX);
	char text[512], kid[KEYRING_KID + 1], *stored;
	size_t len = make_text(text, sizeof(text)), n, i;
	enum envfile_state s;
	uint64_t id;
	int bit;

	(void)state;
	assert_int_equal(envfile_generation(text, len), 4);
	assert_int_equal(
	    envfile_wrap(&keys[0], envfile_id(text, len), text, len, b), 0);
	n = buf_len(b);
	stored = (char *)buf_steal(b, &n);
	assert_true(envfile_is_sealed(stored, n));
	assert_int_equal(envfile_check(stored, n), ENVFILE_WHOLE);
	assert_int_equal(
	    envfile_unwrap(ring, stored, n, clear, &id, kid), ENVFILE_WHOLE);
	assert_int_equal(id, UINT64_C(0x3f9a0c41d7b20001));
	assert_string_equal(kid, keys[0].kid);
	assert_int_equal(buf_len(clear), len);
	assert_memory_equal(buf_text(clear), text, len);
	buf_reset(clear);
	assert_int_equal(
	    envfile_unwrap(other, stored, n, clear, &id, kid), ENVFILE_NO_KEY);
	assert_int_equal(id, UINT64_C(0x3f9a0c41d7b20001));
	assert_int_equal(envfile_unwrap(impostor, stored, n, clear, &id, kid),
	    ENVFILE_WRONG_KEY);
	assert_int_equal(buf_len(clear), 0);
	for (i = 0; i < n; i++) {
		s = envfile_unwrap(ring, stored, i, clear, NULL, NULL);
		if (s != ENVFILE_TORN)
			fail_msg("length %zu: %d", i, (int)s);
		buf_reset(clear);
		for (bit = 0; bit < 8; bit++) {
			stored[i] ^= (char)(1 << bit);
			s = envfile_unwrap(ring, stored, n, clear, NULL, NULL);
			if (s != ENVFILE_TORN && s != ENVFILE_EDITED)
				fail_msg("octet %zu bit %d", i, bit);
			stored[i] ^= (char)(1 << bit);
			buf_reset(clear);
		}
	}
	free(stored);
	buf_free(b);
	buf_free(clear);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(segments_filled),
		cmocka_unit_test(within_a_file),
		cmocka_unit_test(every_length),
		cmocka_unit_test(every_bit),
		cmocka_unit_test(segments_moved),
		cmocka_unit_test(keys_missing),
		cmocka_unit_test(slot_rewritten),
		cmocka_unit_test(converted),
		cmocka_unit_test(record_too_long),
		cmocka_unit_test(envelope_files),
	};

	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}

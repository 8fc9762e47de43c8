#include "queue/seal.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MSGID UINT64_C(0x3f9a0c41d7b2)
#define EVPID UINT64_C(0x3f9a0c41d7b20001)
#define KID "home-key-2026-11"
#define REST " 2026-11-22T13:21:09Z aes-256-gcm "
#define RING                                                                   \
	KID " active" REST "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"    \
	    "older-key-000001 readable" REST                                   \
	    "QAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
/* The name is known, the key behind it is another. */
#define WRONG_RING                                                             \
	KID " active" REST "ZAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
#define OTHER_RING                                                             \
	"other-key-000001 active" REST                                         \
	"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"

/* All from seal_vectors.py. */
#define SLOT                                                                   \
	"key=" KID " QEFCQ0RFRkdISUpLzimBVIsD oR8bjRnT8WF9NUg+TVhiQzPtcXhyz5b" \
	"EgXM/vQPCESJmlm3hEzTi5mhcAVrT6HFF"
#define TEXT                                                                   \
	"spoolkit-envelope 1 3f9a0c41d7b20001 4 " KID                          \
	" QEFCQ0RFRkdISUpLzimBVIsD\n"                                          \
	"D+MK76FwKjRXpYtbPJNZjelOjd6STUYzrBXv4HM3FUydR1VOkFi6B770I5wrH50vIs0W" \
	"pq2xduX5\n"                                                           \
	"lp2yzhvL3Csgvq+qpEuV52k/1HaaYVIVszs68BoLllrWK1GeawvhH8RMmf3bGyn6vM8V" \
	"6RtgenP8\n"                                                           \
	"WOc=\n"
#define CLEAR                                                                  \
	"spool-envelope: 1\nid: 3f9a0c41d7b20001\nxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"

static struct keyring *
ring(const char *text)
{
	char err[128];
	struct keyring *r =
	    keyring_parse(text, strlen(text), NULL, err, sizeof(err));

	assert_non_null(r);
	return r;
}

static void
counted_key(uint8_t key[SEAL_DATA_KEY])
{
	unsigned i;

	for (i = 0; i < SEAL_DATA_KEY; i++)
		key[i] = (uint8_t)(32 + i);
}

static struct seal_stream *
stream(uint64_t msgid, const char *codec)
{
	uint8_t key[SEAL_DATA_KEY];
	struct seal_stream *s;

	counted_key(key);
	s = seal_stream_new(key, msgid, codec);
	seal_stream_lengths(s, 412, 65130);
	return s;
}

static void
opens_known_slot(void **state)
{
	uint8_t key[SEAL_DATA_KEY], want[SEAL_DATA_KEY];
	struct keyring *r = ring(RING);
	char kid[KEYRING_KID + 1];

	(void)state;
	counted_key(want);
	assert_int_equal(strlen(SLOT), SEAL_SLOT);
	assert_int_equal(seal_unwrap(r, MSGID, SLOT, key, kid), SEAL_OK);
	assert_memory_equal(key, want, sizeof(key));
	assert_string_equal(kid, KID);
	assert_int_equal(
	    seal_unwrap(r, MSGID + 1, SLOT, key, kid), SEAL_DAMAGED);
	keyring_unref(r);
}

static void
wraps_and_unwraps(void **state)
{
	uint8_t key[SEAL_DATA_KEY], again[SEAL_DATA_KEY];
	char slot[SEAL_SLOT + 1], other[SEAL_SLOT + 1], kid[KEYRING_KID + 1];
	struct keyring *r = ring(RING);
	size_t i;

	(void)state;
	for (i = 0; i < keyring_count(r); i++) {
		assert_int_equal(seal_data_key(key), 0);
		assert_int_equal(
		    seal_wrap(keyring_at(r, i), MSGID, key, slot), 0);
		assert_int_equal(strlen(slot), SEAL_SLOT);
		assert_int_equal(
		    seal_wrap(keyring_at(r, i), MSGID, key, other), 0);
		assert_string_not_equal(slot, other);
		assert_int_equal(
		    seal_unwrap(r, MSGID, slot, again, kid), SEAL_OK);
		assert_string_equal(kid, keyring_at(r, i)->kid);
		assert_memory_equal(key, again, sizeof(key));
	}
	seal_wipe(key, sizeof(key));
	for (i = 0; i < sizeof(key); i++)
		assert_int_equal(key[i], 0);
	seal_slot_empty(slot);
	assert_int_equal(strlen(slot), SEAL_SLOT);
	assert_int_equal(seal_unwrap(r, MSGID, slot, again, kid), SEAL_EMPTY);
	assert_int_equal(
	    seal_unwrap(NULL, MSGID, slot, again, kid), SEAL_EMPTY);
	keyring_unref(r);
}

static void
tells_a_lacking_key_from_damage(void **state)
{
	struct keyring *wrong = ring(WRONG_RING), *other = ring(OTHER_RING);
	uint8_t key[SEAL_DATA_KEY];
	struct buf *clear = buf_new(4096);
	char kid[KEYRING_KID + 1];
	struct keyring *rings[] = { NULL, wrong, other };
	uint64_t evpid;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(
		    seal_unwrap(rings[i], MSGID, SLOT, key, kid), SEAL_NO_KEY);
		assert_string_equal(kid, KID);
		evpid = 0;
		assert_int_equal(seal_open_text(rings[i], "envelope", TEXT,
				     strlen(TEXT), clear, &evpid, kid),
		    SEAL_NO_KEY);
		assert_string_equal(kid, KID);
		assert_int_equal(evpid, EVPID);
	}
	assert_int_equal(buf_len(clear), 0);
	buf_free(clear);
	keyring_unref(wrong);
	keyring_unref(other);
}

static void
any_bit_of_a_slot(void **state)
{
	struct keyring *r = ring(RING);
	char slot[SEAL_SLOT + 1], kid[KEYRING_KID + 1];
	uint8_t key[SEAL_DATA_KEY];
	size_t i, bit;

	(void)state;
	memcpy(slot, SLOT, sizeof(slot));
	for (i = 0; i < SEAL_SLOT; i++) {
		for (bit = 0; bit < 8; bit++) {
			slot[i] = (char)(slot[i] ^ 1 << bit);
			assert_int_not_equal(
			    seal_unwrap(r, MSGID, slot, key, kid), SEAL_OK);
			slot[i] = (char)(slot[i] ^ 1 << bit);
		}
	}
	seal_slot_empty(slot);
	for (i = 0; i < SEAL_SLOT; i++) {
		for (bit = 0; bit < 8; bit++) {
			slot[i] = (char)(slot[i] ^ 1 << bit);
			assert_int_equal(seal_unwrap(r, MSGID, slot, key, kid),
			    SEAL_DAMAGED);
			slot[i] = (char)(slot[i] ^ 1 << bit);
		}
	}
	keyring_unref(r);
}

static void
known_segments(void **state)
{
	static const uint8_t hello[] = { 0xe6, 0x73, 0xf3, 0x0a, 0xf7, 0x79,
		0x5d, 0x1e, 0x4a, 0xf3, 0xe2, 0xc1, 0xb1, 0x94, 0x25, 0x8a,
		0xf4, 0x34, 0xb2, 0x5f, 0x65 };
	static const uint8_t empty[] = { 0xfb, 0xb2, 0xd5, 0xf1, 0xf5, 0x55,
		0xea, 0x61, 0x6c, 0xba, 0xaa, 0x7f, 0x05, 0x78, 0x07, 0x5e };
	static const uint8_t digest[] = { 0x12, 0xa6, 0xff, 0x9b, 0xad, 0x4a,
		0x9b, 0x06, 0x17, 0x97, 0xea, 0x5b, 0x9d, 0x38, 0x4d, 0x92,
		0x24, 0xdf, 0xf9, 0xd8, 0x2f, 0x32, 0x7a, 0x54, 0xae, 0xcf,
		0xa3, 0x45, 0x53, 0x59, 0x3c, 0x3e };
	struct seal_stream *s = stream(MSGID, "aes-256-gcm");
	uint8_t *room = malloc(SEAL_SEGMENT + SEAL_TAG), got[32];

	(void)state;
	assert_int_equal(seal_segment(s, 1, true, "hello", 5, room), 0);
	assert_memory_equal(room, hello, sizeof(hello));
	assert_int_equal(seal_segment(s, 0, true, "", 0, room), 0);
	assert_memory_equal(room, empty, sizeof(empty));
	memset(room, 'a', SEAL_SEGMENT);
	assert_int_equal(
	    seal_segment(s, 0, false, room, SEAL_SEGMENT, room), 0);
	SHA256(room, SEAL_SEGMENT + SEAL_TAG, got);
	assert_memory_equal(got, digest, sizeof(got));
	assert_int_equal(
	    seal_open_segment(s, 0, false, room, SEAL_SEGMENT + SEAL_TAG, room),
	    SEAL_OK);
	assert_int_equal(room[0], 'a');
	assert_int_equal(room[SEAL_SEGMENT - 1], 'a');
	assert_int_equal(
	    seal_open_segment(s, 1, true, hello, sizeof(hello), room), SEAL_OK);
	assert_memory_equal(room, "hello", 5);
	assert_int_equal(
	    seal_open_segment(s, 0, true, empty, sizeof(empty), room), SEAL_OK);
	free(room);
	seal_stream_free(s);
	seal_stream_free(NULL);
}

/* Seals clear octets as the codec does; returns the sealed length. */
static size_t
seal_all(struct seal_stream *s, const uint8_t *clear, size_t len, uint8_t *out)
{
	size_t at = 0, to = 0, n;
	uint64_t i = 0;
	bool last;

	do {
		n = len - at > SEAL_SEGMENT ? SEAL_SEGMENT : len - at;
		last = at + n == len;
		assert_int_equal(
		    seal_segment(s, i++, last, clear + at, n, out + to), 0);
		at += n;
		to += n + SEAL_TAG;
	} while (!last);
	return to;
}

static enum seal_result
open_all(struct seal_stream *s, const uint8_t *sealed, size_t len, uint8_t *out)
{
	size_t at = 0, to = 0, n;
	enum seal_result rc;
	uint64_t i = 0;
	bool last;

	if (seal_clear_length(len) == UINT64_MAX)
		return SEAL_DAMAGED;
	do {
		n = len - at;
		if (n > SEAL_SEGMENT + SEAL_TAG)
			n = SEAL_SEGMENT + SEAL_TAG;
		last = at + n == len;
		rc = seal_open_segment(s, i++, last, sealed + at, n, out + to);
		at += n;
		to += n - SEAL_TAG;
	} while (rc == SEAL_OK && !last);
	return rc;
}

static const size_t lengths[] = { 0, 1, 15, 16, 17, SEAL_SEGMENT - 1,
	SEAL_SEGMENT, SEAL_SEGMENT + 1, 2 * SEAL_SEGMENT - 1, 2 * SEAL_SEGMENT,
	2 * SEAL_SEGMENT + 1, 200000 };
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static void
streams_of_any_length(void **state)
{
	struct seal_stream *s = stream(MSGID, "aes-256-gcm"), *rest;
	uint8_t *clear = malloc(200000), *sealed = malloc(200100),
		*again = malloc(200100);
	size_t i, len, n;

	(void)state;
	for (i = 0; i < 200000; i++)
		clear[i] = (uint8_t)(i * 7 + (i >> 9));
	for (i = 0; i < LENGTHS; i++) {
		len = seal_all(s, clear, lengths[i], sealed);
		assert_int_equal(len, seal_length(lengths[i]));
		assert_int_equal(seal_clear_length(len), lengths[i]);
		rest = stream(MSGID, "aes-256-gcm");
		assert_int_equal(open_all(rest, sealed, len, again), SEAL_OK);
		assert_memory_equal(again, clear, lengths[i]);
		/* Cut at its ends and at those of its segments. */
		for (n = 1; n <= 40 && n <= len; n++)
			assert_int_equal(open_all(rest, sealed, len - n, again),
			    SEAL_DAMAGED);
		for (n = SEAL_SEGMENT + SEAL_TAG; n < len;
		     n += SEAL_SEGMENT + SEAL_TAG)
			assert_int_equal(
			    open_all(rest, sealed, n, again), SEAL_DAMAGED);
		seal_stream_free(rest);
	}
	/* Two full segments in the wrong order, or one of them twice. */
	len = seal_all(s, clear, 200000, sealed);
	memcpy(
	    again, sealed + SEAL_SEGMENT + SEAL_TAG, SEAL_SEGMENT + SEAL_TAG);
	memcpy(
	    again + SEAL_SEGMENT + SEAL_TAG, sealed, SEAL_SEGMENT + SEAL_TAG);
	memcpy(again + 2 * (SEAL_SEGMENT + SEAL_TAG),
	    sealed + 2 * (SEAL_SEGMENT + SEAL_TAG),
	    len - 2 * (SEAL_SEGMENT + SEAL_TAG));
	assert_int_equal(open_all(s, again, len, again), SEAL_DAMAGED);
	memcpy(
	    sealed + SEAL_SEGMENT + SEAL_TAG, sealed, SEAL_SEGMENT + SEAL_TAG);
	assert_int_equal(open_all(s, sealed, len, again), SEAL_DAMAGED);
	free(again);
	free(sealed);
	free(clear);
	seal_stream_free(s);
}

static void
any_bit_of_a_stream(void **state)
{
	struct seal_stream *s = stream(MSGID, "aes-256-gcm");
	uint8_t sealed[300], clear[300];
	size_t i, bit, len = 284;

	(void)state;
	memset(clear, 'c', sizeof(clear));
	assert_int_equal(seal_segment(s, 0, true, clear, len, sealed), 0);
	for (i = 0; i < len + SEAL_TAG; i++) {
		for (bit = 0; bit < 8; bit++) {
			sealed[i] = (uint8_t)(sealed[i] ^ 1u << bit);
			clear[0] = 'c';
			assert_int_equal(seal_open_segment(s, 0, true, sealed,
					     len + SEAL_TAG, clear),
			    SEAL_DAMAGED);
			/* And nothing of it can be looked at. */
			assert_int_equal(clear[0], 0);
			sealed[i] = (uint8_t)(sealed[i] ^ 1u << bit);
		}
	}
	for (i = 0; i < len + SEAL_TAG; i++)
		assert_int_equal(
		    seal_open_segment(s, 0, true, sealed, i, clear),
		    SEAL_DAMAGED);
	seal_stream_free(s);
}

static void
what_a_segment_belongs_to(void **state)
{
	struct seal_stream *s = stream(MSGID, "aes-256-gcm"), *other;
	uint8_t *sealed = malloc(SEAL_SEGMENT + SEAL_TAG),
		*clear = calloc(1, SEAL_SEGMENT + 1), key[SEAL_DATA_KEY];
	int i;

	(void)state;
	/* Forms that no stream has. */
	assert_int_equal(seal_segment(s, 0, false, clear, 5, sealed), -1);
	assert_int_equal(seal_segment(s, 1, true, clear, 0, sealed), -1);
	assert_int_equal(
	    seal_segment(s, 0, true, clear, SEAL_SEGMENT + 1, sealed), -1);
	assert_int_equal(
	    seal_segment(s, 0, true, clear, SEAL_SEGMENT, sealed), 0);
	assert_int_equal(seal_open_segment(s, 0, false, sealed,
			     SEAL_SEGMENT + SEAL_TAG, clear),
	    SEAL_DAMAGED);
	assert_int_equal(seal_open_segment(s, 1, true, sealed,
			     SEAL_SEGMENT + SEAL_TAG, clear),
	    SEAL_DAMAGED);
	assert_int_equal(seal_open_segment(s, 0, true, sealed,
			     SEAL_SEGMENT + SEAL_TAG, clear),
	    SEAL_OK);
	for (i = 0; i < 5; i++) {
		other = stream(i == 0 ? MSGID + 1 : MSGID,
		    i == 1 ? "zstd+aes-256-gcm" : "aes-256-gcm");
		if (i == 2)
			seal_stream_lengths(other, 411, 65130);
		if (i == 3)
			seal_stream_lengths(other, 412, 65131);
		if (i == 4) {
			counted_key(key);
			key[31] ^= 1;
			seal_stream_free(other);
			other = seal_stream_new(key, MSGID, "aes-256-gcm");
			seal_stream_lengths(other, 412, 65130);
		}
		assert_int_equal(seal_open_segment(other, 0, true, sealed,
				     SEAL_SEGMENT + SEAL_TAG, clear),
		    SEAL_DAMAGED);
		seal_stream_free(other);
	}
	free(clear);
	free(sealed);
	seal_stream_free(s);
}

static void
lengths_both_ways(void **state)
{
	uint64_t n, clear, valid = 0;

	(void)state;
	assert_int_equal(seal_length(0), 16);
	assert_true(seal_clear_length(0) == UINT64_MAX);
	assert_true(seal_clear_length(15) == UINT64_MAX);
	assert_true(
	    seal_clear_length(SEAL_SEGMENT + 2 * SEAL_TAG) == UINT64_MAX);
	for (n = 0; n < 3 * (SEAL_SEGMENT + SEAL_TAG); n++) {
		clear = seal_clear_length(n);
		if (clear == UINT64_MAX)
			continue;
		assert_int_equal(clear, valid++);
		assert_int_equal(seal_length(clear), n);
	}
	assert_int_equal(valid, 3 * SEAL_SEGMENT);
}

static enum seal_result
open_text(const struct keyring *r, const char *kind, const char *text,
    size_t len, struct buf *clear)
{
	buf_reset(clear);
	return seal_open_text(r, kind, text, len, clear, NULL, NULL);
}

static void
known_text(void **state)
{
	struct keyring *r = ring(RING);
	struct buf *clear = buf_new(4096), *small = buf_new(10);
	char kid[KEYRING_KID + 1];
	uint64_t evpid = 0;

	(void)state;
	assert_true(seal_is_text(TEXT, strlen(TEXT)));
	assert_false(seal_is_text(TEXT, 10));
	assert_false(seal_is_text(CLEAR, strlen(CLEAR)));
	assert_int_equal(seal_open_text(r, "envelope", TEXT, strlen(TEXT),
			     clear, &evpid, kid),
	    SEAL_OK);
	assert_string_equal(buf_text(clear), CLEAR);
	assert_int_equal(evpid, EVPID);
	assert_string_equal(kid, KID);
	assert_int_equal(
	    open_text(r, "image", TEXT, strlen(TEXT), clear), SEAL_DAMAGED);
	assert_int_equal(
	    open_text(r, "envelope", TEXT, strlen(TEXT), small), SEAL_DAMAGED);
	assert_int_equal(open_text(r, "envelope", CLEAR, strlen(CLEAR), clear),
	    SEAL_DAMAGED);
	buf_free(small);
	buf_free(clear);
	keyring_unref(r);
}

static void
texts_of_any_length(void **state)
{
	struct keyring *r = ring(RING);
	struct buf *sealed = buf_new(8192), *again = buf_new(8192),
		   *clear = buf_new(4096), *small = buf_new(150);
	char text[300];
	size_t len;

	(void)state;
	memset(text, 'T', sizeof(text));
	for (len = 0; len <= sizeof(text); len++) {
		buf_reset(sealed);
		assert_int_equal(seal_text(keyring_at(r, len & 1), "envelope",
				     EVPID, UINT32_MAX, text, len, sealed),
		    0);
		assert_int_equal(open_text(r, "envelope", buf_text(sealed),
				     buf_len(sealed), clear),
		    SEAL_OK);
		assert_int_equal(buf_len(clear), len);
		assert_memory_equal(buf_data(clear), text, len);
		assert_null(strstr(buf_text(sealed), "TTTTTTTT"));
	}
	/* A fresh key for every write. */
	assert_int_equal(seal_text(keyring_at(r, 0), "envelope", EVPID,
			     UINT32_MAX, text, len - 1, again),
	    0);
	assert_string_not_equal(buf_text(sealed), buf_text(again));
	assert_int_equal(buf_puts(small, "before"), 0);
	assert_int_equal(seal_text(keyring_at(r, 0), "envelope", EVPID, 1, text,
			     len - 1, small),
	    -1);
	assert_string_equal(buf_text(small), "before");
	buf_free(small);
	buf_free(clear);
	buf_free(again);
	buf_free(sealed);
	keyring_unref(r);
}

static void
any_bit_and_cut_of_a_text(void **state)
{
	struct keyring *r = ring(RING);
	struct buf *clear = buf_new(4096);
	char text[] = TEXT TEXT;
	size_t i, bit, len = strlen(TEXT);

	(void)state;
	for (i = 0; i < len; i++) {
		for (bit = 0; bit < 8; bit++) {
			text[i] = (char)(text[i] ^ 1 << bit);
			assert_int_not_equal(
			    open_text(r, "envelope", text, len, clear),
			    SEAL_OK);
			assert_int_equal(buf_len(clear), 0);
			text[i] = (char)(text[i] ^ 1 << bit);
		}
		assert_int_equal(
		    open_text(r, "envelope", text, i, clear), SEAL_DAMAGED);
	}
	for (i = len + 1; i <= 2 * len; i++)
		assert_int_equal(
		    open_text(r, "envelope", text, i, clear), SEAL_DAMAGED);
	buf_free(clear);
	keyring_unref(r);
}

static void *
seals_much(void *arg)
{
	struct keyring *r = arg;
	struct buf *b = buf_new(8192), *clear = buf_new(8192);
	char slot[SEAL_SLOT + 1], kid[KEYRING_KID + 1];
	uint8_t key[SEAL_DATA_KEY], again[SEAL_DATA_KEY];
	uint64_t i;

	for (i = 1; i <= 500; i++) {
		if (seal_data_key(key) == -1 ||
		    seal_wrap(keyring_active(r), i, key, slot) == -1 ||
		    seal_unwrap(r, i, slot, again, kid) != SEAL_OK ||
		    memcmp(key, again, sizeof(key)) != 0)
			abort();
		buf_reset(b);
		if (seal_text(keyring_active(r), "image", i << 16 | 1, 1,
			"text", 4, b) == -1 ||
		    open_text(r, "image", buf_text(b), buf_len(b), clear) !=
			SEAL_OK ||
		    strcmp(buf_text(clear), "text") != 0)
			abort();
	}
	buf_free(clear);
	buf_free(b);
	return NULL;
}

static void
threads_share_a_ring(void **state)
{
	struct keyring *r = ring(RING);
	pthread_t t[4];
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, seals_much, r), 0);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	keyring_unref(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_known_slot),
		cmocka_unit_test(wraps_and_unwraps),
		cmocka_unit_test(tells_a_lacking_key_from_damage),
		cmocka_unit_test(any_bit_of_a_slot),
		cmocka_unit_test(known_segments),
		cmocka_unit_test(streams_of_any_length),
		cmocka_unit_test(any_bit_of_a_stream),
		cmocka_unit_test(what_a_segment_belongs_to),
		cmocka_unit_test(lengths_both_ways),
		cmocka_unit_test(known_text),
		cmocka_unit_test(texts_of_any_length),
		cmocka_unit_test(any_bit_and_cut_of_a_text),
		cmocka_unit_test(threads_share_a_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

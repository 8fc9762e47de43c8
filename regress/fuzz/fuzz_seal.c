/*
 * Any octets as a sealed text, a slot and a segment. Whoever does not know the
 * key makes none that opens; the corpus holds those of the known answers.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "queue/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RING                                                                   \
	"home-key-2026-11 active 2026-11-22T13:21:09Z aes-256-gcm "            \
	"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"

static void
as_text(const struct keyring *r, const uint8_t *data, size_t size)
{
	struct buf *clear = buf_new(1u << 20), *again = buf_new(1u << 21);
	char kid[KEYRING_KID + 1];
	uint64_t evpid;

	if (seal_open_text(r, "envelope", (const char *)data, size, clear,
		&evpid, kid) == SEAL_OK) {
		if (seal_text(keyring_active(r), "envelope", evpid, 4,
			buf_text(clear), buf_len(clear), again) == -1 ||
		    buf_len(again) > size + 10)
			abort();
	} else if (buf_len(clear) != 0) {
		abort();
	}
	buf_free(again);
	buf_free(clear);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char err[128], kid[KEYRING_KID + 1];
	struct keyring *r =
	    keyring_parse(RING, sizeof(RING) - 1, NULL, err, sizeof(err));
	uint8_t key[SEAL_DATA_KEY] = { 0 }, *clear;
	struct seal_stream *s;

	if (r == NULL)
		abort();
	as_text(r, data, size);
	if (size >= SEAL_SLOT)
		(void)seal_unwrap(
		    r, 0x3f9a0c41d7b2, (const char *)data, key, kid);
	if (size > 0 && size <= SEAL_SEGMENT) {
		clear = malloc(size);
		s = seal_stream_new(key, 0x3f9a0c41d7b2, "aes-256-gcm");
		(void)seal_open_segment(
		    s, data[0], size & 1, data, size, clear);
		seal_stream_free(s);
		free(clear);
	}
	keyring_unref(r);
	return 0;
}

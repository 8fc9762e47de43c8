/*
 * Message files as an attacker or a bad disk may have them: whatever the
 * container says, reading stays in bounds, gives no more than the head says,
 * and the same twice; what verifies can be read to its end.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "queue/codec.h"
#include "queue/envfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The ring by which the corpus was sealed. */
static const char ring_text[] =
    "fuzz-key-0000001 active 2026-11-22T13:21:09Z aes-256-gcm "
    "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";

/* So that what is changed gets past the head's own checksums. */
static void
mend_head(char *head, size_t len)
{
	char digits[12];
	unsigned i;
	size_t at;

	if (len < MESSAGE_LINE)
		return;
	snprintf(
	    digits, sizeof(digits), "%08x", (unsigned)crc32c(0, head, 120));
	memcpy(head + 128, digits, 8);
	for (i = 0; i < MESSAGE_SLOTS && len >= MESSAGE_HEAD_SEALED; i++) {
		at = MESSAGE_SLOT_AT(i);
		snprintf(digits, sizeof(digits), "%08x",
		    (unsigned)crc32c(0, head + at, SEAL_SLOT));
		memcpy(head + at + SEAL_SLOT + 1, digits, 8);
	}
}

static void
read_all(const char *data, size_t len, const struct keyring *ring)
{
	struct codec_reader *r = codec_open_data(data, len, ring);
	bool whole = codec_verify(r) == CODEC_OK;
	uint64_t at = 0, size = codec_message(r)->size;
	char *piece = mem_zalloc(5000);
	enum codec_result rc;
	size_t got;

	do {
		rc = codec_read_body(r, at, piece, 5000, &got);
		assert(got <= 5000 && at + got <= size);
		at += got;
	} while (rc == CODEC_OK && got > 0);
	assert(!whole || (rc == CODEC_OK && at == size));
	assert(rc == CODEC_OK || codec_why(r)[0] != '\0');
	(void)codec_read(r, 0, piece, 5000, &got);
	free(piece);
	codec_close(r);
}

static void
unwrap(const char *data, size_t len, const struct keyring *ring)
{
	struct buf *clear = buf_new(ENVFILE_STORED_MAX);
	char kid[KEYRING_KID + 1];
	uint64_t evpid;

	if (len <= ENVFILE_STORED_MAX)
		(void)envfile_unwrap(ring, data, len, clear, &evpid, kid);
	buf_free(clear);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char err[128], *copy = mem_zalloc(size + 1);
	struct keyring *ring = keyring_parse(
	    ring_text, sizeof(ring_text) - 1, NULL, err, sizeof(err));

	assert(ring != NULL);
	memcpy(copy, data, size);
	read_all(copy, size, ring);
	mend_head(copy, size);
	read_all(copy, size, ring);
	read_all(copy, size, NULL);
	unwrap(copy, size, ring);
	free(copy);
	keyring_unref(ring);
	return 0;
}

#include "queue/seal.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "queue/aead.h"

/* The word called salt: a random salt and the master key's fingerprint. */
#define SALT_WORD BASE64_LEN(AEAD_SALT + AEAD_PRINT)
#define WRAPPED (SEAL_DATA_KEY + SEAL_TAG)
#define SALT_AT (4u + KEYRING_KID + 1u) /* in a slot, behind "key=" */
#define WRAPPED_AT (SALT_AT + SALT_WORD + 1u)

_Static_assert(
    WRAPPED_AT + BASE64_LEN(WRAPPED) == SEAL_SLOT, "a slot's length");

#define TEXT_MAGIC "spoolkit-envelope 1 "
#define TEXT_LINE 57u /* octets of a line of 76 letters */
#define TEXT_HEAD_MAX 96u
#define AAD_MAX 160u

_Static_assert(KEYRING_PRINT == AEAD_PRINT, "a key's fingerprint");

struct seal_stream {
	uint8_t key[SEAL_DATA_KEY];
	uint64_t msgid, record, size;
	char codec[32];
};

int
seal_data_key(uint8_t key[SEAL_DATA_KEY])
{
	return RAND_priv_bytes(key, SEAL_DATA_KEY) == 1 ? 0 : -1;
}

void
seal_wipe(void *secret, size_t len)
{
	OPENSSL_cleanse(secret, len);
}

/* A fresh salt, and the word that says it. */
static int
salt_new(const struct key *master, uint8_t salt[AEAD_SALT], char *word)
{
	uint8_t both[AEAD_SALT + AEAD_PRINT];

	if (RAND_bytes(both, AEAD_SALT) != 1)
		return -1;
	memcpy(both + AEAD_SALT, master->print, AEAD_PRINT);
	memcpy(salt, both, AEAD_SALT);
	base64_encode(word, both, sizeof(both));
	return 0;
}

/* Finds the key by its name, and by its fingerprint in the salt's word: a ring
 * that gives the name to another key lacks this one. */
static enum seal_result
salt_read(const struct keyring *r, const char *kid, const char *word,
    uint8_t salt[AEAD_SALT], const struct key **master)
{
	uint8_t both[AEAD_SALT + AEAD_PRINT];

	if (base64_decode(both, word, SALT_WORD) != sizeof(both))
		return SEAL_DAMAGED;
	*master = keyring_find(r, kid);
	if (*master == NULL)
		return SEAL_NO_KEY;
	if (memcmp((*master)->print, both + AEAD_SALT, AEAD_PRINT) != 0)
		return SEAL_NO_KEY;
	memcpy(salt, both, AEAD_SALT);
	return SEAL_OK;
}

/* What binds a wrapped key to its message and its master. */
static void
slot_words(uint64_t msgid, const char *kid, char *info, char *aad)
{
	char id[IDENT_TEXT_MAX];

	ident_msgid_text(id, msgid);
	snprintf(info, AAD_MAX, "spoolkit-key-1 %s", id);
	snprintf(aad, AAD_MAX, "spoolkit-key-1 %s %s", id, kid);
}

int
seal_wrap(const struct key *master, uint64_t msgid,
    const uint8_t data_key[SEAL_DATA_KEY], char slot[SEAL_SLOT + 1])
{
	uint8_t salt[AEAD_SALT], key[AEAD_KEY], wrapped[WRAPPED];
	char info[AAD_MAX], aad[AAD_MAX];
	int rc = -1;

	assert(key_kid_ok(master->kid));
	slot_words(msgid, master->kid, info, aad);
	snprintf(slot, SEAL_SLOT + 1, "key=%-16s ", master->kid);
	if (salt_new(master, salt, slot + SALT_AT) == -1 ||
	    aead_derive(master->secret, salt, info, key) == -1)
		return -1;
	slot[WRAPPED_AT - 1] = ' ';
	if (aead_seal(key, NULL, aad, data_key, SEAL_DATA_KEY, wrapped) == 0) {
		base64_encode(slot + WRAPPED_AT, wrapped, sizeof(wrapped));
		slot[SEAL_SLOT] = '\0';
		rc = 0;
	}
	seal_wipe(key, sizeof(key));
	return rc;
}

void
seal_slot_empty(char slot[SEAL_SLOT + 1])
{
	memcpy(slot, "key=", 4);
	memset(slot + 4, '-', SEAL_SLOT - 4);
	slot[SALT_AT - 1] = slot[WRAPPED_AT - 1] = ' ';
	slot[SEAL_SLOT] = '\0';
}

enum seal_result
seal_unwrap(const struct keyring *r, uint64_t msgid, const char *slot,
    uint8_t data_key[SEAL_DATA_KEY], char kid[KEYRING_KID + 1])
{
	uint8_t salt[AEAD_SALT], key[AEAD_KEY], wrapped[WRAPPED];
	char info[AAD_MAX], aad[AAD_MAX], empty[SEAL_SLOT + 1];
	const struct key *master;
	enum seal_result rc;
	bool fits = false;

	kid[0] = '\0';
	seal_slot_empty(empty);
	if (memcmp(slot, empty, SEAL_SLOT) == 0)
		return SEAL_EMPTY;
	if (memcmp(slot, "key=", 4) != 0 || slot[SALT_AT - 1] != ' ' ||
	    slot[WRAPPED_AT - 1] != ' ')
		return SEAL_DAMAGED;
	memcpy(kid, slot + 4, KEYRING_KID);
	kid[KEYRING_KID] = '\0';
	if (!key_kid_ok(kid)) {
		kid[0] = '\0';
		return SEAL_DAMAGED;
	}
	if (base64_decode(wrapped, slot + WRAPPED_AT, BASE64_LEN(WRAPPED)) !=
	    sizeof(wrapped))
		return SEAL_DAMAGED;
	rc = salt_read(r, kid, slot + SALT_AT, salt, &master);
	if (rc != SEAL_OK)
		return rc;
	slot_words(msgid, kid, info, aad);
	if (aead_derive(master->secret, salt, info, key) == 0)
		fits = aead_open(
		    key, NULL, aad, wrapped, sizeof(wrapped), data_key);
	seal_wipe(key, sizeof(key));
	return fits ? SEAL_OK : SEAL_DAMAGED;
}

struct seal_stream *
seal_stream_new(
    const uint8_t data_key[SEAL_DATA_KEY], uint64_t msgid, const char *codec)
{
	struct seal_stream *s = mem_zalloc(sizeof(*s));

	memcpy(s->key, data_key, SEAL_DATA_KEY);
	s->msgid = msgid;
	snprintf(s->codec, sizeof(s->codec), "%s", codec);
	return s;
}

void
seal_stream_free(struct seal_stream *s)
{
	if (s == NULL)
		return;
	seal_wipe(s->key, sizeof(s->key));
	free(s);
}

void
seal_stream_lengths(struct seal_stream *s, uint64_t record, uint64_t size)
{
	s->record = record;
	s->size = size;
}

/* STREAM: the place and the end are in the nonce, what it belongs to in the
 * associated data, and the lengths with the last. */
static void
segment_words(const struct seal_stream *s, uint64_t n, bool last,
    uint8_t nonce[AEAD_NONCE], char aad[AAD_MAX])
{
	char id[IDENT_TEXT_MAX];
	unsigned i;
	int len;

	memset(nonce, 0, AEAD_NONCE);
	for (i = 0; i < 8; i++)
		nonce[3 + i] = (uint8_t)(n >> (56 - 8 * i));
	nonce[11] = last;
	len = snprintf(aad, AAD_MAX, "spoolkit-message-1 %s %s",
	    ident_msgid_text(id, s->msgid), s->codec);
	if (last)
		snprintf(aad + len, AAD_MAX - (size_t)len,
		    " record=%" PRIu64 " size=%" PRIu64, s->record, s->size);
}

/* Every stream has one form only: full segments, then one that is not empty
 * unless the stream is. */
static bool
segment_fits(uint64_t n, bool last, size_t len)
{
	if (!last)
		return len == SEAL_SEGMENT;
	return len <= SEAL_SEGMENT && (len > 0 || n == 0);
}

int
seal_segment(struct seal_stream *s, uint64_t n, bool last, const void *clear,
    size_t len, void *out)
{
	uint8_t nonce[AEAD_NONCE];
	char aad[AAD_MAX];

	if (!segment_fits(n, last, len))
		return -1;
	segment_words(s, n, last, nonce, aad);
	return aead_seal(s->key, nonce, aad, clear, len, out);
}

enum seal_result
seal_open_segment(struct seal_stream *s, uint64_t n, bool last,
    const void *sealed, size_t len, void *clear)
{
	uint8_t nonce[AEAD_NONCE];
	char aad[AAD_MAX];

	if (len < SEAL_TAG || !segment_fits(n, last, len - SEAL_TAG))
		return SEAL_DAMAGED;
	segment_words(s, n, last, nonce, aad);
	return aead_open(s->key, nonce, aad, sealed, len, clear) ? SEAL_OK
								 : SEAL_DAMAGED;
}

uint64_t
seal_length(uint64_t clear)
{
	uint64_t segments = clear / SEAL_SEGMENT;

	if (clear % SEAL_SEGMENT != 0 || clear == 0)
		segments++;
	return clear + segments * SEAL_TAG;
}

uint64_t
seal_clear_length(uint64_t sealed)
{
	uint64_t full = sealed / (SEAL_SEGMENT + SEAL_TAG);
	uint64_t rest = sealed % (SEAL_SEGMENT + SEAL_TAG);

	if (rest == 0)
		return full == 0 ? UINT64_MAX : full * SEAL_SEGMENT;
	if (rest < SEAL_TAG || (rest == SEAL_TAG && full > 0))
		return UINT64_MAX;
	return full * SEAL_SEGMENT + rest - SEAL_TAG;
}

bool
seal_is_text(const char *data, size_t len)
{
	return len >= sizeof(TEXT_MAGIC) - 1 &&
	    memcmp(data, TEXT_MAGIC, sizeof(TEXT_MAGIC) - 1) == 0;
}

static int
text_lines(const uint8_t *sealed, size_t len, struct buf *out)
{
	size_t before = buf_len(out), at, n, letters;
	uint8_t *room;

	for (at = 0; at < len; at += n) {
		n = len - at < TEXT_LINE ? len - at : TEXT_LINE;
		letters = BASE64_LEN(n);
		room = buf_room(out, letters + 1);
		if (room == NULL) {
			buf_truncate(out, before);
			return -1;
		}
		base64_encode((char *)room, sealed + at, n);
		room[letters] = '\n';
	}
	return 0;
}

int
seal_text(const struct key *master, const char *kind, uint64_t evpid,
    uint32_t generation, const char *text, size_t len, struct buf *out)
{
	char id[IDENT_TEXT_MAX], word[SALT_WORD + 1], aad[AAD_MAX];
	char info[AAD_MAX], head[TEXT_HEAD_MAX];
	uint8_t salt[AEAD_SALT], key[AEAD_KEY], *sealed;
	size_t before = buf_len(out);
	int rc = -1;

	if (salt_new(master, salt, word) == -1)
		return -1;
	word[SALT_WORD] = '\0';
	ident_evpid_text(id, evpid);
	snprintf(head, sizeof(head), TEXT_MAGIC "%s %" PRIu32 " %s %s", id,
	    generation, master->kid, word);
	snprintf(info, sizeof(info), "spoolkit-text-1 %s", id);
	snprintf(aad, sizeof(aad), "%s\n%s", head, kind);
	if (aead_derive(master->secret, salt, info, key) == -1)
		return -1;
	sealed = mem_zalloc(len + SEAL_TAG);
	if (aead_seal(key, NULL, aad, text, len, sealed) == 0 &&
	    buf_putf(out, "%s\n", head) == 0) {
		rc = text_lines(sealed, len + SEAL_TAG, out);
		if (rc == -1)
			buf_truncate(out, before);
	}
	seal_wipe(key, sizeof(key));
	free(sealed);
	return rc;
}

/* The word at *at, which ends before end; it and that octet are passed. */
static bool
word(const char *data, size_t len, size_t *at, char end, char *w, size_t size)
{
	size_t from = *at, n = 0;

	while (from + n < len && data[from + n] != end && n + 1 < size)
		n++;
	if (from + n >= len || data[from + n] != end)
		return false;
	memcpy(w, data + from, n);
	w[n] = '\0';
	*at = from + n + 1;
	/* A NUL within would hide what follows it. */
	return strlen(w) == n;
}

struct text_head {
	size_t len; /* its LF included */
	uint64_t evpid;
	char id[IDENT_TEXT_MAX];
	char kid[KEYRING_KID + 1];
	char salt[SALT_WORD + 1];
};

static bool
text_head(const char *data, size_t len, struct text_head *h)
{
	char generation[16], form[16];
	uint64_t number;

	h->len = sizeof(TEXT_MAGIC) - 1;
	if (!seal_is_text(data, len) ||
	    !word(data, len, &h->len, ' ', h->id, sizeof(h->id)) ||
	    !ident_evpid_parse(h->id, &h->evpid) ||
	    !word(data, len, &h->len, ' ', generation, sizeof(generation)) ||
	    !text_number(generation, UINT32_MAX, &number) ||
	    !word(data, len, &h->len, ' ', h->kid, sizeof(h->kid)) ||
	    !key_kid_ok(h->kid) ||
	    !word(data, len, &h->len, '\n', h->salt, sizeof(h->salt)) ||
	    strlen(h->salt) != SALT_WORD)
		return false;
	snprintf(form, sizeof(form), "%" PRIu64, number);
	return strcmp(form, generation) == 0;
}

/* The octets of the lines; -1: not lines as we write them. */
static ssize_t
text_unline(const char *data, size_t len, uint8_t *sealed)
{
	size_t at = 0, n;
	ssize_t got, sum = 0;

	while (at < len) {
		n = len - at;
		if (n > BASE64_LEN(TEXT_LINE) + 1)
			n = BASE64_LEN(TEXT_LINE) + 1;
		if (n < 2 || data[at + n - 1] != '\n')
			return -1;
		got = base64_decode(sealed + sum, data + at, n - 1);
		if (got == -1 || (at + n < len && got != TEXT_LINE))
			return -1;
		sum += got;
		at += n;
	}
	return sum;
}

enum seal_result
seal_open_text(const struct keyring *r, const char *kind, const char *data,
    size_t len, struct buf *clear, uint64_t *evpid, char kid[KEYRING_KID + 1])
{
	uint8_t salt[AEAD_SALT], key[AEAD_KEY], *sealed;
	char info[AAD_MAX], aad[AAD_MAX];
	const struct key *master = NULL;
	enum seal_result rc;
	struct text_head h;
	bool fits = false;
	ssize_t n;

	if (kid != NULL)
		kid[0] = '\0';
	if (!text_head(data, len, &h))
		return SEAL_DAMAGED;
	if (evpid != NULL)
		*evpid = h.evpid;
	if (kid != NULL)
		memcpy(kid, h.kid, sizeof(h.kid));
	sealed = mem_zalloc(len);
	n = text_unline(data + h.len, len - h.len, sealed);
	rc = n < (ssize_t)SEAL_TAG ? SEAL_DAMAGED
				   : salt_read(r, h.kid, h.salt, salt, &master);
	if (rc != SEAL_OK)
		goto out;
	snprintf(info, sizeof(info), "spoolkit-text-1 %s", h.id);
	snprintf(aad, sizeof(aad), "%.*s\n%s", (int)h.len - 1, data, kind);
	if (aead_derive(master->secret, salt, info, key) == 0)
		fits = aead_open(key, NULL, aad, sealed, (size_t)n, sealed);
	rc = fits ? SEAL_OK : SEAL_DAMAGED;
	if (fits && buf_put(clear, sealed, (size_t)n - SEAL_TAG) == -1)
		rc = SEAL_DAMAGED;
	seal_wipe(key, sizeof(key));
out:
	free(sealed);
	return rc;
}

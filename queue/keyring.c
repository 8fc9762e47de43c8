#include "queue/keyring.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/base64.h"
#include "lib/base/mem.h"
#include "lib/base/secret.h"
#include "lib/base/text.h"
#include "queue/aead.h"

#define ALGORITHM "aes-256-gcm"
#define STRETCH "scrypt" /* the first word of a ring with a passphrase */
#define STRETCH_SALT 18u
#define STRETCH_LOG2 15u /* 32 MiB and about a tenth of a second */
#define STRETCH_LOG2_MIN 10u
#define STRETCH_LOG2_MAX 20u
#define STRETCH_R 8u
#define STRETCH_P 1u
#define STRETCH_MEMORY (UINT64_C(1) << 31)
/* A secret as it stands in a ring with a passphrase. */
#define SEALED (AEAD_NONCE + KEYRING_SECRET + AEAD_TAG)
#define WORDS 5u
#define WORD_MAX 96u

struct keyring {
	atomic_uint refs;
	size_t n;
	struct key key[KEYRING_KEYS];
};

static const char *const states[KEY_STATES] = {
	[KEY_ACTIVE] = "active",
	[KEY_READABLE] = "readable",
	[KEY_RETIRED] = "retired",
};

struct line {
	unsigned number;
	unsigned words;
	char word[WORDS][WORD_MAX];
};

/* Splits a line at blanks. False: too many words, or one too long, or an octet
 * that has no place here. */
static bool
split(const char *text, size_t len, struct line *l)
{
	size_t i = 0, n;

	for (l->words = 0;;) {
		while (i < len && (text[i] == ' ' || text[i] == '\t'))
			i++;
		if (i == len)
			return true;
		if (l->words == WORDS)
			return false;
		for (n = 0; i < len && text[i] != ' ' && text[i] != '\t'; i++) {
			if (text[i] < '!' || text[i] > '~' || n == WORD_MAX - 1)
				return false;
			l->word[l->words][n++] = text[i];
		}
		l->word[l->words++][n] = '\0';
	}
}

/* The next line that says something: 1, 0 at the end, -1 odd. */
static int
next_line(const char **text, size_t *len, struct line *l)
{
	const char *end;
	size_t n;
	bool fine;

	while (*len > 0) {
		end = memchr(*text, '\n', *len);
		n = end == NULL ? *len : (size_t)(end - *text);
		l->number++;
		l->words = 0;
		fine = n > 0 && **text == '#' ? true : split(*text, n, l);
		*len -= end == NULL ? n : n + 1;
		*text += end == NULL ? n : n + 1;
		if (!fine)
			return -1;
		if (l->words > 0)
			return 1;
	}
	return 0;
}

static int
stretch(const char *passphrase, const uint8_t *salt, uint64_t log2, uint64_t r,
    uint64_t p, uint8_t key[AEAD_KEY])
{
	return EVP_PBE_scrypt(passphrase, strlen(passphrase), salt,
		   STRETCH_SALT, UINT64_C(1) << log2, r, p, STRETCH_MEMORY, key,
		   AEAD_KEY) == 1
	    ? 0
	    : -1;
}

/* NULL, or what is wrong with a ring's first line. */
static const char *
read_stretch(
    const struct line *l, const char *passphrase, uint8_t key[AEAD_KEY])
{
	uint8_t salt[STRETCH_SALT];
	uint64_t log2, r, p;

	if (l->words != 5 ||
	    !text_number(l->word[1], STRETCH_LOG2_MAX, &log2) ||
	    !text_number(l->word[2], 32, &r) ||
	    !text_number(l->word[3], 16, &p) || log2 < STRETCH_LOG2_MIN ||
	    r == 0 || p == 0 ||
	    strlen(l->word[4]) != BASE64_LEN(STRETCH_SALT) ||
	    base64_decode(salt, l->word[4], BASE64_LEN(STRETCH_SALT)) !=
		STRETCH_SALT)
		return "it must read `scrypt LOG2N R P SALT'";
	if (passphrase == NULL)
		return "the ring is sealed by a passphrase, and there is none";
	if (stretch(passphrase, salt, log2, r, p, key) == -1)
		return "the passphrase could not be stretched";
	return NULL;
}

static void
sealed_aad(const char *kid, char aad[64])
{
	snprintf(aad, 64, "spoolkit-ring-1 %s", kid);
}

/* NULL, or what is wrong with a key's line. outer NULL: it is not sealed. */
static const char *
read_key(const struct line *l, const uint8_t *outer, struct key *k)
{
	size_t want = outer == NULL ? KEYRING_SECRET : SEALED;
	uint8_t secret[WORD_MAX];
	const char *why = NULL;
	unsigned s = 0;
	char aad[64];

	if (l->words != 5)
		return "it must read `kid state created " ALGORITHM " key'";
	if (!key_kid_ok(l->word[0]))
		return "the kid must be 16 of a-z, 0-9 and -";
	while (s < KEY_STATES && strcmp(l->word[1], states[s]) != 0)
		s++;
	if (s == KEY_STATES)
		return "the state must be active, readable or retired";
	if (!text_time_parse(l->word[2], &k->created))
		return "the time must read like 2026-11-22T13:21:09Z";
	if (strcmp(l->word[3], ALGORITHM) != 0)
		return "the algorithm must be " ALGORITHM;
	if (strlen(l->word[4]) != BASE64_LEN(want) ||
	    base64_decode(secret, l->word[4], BASE64_LEN(want)) !=
		(ssize_t)want)
		why = outer == NULL ? "the key is not 32 octets in base64"
				    : "the sealed key is not whole";
	memcpy(k->kid, l->word[0], sizeof(k->kid));
	k->state = (enum key_state)s;
	sealed_aad(k->kid, aad);
	if (why == NULL && outer == NULL)
		memcpy(k->secret, secret, KEYRING_SECRET);
	else if (why == NULL &&
	    !aead_open(outer, secret, aad, secret + AEAD_NONCE,
		SEALED - AEAD_NONCE, k->secret))
		why = "the passphrase does not open this key";
	if (why == NULL && aead_fingerprint(k->secret, k->print) == -1)
		why = "libcrypto gives no fingerprint of its key";
	OPENSSL_cleanse(secret, sizeof(secret));
	return why;
}

static const char *
read_lines(struct keyring *r, const char *text, size_t len,
    const char *passphrase, struct line *l, uint8_t outer[AEAD_KEY])
{
	const char *why = NULL;
	bool sealed = false;
	struct key *k;
	int more;

	while (why == NULL && (more = next_line(&text, &len, l)) != 0) {
		if (more == -1)
			return "it is no line of a ring";
		if (r->n == 0 && !sealed && strcmp(l->word[0], STRETCH) == 0) {
			sealed = true;
			why = read_stretch(l, passphrase, outer);
			continue;
		}
		if (r->n == KEYRING_KEYS)
			return "a ring holds at most 64 keys";
		k = &r->key[r->n];
		why = read_key(l, sealed ? outer : NULL, k);
		if (why == NULL && keyring_find(r, k->kid) != NULL)
			why = "its kid stands there twice";
		if (why == NULL && k->state == KEY_ACTIVE &&
		    keyring_active(r) != NULL)
			why = "a second key is active";
		if (why == NULL)
			r->n++;
	}
	return why;
}

struct keyring *
keyring_parse(const char *text, size_t len, const char *passphrase, char *err,
    size_t errlen)
{
	struct {
		struct line line;
		uint8_t outer[AEAD_KEY];
	} * room;
	struct keyring *r;
	const char *why;

	if (len > KEYRING_TEXT_MAX) {
		snprintf(err, errlen, "it is larger than a ring may be");
		return NULL;
	}
	r = secret_room(sizeof(*r));
	room = secret_room(sizeof(*room));
	if (r == NULL || room == NULL) {
		snprintf(err, errlen, "no memory: %s", strerror(errno));
		goto fail;
	}
	atomic_init(&r->refs, 1);
	why = read_lines(r, text, len, passphrase, &room->line, room->outer);
	if (why != NULL)
		snprintf(err, errlen, "line %u: %s", room->line.number, why);
	else if (r->n == 0)
		snprintf(err, errlen, "there is no key in it");
	if (why != NULL || r->n == 0)
		goto fail;
	secret_room_free(room, sizeof(*room));
	return r;
fail:
	secret_room_free(room, sizeof(*room));
	secret_room_free(r, sizeof(*r));
	return NULL;
}

struct keyring *
keyring_load(const char *path, const char *passphrase, char *err, size_t errlen)
{
	struct keyring *r = NULL;
	char *text;
	ssize_t n;

	text = secret_room(KEYRING_TEXT_MAX);
	if (text == NULL) {
		snprintf(err, errlen, "no memory: %s", strerror(errno));
		return NULL;
	}
	n = secret_read(path, text, KEYRING_TEXT_MAX, err, errlen);
	if (n != -1)
		r = keyring_parse(text, (size_t)n, passphrase, err, errlen);
	secret_room_free(text, KEYRING_TEXT_MAX);
	return r;
}

bool
keyring_wants_passphrase(const char *text, size_t len)
{
	struct line l = { 0 };
	bool wants;

	wants =
	    next_line(&text, &len, &l) == 1 && strcmp(l.word[0], STRETCH) == 0;
	OPENSSL_cleanse(&l, sizeof(l));
	return wants;
}

struct keyring *
keyring_ref(struct keyring *r)
{
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void
keyring_unref(struct keyring *r)
{
	if (r == NULL)
		return;
	if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1)
		secret_room_free(r, sizeof(*r));
}

size_t
keyring_count(const struct keyring *r)
{
	return r->n;
}

const struct key *
keyring_at(const struct keyring *r, size_t i)
{
	assert(i < r->n);
	return &r->key[i];
}

const struct key *
keyring_active(const struct keyring *r)
{
	size_t i;

	for (i = 0; r != NULL && i < r->n; i++)
		if (r->key[i].state == KEY_ACTIVE)
			return &r->key[i];
	return NULL;
}

const struct key *
keyring_find(const struct keyring *r, const char *kid)
{
	size_t i;

	for (i = 0; r != NULL && i < r->n; i++)
		if (strcmp(r->key[i].kid, kid) == 0)
			return &r->key[i];
	return NULL;
}

int
key_generate(struct key *k, const char *kid)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
	uint8_t random[KEYRING_KID];
	unsigned i;

	memset(k, 0, sizeof(*k));
	if (RAND_priv_bytes(k->secret, KEYRING_SECRET) != 1 ||
	    RAND_bytes(random, sizeof(random)) != 1 ||
	    aead_fingerprint(k->secret, k->print) == -1)
		return -1;
	for (i = 0; i < KEYRING_KID; i++)
		k->kid[i] = letters[random[i] & 31];
	if (kid != NULL) {
		assert(key_kid_ok(kid));
		memcpy(k->kid, kid, KEYRING_KID);
	}
	k->state = KEY_ACTIVE;
	k->created = time(NULL);
	return 0;
}

/* It begins with a letter or digit, which an empty slot does not. */
bool
key_kid_ok(const char *kid)
{
	size_t i;

	for (i = 0; i < KEYRING_KID; i++)
		if (!(kid[i] >= 'a' && kid[i] <= 'z') &&
		    !(kid[i] >= '0' && kid[i] <= '9') &&
		    (kid[i] != '-' || i == 0))
			return false;
	return kid[i] == '\0';
}

const char *
key_state_name(enum key_state s)
{
	return states[s];
}

static int
print_line(const struct key *k, const char *secret, struct buf *b)
{
	char when[TEXT_TIME_MAX];

	return buf_putf(b, "%s %s %s " ALGORITHM " %s\n", k->kid,
	    states[k->state], text_time(when, k->created), secret);
}

void
key_print(const struct key *k, struct buf *b)
{
	char secret[BASE64_LEN(KEYRING_SECRET) + 1];

	base64_encode(secret, k->secret, KEYRING_SECRET);
	secret[BASE64_LEN(KEYRING_SECRET)] = '\0';
	(void)print_line(k, secret, b);
	OPENSSL_cleanse(secret, sizeof(secret));
}

int
keyring_print_sealed(
    const struct key *keys, size_t n, const char *passphrase, struct buf *b)
{
	uint8_t salt[STRETCH_SALT], outer[AEAD_KEY], sealed[SEALED];
	char text[BASE64_LEN(SEALED) + 1], aad[64];
	size_t i, before = buf_len(b);
	int rc = -1;

	if (RAND_bytes(salt, sizeof(salt)) != 1 ||
	    stretch(passphrase, salt, STRETCH_LOG2, STRETCH_R, STRETCH_P,
		outer) == -1)
		return -1;
	base64_encode(text, salt, sizeof(salt));
	text[BASE64_LEN(STRETCH_SALT)] = '\0';
	(void)buf_putf(b, STRETCH " %u %u %u %s\n", STRETCH_LOG2, STRETCH_R,
	    STRETCH_P, text);
	text[BASE64_LEN(SEALED)] = '\0';
	for (i = 0; i < n; i++) {
		sealed_aad(keys[i].kid, aad);
		if (RAND_bytes(sealed, AEAD_NONCE) != 1 ||
		    aead_seal(outer, sealed, aad, keys[i].secret,
			KEYRING_SECRET, sealed + AEAD_NONCE) == -1)
			goto out;
		base64_encode(text, sealed, sizeof(sealed));
		if (print_line(&keys[i], text, b) == -1)
			goto out;
	}
	rc = 0;
out:
	OPENSSL_cleanse(outer, sizeof(outer));
	if (rc == -1)
		buf_truncate(b, before);
	return rc;
}

/*
 * keyring - the keys of a sealed spool (spool.5, KEY RING)
 *
 * A text of one line a key: `kid state created aes-256-gcm base64(32 octets)`.
 * The active key seals, all open. With a passphrase the text begins with a
 * line that says how it was stretched (scrypt), and the keys are sealed by it.
 * Secrets live in memory that is locked, left out of core dumps and wiped.
 */
#ifndef QUEUE_KEYRING_H
#define QUEUE_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

#define KEYRING_KID 16 /* characters, [a-z0-9-], shorter ones are refused */
#define KEYRING_SECRET 32
#define KEYRING_PRINT 6
#define KEYRING_KEYS 64 /* of one ring */
#define KEYRING_TEXT_MAX 65536

enum key_state {
	KEY_ACTIVE, /* one of a ring, or none */
	KEY_READABLE,
	KEY_RETIRED, /* nothing should need it any more; it still opens */
	KEY_STATES
};

struct key {
	char kid[KEYRING_KID + 1];
	enum key_state state;
	int64_t created; /* seconds since the epoch */
	uint8_t secret[KEYRING_SECRET];
	uint8_t print[KEYRING_PRINT]; /* its fingerprint, see aead.h */
};

struct keyring;

/* passphrase may be NULL. NULL with a sentence that names the line, and never
 * a secret, in err. */
struct keyring *keyring_parse(const char *text, size_t len,
    const char *passphrase, char *err, size_t errlen);
/* The same from a file, which must be a regular one of the caller's or root's,
 * with no rights for others, and read-only for its owner (mode 0400). */
struct keyring *keyring_load(
    const char *path, const char *passphrase, char *err, size_t errlen);
bool keyring_wants_passphrase(const char *text, size_t len);

struct keyring *keyring_ref(struct keyring *r);
void keyring_unref(struct keyring *r); /* NULL is accepted; wipes at last */

size_t keyring_count(const struct keyring *r);
const struct key *keyring_at(const struct keyring *r, size_t i);
const struct key *keyring_active(const struct keyring *r); /* or NULL */
/* NULL when it is not in the ring, or there is no ring. */
const struct key *keyring_find(const struct keyring *r, const char *kid);

/* A fresh key; kid NULL: a random one. -1 when libcrypto has no randomness. */
int key_generate(struct key *k, const char *kid);
bool key_kid_ok(const char *kid);
const char *key_state_name(enum key_state s);
/* Appends the ring's line of a key. */
void key_print(const struct key *k, struct buf *b);
/* Appends a whole ring sealed by a passphrase. -1: scrypt failed. */
int keyring_print_sealed(
    const struct key *keys, size_t n, const char *passphrase, struct buf *b);

#endif

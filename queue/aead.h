/*
 * aead - HKDF-SHA256 and AES-256-GCM, as the spool uses them
 *
 * A key that aead_derive() made from a random salt is used once, so its nonce
 * may be all zeros. Everything may run in any thread; they share nothing but
 * what libcrypto looked up once.
 */
#ifndef QUEUE_AEAD_H
#define QUEUE_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AEAD_KEY 32u
#define AEAD_NONCE 12u
#define AEAD_TAG 16u
#define AEAD_SALT 12u
#define AEAD_PRINT 6u /* octets of a key's fingerprint */

/* HKDF (RFC 5869) of a 32 octet secret, one block. -1: libcrypto failed. */
int aead_derive(const uint8_t secret[AEAD_KEY], const uint8_t salt[AEAD_SALT],
    const char *info, uint8_t key[AEAD_KEY]);
/* Tells a wrong key from damage, and gives nothing of the key away. */
int aead_fingerprint(const uint8_t secret[AEAD_KEY], uint8_t print[AEAD_PRINT]);

/* One key for many nonces. Not shared by threads. NULL: libcrypto failed. */
struct aead;
struct aead *aead_new(const uint8_t key[AEAD_KEY]);
void aead_free(struct aead *a); /* NULL is accepted; wipes */
/* out has room for len + AEAD_TAG and may be clear. */
int aead_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE], const char *aad,
    const void *clear, size_t len, void *out);
/* len counts the tag. False, and clear holds zeros: it does not fit. */
bool aead_open(struct aead *a, const uint8_t nonce[AEAD_NONCE], const char *aad,
    const void *sealed, size_t len, void *clear);

/* The same with a key that is used once. NULL: a nonce of zeros. */
int aead_seal_once(const uint8_t key[AEAD_KEY], const uint8_t *nonce,
    const char *aad, const void *clear, size_t len, void *out);
bool aead_open_once(const uint8_t key[AEAD_KEY], const uint8_t *nonce,
    const char *aad, const void *sealed, size_t len, void *clear);

#endif

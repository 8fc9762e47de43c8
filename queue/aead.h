/*
 * aead - HKDF-SHA256 and AES-256-GCM, as the spool uses them
 *
 * A key that aead_derive() made from a random salt is used once, so its nonce
 * may be all zeros. Everything may run in any thread; each keeps what it needs
 * of libcrypto, and the last key in it, until it ends.
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

/* out has room for len + AEAD_TAG and may be clear. A nonce of NULL: zeros.
 * -1: libcrypto failed. */
int aead_seal(const uint8_t key[AEAD_KEY], const uint8_t *nonce,
    const char *aad, const void *clear, size_t len, void *out);
/* len counts the tag. False, and clear holds zeros: it does not fit. */
bool aead_open(const uint8_t key[AEAD_KEY], const uint8_t *nonce,
    const char *aad, const void *sealed, size_t len, void *clear);

#endif

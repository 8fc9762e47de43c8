#include "queue/aead.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

#define HASH 32u

struct aead {
	EVP_CIPHER_CTX *seal, *open; /* made when first needed */
	uint8_t key[AEAD_KEY];
};

/* Looked up once: libcrypto takes locks for it, and there are several for each
 * message. NULL: it does not have them. */
static EVP_MAC *mac;
static EVP_CIPHER *gcm;

static void
fetch(void)
{
	mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

static void
fetch_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, fetch);
}

static int
hmac(EVP_MAC_CTX *ctx, const uint8_t *key, size_t keylen, const void *data,
    size_t len, uint8_t out[HASH])
{
	char name[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, name, 0),
		OSSL_PARAM_construct_end(),
	};
	size_t n;

	return EVP_MAC_init(ctx, key, keylen, params) == 1 &&
		EVP_MAC_update(ctx, data, len) == 1 &&
		EVP_MAC_final(ctx, out, &n, HASH) == 1
	    ? 0
	    : -1;
}

static EVP_MAC_CTX *
hmac_new(void)
{
	fetch_once();
	return mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
}

/* By two HMACs: EVP_KDF costs several times as much for each message. */
int
aead_derive(const uint8_t secret[AEAD_KEY], const uint8_t salt[AEAD_SALT],
    const char *info, uint8_t key[AEAD_KEY])
{
	EVP_MAC_CTX *ctx = hmac_new();
	size_t len = strlen(info);
	uint8_t prk[HASH], block[128];
	int rc = -1;

	if (ctx == NULL || len >= sizeof(block))
		goto out;
	memcpy(block, info, len);
	block[len] = 1;
	if (hmac(ctx, salt, AEAD_SALT, secret, AEAD_KEY, prk) == 0 &&
	    hmac(ctx, prk, sizeof(prk), block, len + 1, key) == 0)
		rc = 0;
	OPENSSL_cleanse(prk, sizeof(prk));
out:
	EVP_MAC_CTX_free(ctx);
	return rc;
}

int
aead_fingerprint(const uint8_t secret[AEAD_KEY], uint8_t print[AEAD_PRINT])
{
	static const char what[] = "spoolkit-fingerprint-1";
	EVP_MAC_CTX *ctx = hmac_new();
	uint8_t out[HASH];
	int rc = -1;

	if (ctx != NULL &&
	    hmac(ctx, secret, AEAD_KEY, what, sizeof(what) - 1, out) == 0) {
		memcpy(print, out, AEAD_PRINT);
		rc = 0;
	}
	EVP_MAC_CTX_free(ctx);
	return rc;
}

/* With its key, so that later only the nonce changes. */
static EVP_CIPHER_CTX *
cipher(const uint8_t key[AEAD_KEY], int enc)
{
	EVP_CIPHER_CTX *ctx;

	fetch_once();
	ctx = gcm == NULL ? NULL : EVP_CIPHER_CTX_new();
	if (ctx != NULL &&
	    EVP_CipherInit_ex2(ctx, gcm, key, NULL, enc, NULL) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

struct aead *
aead_new(const uint8_t key[AEAD_KEY])
{
	struct aead *a = mem_zalloc(sizeof(*a));

	memcpy(a->key, key, AEAD_KEY);
	return a;
}

void
aead_free(struct aead *a)
{
	if (a == NULL)
		return;
	EVP_CIPHER_CTX_free(a->seal); /* wipes the key schedule */
	EVP_CIPHER_CTX_free(a->open);
	OPENSSL_cleanse(a, sizeof(*a));
	free(a);
}

int
aead_seal(struct aead *a, const uint8_t nonce[AEAD_NONCE], const char *aad,
    const void *clear, size_t len, void *out)
{
	uint8_t *tag = (uint8_t *)out + len;
	int n;

	if (a->seal == NULL && (a->seal = cipher(a->key, 1)) == NULL)
		return -1;
	if (len > INT_MAX ||
	    EVP_EncryptInit_ex2(a->seal, NULL, NULL, nonce, NULL) != 1 ||
	    EVP_EncryptUpdate(
		a->seal, NULL, &n, (const uint8_t *)aad, (int)strlen(aad)) != 1)
		return -1;
	if (len > 0 &&
	    EVP_EncryptUpdate(a->seal, out, &n, clear, (int)len) != 1)
		return -1;
	if (EVP_EncryptFinal_ex(a->seal, tag, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(
		a->seal, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG, tag) != 1)
		return -1;
	return 0;
}

bool
aead_open(struct aead *a, const uint8_t nonce[AEAD_NONCE], const char *aad,
    const void *sealed, size_t len, void *clear)
{
	uint8_t tag[AEAD_TAG], none[AEAD_TAG];
	int n;

	if (len < AEAD_TAG || len > INT_MAX)
		return false;
	len -= AEAD_TAG;
	memcpy(tag, (const uint8_t *)sealed + len, AEAD_TAG);
	if (a->open == NULL && (a->open = cipher(a->key, 0)) == NULL)
		return false;
	if (EVP_DecryptInit_ex2(a->open, NULL, NULL, nonce, NULL) == 1 &&
	    EVP_DecryptUpdate(a->open, NULL, &n, (const uint8_t *)aad,
		(int)strlen(aad)) == 1 &&
	    (len == 0 ||
		EVP_DecryptUpdate(a->open, clear, &n, sealed, (int)len) == 1) &&
	    EVP_CIPHER_CTX_ctrl(
		a->open, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG, tag) == 1 &&
	    EVP_DecryptFinal_ex(a->open, none, &n) == 1)
		return true;
	/* What was not vouched for must not be looked at. */
	memset(clear, 0, len);
	return false;
}

int
aead_seal_once(const uint8_t key[AEAD_KEY], const uint8_t *nonce,
    const char *aad, const void *clear, size_t len, void *out)
{
	static const uint8_t zeros[AEAD_NONCE];
	struct aead *a = aead_new(key);
	int rc;

	rc = aead_seal(a, nonce == NULL ? zeros : nonce, aad, clear, len, out);
	aead_free(a);
	return rc;
}

bool
aead_open_once(const uint8_t key[AEAD_KEY], const uint8_t *nonce,
    const char *aad, const void *sealed, size_t len, void *clear)
{
	static const uint8_t zeros[AEAD_NONCE];
	struct aead *a = aead_new(key);
	bool fits;

	fits = aead_open(
	    a, nonce == NULL ? zeros : nonce, aad, sealed, len, clear);
	aead_free(a);
	return fits;
}

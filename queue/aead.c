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

static const uint8_t zeros[AEAD_NONCE];

/* Looked up once: libcrypto takes locks for it, and there are several for each
 * message. NULL: it does not have them. */
static EVP_MAC *mac;
static EVP_CIPHER *gcm;
static pthread_key_t own;

/* Of one thread, made when it first needs them: what they are made for is told
 * anew each time, which costs less than making them. */
struct tools {
	EVP_MAC_CTX *hmac;
	EVP_CIPHER_CTX *seal, *open;
};

static void
tools_free(void *arg)
{
	struct tools *t = arg;

	EVP_MAC_CTX_free(t->hmac);
	EVP_CIPHER_CTX_free(t->seal); /* wipes the key schedule */
	EVP_CIPHER_CTX_free(t->open);
	free(t);
}

static void
look_up(void)
{
	mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (pthread_key_create(&own, tools_free) != 0)
		mac = NULL;
}

static bool
make(struct tools *t)
{
	char name[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, name, 0),
		OSSL_PARAM_construct_end(),
	};

	t->hmac = EVP_MAC_CTX_new(mac);
	t->seal = EVP_CIPHER_CTX_new();
	t->open = EVP_CIPHER_CTX_new();
	return t->hmac != NULL && t->seal != NULL && t->open != NULL &&
	    EVP_MAC_CTX_set_params(t->hmac, params) == 1 &&
	    EVP_CipherInit_ex2(t->seal, gcm, NULL, NULL, 1, NULL) == 1 &&
	    EVP_CipherInit_ex2(t->open, gcm, NULL, NULL, 0, NULL) == 1;
}

/* NULL: libcrypto failed. */
static struct tools *
tools(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct tools *t;

	(void)pthread_once(&once, look_up);
	if (mac == NULL || gcm == NULL)
		return NULL;
	if ((t = pthread_getspecific(own)) != NULL)
		return t;
	t = mem_zalloc(sizeof(*t));
	if (make(t) && pthread_setspecific(own, t) == 0)
		return t;
	tools_free(t);
	return NULL;
}

static int
hmac(const struct tools *t, const uint8_t *key, size_t keylen, const void *data,
    size_t len, uint8_t out[HASH])
{
	size_t n;

	return EVP_MAC_init(t->hmac, key, keylen, NULL) == 1 &&
		EVP_MAC_update(t->hmac, data, len) == 1 &&
		EVP_MAC_final(t->hmac, out, &n, HASH) == 1
	    ? 0
	    : -1;
}

/* By two HMACs: EVP_KDF costs several times as much for each message. */
int
aead_derive(const uint8_t secret[AEAD_KEY], const uint8_t salt[AEAD_SALT],
    const char *info, uint8_t key[AEAD_KEY])
{
	const struct tools *t = tools();
	size_t len = strlen(info);
	uint8_t prk[HASH], block[128];
	int rc = -1;

	if (t == NULL || len >= sizeof(block))
		return -1;
	memcpy(block, info, len);
	block[len] = 1;
	if (hmac(t, salt, AEAD_SALT, secret, AEAD_KEY, prk) == 0 &&
	    hmac(t, prk, sizeof(prk), block, len + 1, key) == 0)
		rc = 0;
	OPENSSL_cleanse(prk, sizeof(prk));
	return rc;
}

int
aead_fingerprint(const uint8_t secret[AEAD_KEY], uint8_t print[AEAD_PRINT])
{
	static const char what[] = "spoolkit-fingerprint-1";
	const struct tools *t = tools();
	uint8_t out[HASH];

	if (t == NULL ||
	    hmac(t, secret, AEAD_KEY, what, sizeof(what) - 1, out) == -1)
		return -1;
	memcpy(print, out, AEAD_PRINT);
	return 0;
}

int
aead_seal(const uint8_t key[AEAD_KEY], const uint8_t *nonce, const char *aad,
    const void *clear, size_t len, void *out)
{
	const struct tools *t = tools();
	uint8_t *tag = (uint8_t *)out + len;
	EVP_CIPHER_CTX *ctx;
	int n;

	if (t == NULL || len > INT_MAX)
		return -1;
	ctx = t->seal;
	if (EVP_EncryptInit_ex2(
		ctx, NULL, key, nonce == NULL ? zeros : nonce, NULL) != 1 ||
	    EVP_EncryptUpdate(
		ctx, NULL, &n, (const uint8_t *)aad, (int)strlen(aad)) != 1)
		return -1;
	if (len > 0 && EVP_EncryptUpdate(ctx, out, &n, clear, (int)len) != 1)
		return -1;
	return EVP_EncryptFinal_ex(ctx, tag, &n) == 1 &&
		EVP_CIPHER_CTX_ctrl(
		    ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG, tag) == 1
	    ? 0
	    : -1;
}

bool
aead_open(const uint8_t key[AEAD_KEY], const uint8_t *nonce, const char *aad,
    const void *sealed, size_t len, void *clear)
{
	const struct tools *t = tools();
	uint8_t tag[AEAD_TAG], none[AEAD_TAG];
	EVP_CIPHER_CTX *ctx;
	int n;

	if (t == NULL || len < AEAD_TAG || len > INT_MAX)
		return false;
	ctx = t->open;
	len -= AEAD_TAG;
	memcpy(tag, (const uint8_t *)sealed + len, AEAD_TAG);
	if (EVP_DecryptInit_ex2(
		ctx, NULL, key, nonce == NULL ? zeros : nonce, NULL) == 1 &&
	    EVP_DecryptUpdate(
		ctx, NULL, &n, (const uint8_t *)aad, (int)strlen(aad)) == 1 &&
	    (len == 0 ||
		EVP_DecryptUpdate(ctx, clear, &n, sealed, (int)len) == 1) &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG, tag) ==
		1 &&
	    EVP_DecryptFinal_ex(ctx, none, &n) == 1)
		return true;
	/* What was not vouched for must not be looked at. */
	memset(clear, 0, len);
	return false;
}

#include "daemon/conf/pem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

/* Without it OpenSSL would ask the terminal. */
static int
no_passphrase(char *dst, int size, int writing, void *arg)
{
	(void)dst;
	(void)size;
	(void)writing;
	*(bool *)arg = true;
	return -1;
}

static BIO *
memory(const char *pem)
{
	return BIO_new_mem_buf(pem, (int)strlen(pem));
}

static X509 *
first_certificate(BIO *b)
{
	return b == NULL ? NULL : PEM_read_bio_X509(b, NULL, NULL, NULL);
}

/* Behind the last certificate there is nothing to read, which is no error. */
bool
pem_certificates_ok(const char *pem, char why[PEM_WHY_MAX])
{
	unsigned long last;
	BIO *b = memory(pem);
	unsigned n = 0;
	X509 *x;

	ERR_clear_error();
	while ((x = first_certificate(b)) != NULL) {
		X509_free(x);
		n++;
	}
	last = ERR_peek_last_error();
	if (n == 0)
		snprintf(why, PEM_WHY_MAX, "holds no certificate in PEM");
	else if (ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
		snprintf(why, PEM_WHY_MAX,
		    "holds a broken certificate, number "
		    "%u",
		    n + 1);
	BIO_free(b);
	ERR_clear_error();
	return n > 0 && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
}

static EVP_PKEY *
private_key(const char *pem, bool *locked)
{
	BIO *b = memory(pem);
	EVP_PKEY *key;

	*locked = false;
	key = b == NULL
	    ? NULL
	    : PEM_read_bio_PrivateKey(b, NULL, no_passphrase, locked);
	BIO_free(b);
	ERR_clear_error();
	return key;
}

bool
pem_key_ok(const char *pem, char why[PEM_WHY_MAX])
{
	bool locked;
	EVP_PKEY *key = private_key(pem, &locked);

	if (key == NULL)
		snprintf(why, PEM_WHY_MAX, "%s",
		    locked ? "is locked by a passphrase"
			   : "holds no private key in PEM");
	EVP_PKEY_free(key);
	return key != NULL;
}

bool
pem_fit(const char *certificates, const char *key)
{
	BIO *b = memory(certificates);
	X509 *x = first_certificate(b);
	bool locked, ok;
	EVP_PKEY *k = private_key(key, &locked);

	ok = x != NULL && k != NULL && X509_check_private_key(x, k) == 1;
	EVP_PKEY_free(k);
	X509_free(x);
	BIO_free(b);
	ERR_clear_error();
	return ok;
}

bool
pem_protocols_ok(const char *words)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL_CONF_CTX *conf = SSL_CONF_CTX_new();
	bool ok = false;

	if (ctx != NULL && conf != NULL) {
		SSL_CONF_CTX_set_flags(
		    conf, SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_CLIENT);
		SSL_CONF_CTX_set_ssl_ctx(conf, ctx);
		ok = SSL_CONF_cmd(conf, "Protocol", words) == 2;
	}
	SSL_CONF_CTX_free(conf);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

/* The words but those of TLS 1.3, as one list: some only take away. */
static bool
others_ok(SSL_CTX *ctx, const char *words)
{
	char *copy = mem_strdup(words), *rest = copy, *word;
	char *list = mem_zalloc(strlen(words) + 2);
	bool ok;

	while ((word = strsep(&rest, ":, ")) != NULL) {
		if (*word == '\0' || strncmp(word, "TLS_", 4) == 0)
			continue;
		if (*list != '\0')
			strcat(list, ":");
		strcat(list, word);
	}
	ok = *list == '\0' || SSL_CTX_set_cipher_list(ctx, list) == 1;
	free(copy);
	free(list);
	return ok;
}

/* Those of TLS 1.3, which all begin alike, have a list of their own. */
bool
pem_ciphers_ok(const char *words)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	char *copy = mem_strdup(words), *rest = copy, *word;
	bool ok = ctx != NULL, some = false;

	while (ok && (word = strsep(&rest, ":, ")) != NULL) {
		if (*word == '\0')
			continue;
		some = true;
		if (strncmp(word, "TLS_", 4) == 0)
			ok = SSL_CTX_set_ciphersuites(ctx, word) == 1;
	}
	free(copy);
	ok = ok && some && others_ok(ctx, words);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

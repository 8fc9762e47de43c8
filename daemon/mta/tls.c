#include "daemon/mta/tls.h"

#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/mta/dane.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

struct own { /* a certificate of ours */
	char *name;
	X509 *certificate;
	STACK_OF(X509) * chain;
	EVP_PKEY *key;
};

struct tls {
	SSL_CTX *ctx;
	bool verify, lax;
	char *pki; /* whose certificate; NULL: by helo */
	struct own *own;
	size_t nown;
};

static void
explain(char why[TLS_WHY_MAX], const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	snprintf(why, TLS_WHY_MAX, "%s%s%s", what, reason == NULL ? "" : ": ",
	    reason == NULL ? "" : reason);
	ERR_clear_error();
}

/* A key behind a pass phrase is refused, not asked for at the terminal. */
static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static bool
read_certificates(struct own *o, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *x;

	o->chain = sk_X509_new_null();
	if (bio == NULL || o->chain == NULL)
		fatal("out of memory: a certificate");
	o->certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
	while (o->certificate != NULL &&
	    (x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL)
		sk_X509_push(o->chain, x);
	BIO_free(bio);
	return o->certificate != NULL;
}

static bool
read_key(struct own *o, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);

	if (bio == NULL)
		fatal("out of memory: a key");
	o->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	return o->key != NULL;
}

static void
own_clear(struct own *o)
{
	free(o->name);
	X509_free(o->certificate);
	sk_X509_pop_free(o->chain, X509_free);
	EVP_PKEY_free(o->key);
}

static bool
read_pki(struct own *o, const struct conf_pki *pki, char why[TLS_WHY_MAX])
{
	char what[TLS_WHY_MAX];

	memset(o, 0, sizeof(*o));
	o->name = mem_strdup(pki->name);
	if (!read_certificates(o, pki->certificate_pem))
		snprintf(what, sizeof(what), "certificate of pki %s", o->name);
	else if (!read_key(o, pki->key_pem))
		snprintf(what, sizeof(what), "key of pki %s", o->name);
	else if (X509_check_private_key(o->certificate, o->key) != 1)
		snprintf(what, sizeof(what), "key and certificate of pki %s",
		    o->name);
	else {
		ERR_clear_error();
		return true;
	}
	explain(why, what);
	own_clear(o);
	return false;
}

/* One that is asked for by name must be there; of the others those that are no
 * good are left out, for nobody may ever need them. */
static bool
take_pkis(struct tls *t, const struct tls_options *o, char why[TLS_WHY_MAX])
{
	const struct conf_pki *pki;
	size_t i;

	t->own = mem_zarray(o->npkis + 1, sizeof(*t->own));
	for (i = 0; i < o->npkis; i++) {
		pki = &o->pkis[i];
		if (o->pki != NULL && strcasecmp(pki->name, o->pki) != 0)
			continue;
		if (pki->certificate_pem == NULL || pki->key_pem == NULL)
			continue;
		if (read_pki(&t->own[t->nown], pki, why))
			t->nown++;
		else if (o->pki != NULL)
			return false;
		else
			log_warn("event=pki-unusable text=\"%s\"", why);
	}
	if (o->pki == NULL || t->nown > 0)
		return true;
	snprintf(why, TLS_WHY_MAX, "there is no pki %s", o->pki);
	return false;
}

static bool
take_trusted(struct tls *t, const char *pem, char why[TLS_WHY_MAX])
{
	X509_STORE *store = SSL_CTX_get_cert_store(t->ctx);
	unsigned n = 0;
	BIO *bio;
	X509 *x;

	if (pem == NULL) {
		if (SSL_CTX_set_default_verify_paths(t->ctx) == 1)
			return true;
		explain(why, "the system's trusted certificates");
		return false;
	}
	bio = BIO_new_mem_buf(pem, -1);
	if (bio == NULL)
		fatal("out of memory: certificates");
	while ((x = PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL)) !=
	    NULL) {
		n += X509_STORE_add_cert(store, x) == 1;
		X509_free(x);
	}
	BIO_free(bio);
	if (n > 0) {
		ERR_clear_error();
		return true;
	}
	explain(why, "trusted certificates");
	return false;
}

/* Words of "TLSv1.2,TLSv1.3", or "ALL,-TLSv1.1": those alone that are named,
 * unless it says what to start from. */
static bool
take_protocols(struct tls *t, const char *words, char why[TLS_WHY_MAX])
{
	SSL_CONF_CTX *conf;
	char *list, *s;
	bool good;

	if (words == NULL)
		return SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) ==
		    1;
	list = mem_printf("%s%s",
	    strncasecmp(words, "all", 3) == 0 || *words == '-' ? "" : "-ALL,",
	    words);
	for (s = list; *s != '\0'; s++)
		if (*s == ' ' || *s == ':')
			*s = ',';
	conf = SSL_CONF_CTX_new();
	if (conf == NULL)
		fatal("out of memory: TLS");
	SSL_CONF_CTX_set_flags(conf, SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_CLIENT);
	SSL_CONF_CTX_set_ssl_ctx(conf, t->ctx);
	/* The system's own bounds, which the list would be cut by. */
	SSL_CTX_set_min_proto_version(t->ctx, 0);
	SSL_CTX_set_max_proto_version(t->ctx, 0);
	good = SSL_CONF_cmd(conf, "Protocol", list) == 2;
	SSL_CONF_CTX_free(conf);
	free(list);
	if (!good)
		snprintf(why, TLS_WHY_MAX, "protocols \"%.200s\"", words);
	ERR_clear_error();
	return good;
}

/* Names of TLS 1.3, which all begin alike, go one way and all else another. */
static bool
take_ciphers(struct tls *t, const char *words, char why[TLS_WHY_MAX])
{
	char *old, *suites, *copy, *word, *rest;
	bool good;

	if (words == NULL)
		return true;
	copy = rest = mem_strdup(words);
	old = mem_zalloc(strlen(words) + 2);
	suites = mem_zalloc(strlen(words) + 2);
	while ((word = strsep(&rest, ":, ")) != NULL) {
		char *list = strncmp(word, "TLS_", 4) == 0 ? suites : old;

		if (*word == '\0')
			continue;
		if (*list != '\0')
			strcat(list, ":");
		strcat(list, word);
	}
	good = (*old == '\0' || SSL_CTX_set_cipher_list(t->ctx, old) == 1) &&
	    (*suites == '\0' || SSL_CTX_set_ciphersuites(t->ctx, suites) == 1);
	if (!good)
		snprintf(why, TLS_WHY_MAX, "ciphers \"%.200s\"", words);
	free(copy);
	free(old);
	free(suites);
	ERR_clear_error();
	return good;
}

struct tls *
tls_new(const struct tls_options *o, char why[TLS_WHY_MAX])
{
	struct tls *t = mem_zalloc(sizeof(*t));

	t->verify = o->verify;
	t->lax = o->lax;
	t->pki = o->pki == NULL ? NULL : mem_strdup(o->pki);
	t->ctx = SSL_CTX_new(TLS_client_method());
	if (t->ctx == NULL || SSL_CTX_dane_enable(t->ctx) != 1)
		fatal("out of memory: TLS");
	SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS);
	/* Replies say themselves where they end. */
	SSL_CTX_set_options(t->ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	if (take_protocols(t, o->protocols, why) &&
	    take_ciphers(t, o->ciphers, why) && take_pkis(t, o, why) &&
	    (!o->verify || take_trusted(t, o->ca_pem, why)))
		return t;
	tls_free(t);
	return NULL;
}

void
tls_free(struct tls *t)
{
	size_t i;

	if (t == NULL)
		return;
	for (i = 0; i < t->nown; i++)
		own_clear(&t->own[i]);
	free(t->own);
	free(t->pki);
	SSL_CTX_free(t->ctx);
	free(t);
}

static bool
show_own(const struct tls *t, SSL *ssl, const char *helo)
{
	const struct own *o;
	size_t i;

	for (i = 0; i < t->nown; i++) {
		o = &t->own[i];
		if (t->pki == NULL && strcasecmp(o->name, helo) != 0)
			continue;
		return SSL_use_cert_and_key(
			   ssl, o->certificate, o->key, o->chain, 1) == 1;
	}
	return true;
}

/* The name that the certificate must carry, or the address. */
static bool
demand_name(X509_VERIFY_PARAM *param, const struct tls_peer *peer)
{
	const struct sockaddr_in6 *six = (const void *)peer->addr;
	const struct sockaddr_in *four = (const void *)peer->addr;

	if (*peer->name != '\0') {
		X509_VERIFY_PARAM_set_hostflags(
		    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		return X509_VERIFY_PARAM_set1_host(param, peer->name, 0) == 1;
	}
	if (peer->addr->ss_family == AF_INET)
		return X509_VERIFY_PARAM_set1_ip(
			   param, (const void *)&four->sin_addr, 4) == 1;
	if (peer->addr->ss_family == AF_INET6)
		return X509_VERIFY_PARAM_set1_ip(
			   param, (const void *)&six->sin6_addr, 16) == 1;
	return false;
}

static bool
set_up(struct tls *t, SSL *ssl, const struct tls_peer *peer)
{
	const char *sni =
	    peer->tlsa == NULL ? peer->name : tlsa_base(peer->tlsa);
	int pinned = 0;

	if (*sni != '\0' && SSL_set_tlsext_host_name(ssl, sni) != 1)
		return false;
	if (t->lax && peer->tlsa == NULL)
		SSL_set_security_level(ssl, 0);
	if (peer->tlsa != NULL && tlsa_usable(peer->tlsa))
		pinned = dane_apply(peer->tlsa, ssl, peer->name);
	if (pinned == -1)
		return false;
	if (pinned == 0 && t->verify && !demand_name(SSL_get0_param(ssl), peer))
		return false;
	SSL_set_verify(ssl,
	    pinned == 1 || t->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	return show_own(t, ssl, peer->helo);
}

SSL *
tls_session(struct tls *t, const struct tls_peer *peer, char why[TLS_WHY_MAX])
{
	SSL *ssl = SSL_new(t->ctx);

	if (ssl == NULL)
		fatal("out of memory: a TLS session");
	if (set_up(t, ssl, peer)) {
		ERR_clear_error();
		return ssl;
	}
	explain(why, "TLS cannot be set up");
	SSL_free(ssl);
	return NULL;
}

/* As the handshake would have verified it, had there been no TLSA record. */
static bool
verify_again(
    struct tls *t, SSL *ssl, const struct tls_peer *peer, char why[TLS_WHY_MAX])
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509 *x = SSL_get1_peer_certificate(ssl);
	bool good = false;

	if (ctx == NULL ||
	    X509_STORE_CTX_init(ctx, SSL_CTX_get_cert_store(t->ctx), x,
		SSL_get_peer_cert_chain(ssl)) != 1)
		fatal("out of memory: a certificate");
	X509_STORE_CTX_set_default(ctx, "ssl_server");
	if (x != NULL && demand_name(X509_STORE_CTX_get0_param(ctx), peer))
		good = X509_verify_cert(ctx) == 1;
	if (!good)
		snprintf(why, TLS_WHY_MAX, "certificate: %s",
		    X509_verify_cert_error_string(
			X509_STORE_CTX_get_error(ctx)));
	X509_STORE_CTX_free(ctx);
	X509_free(x);
	ERR_clear_error();
	return good;
}

bool
tls_check(
    struct tls *t, SSL *ssl, const struct tls_peer *peer, char why[TLS_WHY_MAX])
{
	if (!t->verify || SSL_get0_dane_authority(ssl, NULL, NULL) < 0)
		return true;
	return verify_again(t, ssl, peer, why);
}

void
tls_failure(SSL *ssl, unsigned long error, int system, char why[TLS_WHY_MAX])
{
	long verdict = SSL_get_verify_result(ssl);
	const char *reason = ERR_reason_error_string(error);

	if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE &&
	    verdict == X509_V_ERR_DANE_NO_MATCH)
		snprintf(
		    why, TLS_WHY_MAX, "the certificate matches no TLSA record");
	else if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE &&
	    verdict != X509_V_OK)
		snprintf(why, TLS_WHY_MAX, "certificate: %s",
		    X509_verify_cert_error_string(verdict));
	else if (reason != NULL)
		snprintf(why, TLS_WHY_MAX, "%s", reason);
	else
		snprintf(why, TLS_WHY_MAX, "%s in the handshake",
		    system == 0 ? "connection closed" : strerror(system));
	ERR_clear_error();
}

const char *
tls_text(const struct tls *t, const SSL *ssl, char dst[TLS_TEXT_MAX])
{
	bool dane =
	    SSL_get0_dane_authority((SSL *)(uintptr_t)ssl, NULL, NULL) >= 0;

	snprintf(dst, TLS_TEXT_MAX, "%s %s %s", SSL_get_version(ssl),
	    SSL_get_cipher_name(ssl),
	    dane            ? "dane"
		: t->verify ? "verified"
			    : "unverified");
	return dst;
}

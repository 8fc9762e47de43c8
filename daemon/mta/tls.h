/*
 * tls - how we are a client of TLS (OpenSSL)
 *
 * One struct tls holds what all sessions of a policy share: versions, ciphers,
 * trusted certificates, our own certificates with their keys. A session takes
 * the certificate that fits the name we said, and is held against the TLSA
 * records of its host where there are any.
 */
#ifndef DAEMON_MTA_TLS_H
#define DAEMON_MTA_TLS_H

#include <sys/socket.h>

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/conf/conf.h"

struct tls;
struct tlsa;

#define TLS_WHY_MAX 256

struct tls_options {
	const struct conf_pki *pkis; /* those with contents count */
	size_t npkis;
	const char *pki; /* whose certificate is shown; NULL: by helo */
	const char *protocols, *ciphers; /* NULL: the defaults */
	const char *ca_pem; /* NULL: the system's */
	bool verify;
	bool lax; /* no TLS would do as well: so any TLS does */
};

struct tls *tls_new(const struct tls_options *o, char why[TLS_WHY_MAX]);
void tls_free(struct tls *t); /* NULL is accepted */

struct tls_peer { /* lent while the session is set up */
	const char *name; /* to be verified; "": addr is */
	const struct sockaddr_storage *addr;
	const char *helo; /* as we said */
	const struct tlsa *tlsa; /* NULL: none */
};

/* NULL with why. */
SSL *tls_session(
    struct tls *t, const struct tls_peer *peer, char why[TLS_WHY_MAX]);
/* After the handshake: what it cannot check itself. */
bool tls_check(struct tls *t, SSL *ssl, const struct tls_peer *peer,
    char why[TLS_WHY_MAX]);
/* Why a handshake failed. error: OpenSSL's, or 0; system: errno, or 0. */
void tls_failure(
    SSL *ssl, unsigned long error, int system, char why[TLS_WHY_MAX]);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384 verified": or dane, or unverified. */
#define TLS_TEXT_MAX 96
const char *tls_text(
    const struct tls *t, const SSL *ssl, char dst[TLS_TEXT_MAX]);

#endif

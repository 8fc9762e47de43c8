/*
 * pem - what OpenSSL makes of certificates, keys and its own words (inside
 * daemon/conf)
 *
 * Nothing is kept: whoever uses them reads them again. False comes with the end
 * of a sentence about the file in why.
 */
#ifndef DAEMON_CONF_PEM_H
#define DAEMON_CONF_PEM_H

#include <stdbool.h>
#include <stddef.h>

#define PEM_WHY_MAX 200

bool pem_certificates_ok(const char *pem, char why[PEM_WHY_MAX]);
bool pem_key_ok(const char *pem, char why[PEM_WHY_MAX]);
/* Is it the key of the first of the certificates? */
bool pem_fit(const char *certificates, const char *key);

/* Versions as in "TLSv1.2, TLSv1.3", and lists of ciphers. */
bool pem_protocols_ok(const char *words);
bool pem_ciphers_ok(const char *words);

#endif

/*
 * dane - what the DNS says of a host's certificates (RFC 7672)
 *
 * A copy of the usable TLSA records of one host, shared by its sessions.
 */
#ifndef DAEMON_MTA_DANE_H
#define DAEMON_MTA_DANE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/edge/name.h"

struct tlsa;

/* NULL when TLSA says nothing of the host (NAME_TLSA_NONE). One whose TLSA is
 * NAME_TLSA_TROUBLE must not be connected to at all: NULL as well. */
struct tlsa *tlsa_new(const struct name_host *h);
/* Both accept NULL. Counting makes no difference to who uses it: const. */
const struct tlsa *tlsa_ref(const struct tlsa *t);
void tlsa_unref(const struct tlsa *t);
bool tlsa_same(const struct tlsa *a, const struct tlsa *b); /* or both NULL */

/* The certificate must match a record; false: TLS, whoever answers. */
bool tlsa_usable(const struct tlsa *t);
const char *tlsa_base(const struct tlsa *t); /* the name to be verified */
/* "3 1 1 0a1b2c3d.., 2 0 1 ..": for people. Returns dst. */
const char *tlsa_text(const struct tlsa *t, char *dst, size_t size);

/* Has the handshake of ssl held against the records; host: a name the
 * certificate may carry besides the base. 1: it will be; 0: not one of them is
 * understood by the library, so the host counts as one without usable ones;
 * -1: no memory. */
int dane_apply(const struct tlsa *t, SSL *ssl, const char *host);

#endif

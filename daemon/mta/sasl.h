/*
 * sasl - AUTH as a client: PLAIN (RFC 4616) and LOGIN, pure
 *
 * PLAIN is taken where both are offered: one round trip, and the only one of
 * the two that has a specification.
 */
#ifndef DAEMON_MTA_SASL_H
#define DAEMON_MTA_SASL_H

#include <stdbool.h>

#include "daemon/mta/reply.h"
#include "lib/base/buf.h"

#define SASL_SECRET_MAX 1024 /* octets of a name or a password */

enum sasl_mechanism {
	SASL_NONE,
	SASL_PLAIN,
	SASL_LOGIN
};

struct sasl {
	enum sasl_mechanism mechanism;
	const char *user, *password; /* lent */
	unsigned steps; /* lines said */
};

enum sasl_next {
	SASL_SAY, /* a line was appended: a secret */
	SASL_DONE,
	SASL_REFUSED, /* by the reply */
	SASL_NONSENSE /* it asks for more than there is to say */
};

/* False when the host offers nothing that we have. */
bool sasl_begin(struct sasl *s, const struct reply_ehlo *host, const char *user,
    const char *password);
const char *sasl_name(const struct sasl *s); /* "PLAIN" */
/* Appends the first line with its line end; holds a secret. */
void sasl_start(struct sasl *s, struct buf *out);
enum sasl_next sasl_take(
    struct sasl *s, const struct reply *r, struct buf *out);
/* The text holds the secret in one of the forms in which it was said. */
bool sasl_leaks(const struct sasl *s, const char *text);

#endif

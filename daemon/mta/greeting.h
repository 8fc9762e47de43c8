/*
 * greeting - how a session with a host is set up, pure
 *
 * Banner, EHLO (HELO where that is not known, LHLO by LMTP), STARTTLS and EHLO
 * once more, AUTH: fed with replies it says what comes next. TLS that is a must
 * is never given up, whatever the host answers or leaves out (RFC 3207), and
 * credentials are not said before it.
 */
#ifndef DAEMON_MTA_GREETING_H
#define DAEMON_MTA_GREETING_H

#include <stdbool.h>

#include "daemon/mta/reply.h"
#include "daemon/mta/sasl.h"
#include "lib/base/buf.h"

enum greeting_tls {
	GREETING_CLEAR, /* not even when it is offered */
	GREETING_TRY, /* when it is offered */
	GREETING_MUST
};

struct greeting_want { /* lent */
	const char *label; /* the host in status texts */
	const char *helo;
	bool lmtp;
	enum greeting_tls tls;
	const char *user, *password; /* NULL: no AUTH */
};

enum greeting_next {
	GREETING_SAY, /* a line was appended; wait for the reply */
	GREETING_SAY_SECRET, /* likewise; it must not be shown */
	GREETING_HANDSHAKE, /* put TLS on, then greeting_secured() */
	GREETING_READY,
	GREETING_END /* fault and status say why */
};

enum greeting_fault {
	GREETING_REFUSED,
	GREETING_NO_TLS,
	GREETING_NO_AUTH,
	GREETING_421,
	GREETING_NONSENSE
};

struct greeting {
	const struct greeting_want *want;
	enum greeting_state {
		GREETING_BANNER,
		GREETING_EHLO,
		GREETING_HELO,
		GREETING_STARTTLS,
		GREETING_AUTH
	} state;
	bool secure; /* TLS is on */
	struct reply_ehlo host; /* what it can, as it said last */
	struct sasl sasl;
	enum greeting_fault fault;
	char status[REPLY_STATUS_MAX];
};

/* secure: TLS is on before the banner. */
void greeting_begin(
    struct greeting *g, const struct greeting_want *want, bool secure);
enum greeting_next greeting_take(
    struct greeting *g, const struct reply *r, struct buf *out);
enum greeting_next greeting_secured(struct greeting *g, struct buf *out);

/* What is waited for, in words: "EHLO". */
const char *greeting_phase(const struct greeting *g);
/* The text may be shown: it holds nothing of the credentials. */
bool greeting_harmless(const struct greeting *g, const char *text);

#endif

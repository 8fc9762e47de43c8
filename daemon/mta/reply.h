/*
 * reply - reads what a remote host answers (RFC 5321 section 4.2), pure
 *
 * Fed with octets in pieces of any size. Of a reply the code of the last line
 * counts; text is kept up to a bound and the rest passed over, so that no host
 * can make us hold more than struct reply.
 */
#ifndef DAEMON_MTA_REPLY_H
#define DAEMON_MTA_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLY_TEXT_MAX 4096 /* octets kept of a reply */
#define REPLY_LINES_KEPT 64
#define REPLY_LINES_MAX 500000u /* more than this is no reply */
#define REPLY_STATUS_MAX 512 /* of one printable line */

struct reply {
	unsigned code; /* 200 to 599, once it is whole */
	char text[REPLY_TEXT_MAX + 1]; /* lines without their codes, each
					* ended by LF; no NUL inside */
	size_t len;
	/* private */
	uint32_t lines;
	uint8_t at; /* octets seen of code and separator: 0 to 4 */
	bool more; /* the line says that another one follows */
	bool cr; /* held back: it ends the line, or belongs to it */
};

enum reply_state {
	REPLY_MORE, /* not yet whole */
	REPLY_WHOLE,
	REPLY_BAD /* not SMTP: the stream is beyond repair */
};

void reply_init(struct reply *r);
/* *used: octets taken; after WHOLE the rest belongs to the next reply, for
 * which reply_init() is called first. */
enum reply_state reply_feed(
    struct reply *r, const void *data, size_t len, size_t *used);

/* "550 5.1.1 no such user": code, enhanced code (made up where the host gave
 * none), all lines in one, printable. */
const char *reply_status(char dst[REPLY_STATUS_MAX], const struct reply *r);

/* The host gave an enhanced code of the reply's class itself. */
bool reply_enhanced(const struct reply *r);

/* What a host can do, as its EHLO reply says. */
struct reply_ehlo {
	bool pipelining;
	bool eightbitmime;
	bool starttls;
	bool chunking;
	bool auth_plain, auth_login;
	bool size; /* wants SIZE= */
	uint64_t size_limit; /* 0: none told */
};

void reply_ehlo(struct reply_ehlo *e, const struct reply *r);

#endif

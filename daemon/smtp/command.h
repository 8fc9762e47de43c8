/*
 * command - an SMTP command line, cut from the input and taken apart
 *
 * Pure. A line ends with CRLF and nothing else; what is too long, or holds a
 * bare LF, a bare CR or a NUL, is refused and skipped to the next CRLF, never
 * parsed (RFC 5321 sections 2.3.8, 4.1, 4.5.3.1). The reply to a line that
 * cannot be carried out is found here.
 */
#ifndef DAEMON_SMTP_COMMAND_H
#define DAEMON_SMTP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/mail/addr.h"

#define COMMAND_LINE_MAX 512 /* octets, CRLF included */
#define COMMAND_MAIL_MAX (COMMAND_LINE_MAX + 26 + 17) /* RFC 1870, RFC 6152 */
#define COMMAND_PATH_MAX 256 /* < and > included */

enum command_cut {
	COMMAND_WHOLE, /* a line */
	COMMAND_MORE, /* its end has not come yet */
	COMMAND_LONG, /* the rest is to be skipped */
	COMMAND_BARE_LF, /* likewise */
	COMMAND_BAD_OCTET /* a line with a NUL or a bare CR */
};

/* Looks at the start of the input, of which COMMAND_MAIL_MAX octets are
 * enough. *used is what to drop; a whole line is *used - 2 octets long. */
enum command_cut command_cut(const char *in, size_t len, size_t *used);

/* Skips to the end of a refused line. False: it was not in the input, of which
 * *used may be dropped. */
bool command_skip(const char *in, size_t len, size_t *used);

enum command_verb {
	COMMAND_UNKNOWN,
	COMMAND_HELO,
	COMMAND_EHLO,
	COMMAND_MAIL,
	COMMAND_RCPT,
	COMMAND_DATA,
	COMMAND_RSET,
	COMMAND_NOOP,
	COMMAND_VRFY,
	COMMAND_EXPN,
	COMMAND_HELP,
	COMMAND_QUIT,
	COMMAND_FOREIGN, /* another protocol: hang up */
	COMMAND_VERBS
};

struct command {
	enum command_verb verb;
	const char *error; /* the reply, when it cannot be carried out */
	struct addr addr; /* MAIL, RCPT */
	char name[ADDR_DOMAIN_MAX + 1]; /* HELO, EHLO */
	bool has_size;
	uint64_t size; /* declared; UINT64_MAX when it is beyond counting */
	bool eightbit; /* BODY=8BITMIME */
};

/* line is without its CRLF. */
void command_parse(struct command *c, const char *line, size_t len);

#endif

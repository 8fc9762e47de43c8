/*
 * inspect - what is wrong with one file, judged by itself
 *
 * Pure: names, attributes and octets come from the caller; problems go to a
 * list. What files mean to each other (an envelope without its message) is
 * survey's business.
 */
#ifndef TOOLS_QTOOL_INSPECT_H
#define TOOLS_QTOOL_INSPECT_H

#include <sys/stat.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/qtool/problem.h"

#define INSPECT_TEMP_AGE 3600 /* seconds: an older temporary is stale */

enum inspect_kind {
	INSPECT_MESSAGE,
	INSPECT_ENVELOPE,
	INSPECT_TEMP, /* a name of ours that a rename should have ended */
	INSPECT_FOREIGN
};

/* id is an evpid; that of a message has recipient number 0. */
enum inspect_kind inspect_name(const char *name, uint64_t *id);

struct inspect_known {
	int64_t now; /* seconds since the epoch; with slack for clocks */
	uid_t owner;
	/* Which actions the configuration has; NULL: not asked. */
	bool (*action)(void *ctx, const char *name);
	void *ctx;
};

/* Type, mode, owner, links. False: the file must not be opened. */
bool inspect_file(const struct inspect_known *k, const struct stat *st,
    const char *file, struct problems *p);
bool inspect_dir(const struct inspect_known *k, const struct stat *st,
    const char *file, struct problems *p);

/* The clear text of an envelope. *said is 0 unless its id line is another's,
 * which is for the caller to tell, who may know that one. False: what it says
 * cannot be relied upon. */
bool inspect_envelope(const struct inspect_known *k, uint64_t evpid,
    const char *text, size_t len, const char *file, uint64_t *said,
    struct problems *p);

/* The body, in pieces from its first octet; what is wrong, at the end. */
struct inspect_body {
	uint64_t at;
	bool field; /* the first line may still become a header field */
	bool named; /* it has */
	bool header; /* no empty line yet */
	bool bare_cr, bare_lf;
	unsigned char last;
	uint64_t line; /* octets of this line */
};
void inspect_body_begin(struct inspect_body *b);
void inspect_body_feed(struct inspect_body *b, const void *data, size_t len);
void inspect_body_end(
    const struct inspect_body *b, const char *file, struct problems *p);

#endif

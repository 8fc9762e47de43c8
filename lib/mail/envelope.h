/*
 * envelope - one recipient of one message, and its ASCII form (spool.5)
 *
 * The text is `name: value` lines in a fixed order, first `spool-envelope: 1`,
 * last `check: crc32c=<8 hex>` over all octets before that line. Control
 * characters, '%' and line ends in a value are written %NN, so remote text
 * never starts a line. Reading takes any order; x- names are kept verbatim;
 * other unknown or repeated names (but history) are an error.
 */
#ifndef LIB_MAIL_ENVELOPE_H
#define LIB_MAIL_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

#define ENVELOPE_TEXT_MAX (64u * 1024)
#define ENVELOPE_HISTORY 8 /* lines kept, the last ones */
#define ENVELOPE_ERROR_MAX 512 /* octets kept of a remote reply */

enum envelope_state {
	ENVELOPE_QUEUED,
	ENVELOPE_HELD,
	ENVELOPE_FAILED, /* waits for its bounce */
	ENVELOPE_STATES
};

enum envelope_kind {
	ENVELOPE_RELAY,
	ENVELOPE_DELIVER,
	ENVELOPE_BOUNCE, /* a bounce of ours on its way out: relayed or
			  * delivered as its action says */
	ENVELOPE_KINDS
};

/* All strings are owned; NULL or "" when the line is not there, but for
 * sender, which is "" for the null reverse-path. */
struct envelope {
	uint64_t id;
	enum envelope_state state;
	enum envelope_kind kind;
	char *action;
	char *sender;
	char *recipient; /* as given in RCPT */
	char *destination; /* after expansion */
	char *from; /* smtp [192.0.2.14]:40112 helo ... */
	int64_t arrived, expires; /* seconds since the epoch */
	uint32_t tries;
	int64_t last_try, next_try; /* 0: none */
	char *error;
	char *dsn;
	char *hold;
	uint32_t suspect;
	char *history[ENVELOPE_HISTORY];
	unsigned histories;
	uint32_t generation;
	char *extra; /* x- lines, verbatim with their line ends */
};

enum envelope_result {
	ENVELOPE_OK,
	ENVELOPE_TORN, /* cut short: no check line */
	ENVELOPE_EDITED, /* reads well, but check does not fit */
	ENVELOPE_BROKEN /* cannot be read; the reason says what and where */
};

const char *envelope_state_name(enum envelope_state s);
const char *envelope_kind_name(enum envelope_kind k);

void envelope_init(struct envelope *e); /* zeroes: all NULL */
void envelope_clear(struct envelope *e); /* frees the strings, zeroes */

/*
 * Reads text into *e (initialised by this call, cleared by the caller in any
 * case). For TORN and EDITED *e holds what could be read. reason (may be NULL)
 * gets a sentence naming the line.
 */
enum envelope_result envelope_parse(struct envelope *e, const char *text,
    size_t len, char *reason, size_t reason_size);

/* Appends the text with its check line. -1 when it does not fit the buffer. */
int envelope_print(const struct envelope *e, struct buf *b);

/* Appends a line to history, dropping the oldest of nine. */
void envelope_remember(struct envelope *e, const char *line);

/* Replaces an owned string: frees the old one, copies the new (NULL: none). */
void envelope_set(char **field, const char *value);

/* For text that is to become a field: true when it is free of control octets
 * and is ASCII or valid UTF-8. */
bool envelope_text_ok(const char *text);

#endif

/*
 * selector - which envelopes are meant (selector.7)
 *
 * One language for smtpctl, smtptop, qtool, traces and hold rules:
 *
 *	rcpt.domain = gmail.com && age > 3d && !held
 *	any(error.class = 4) || sender ~ "*@shop.example"
 *
 * A text is parsed once, checked wholly (fields, operators, units; what is
 * wrong is named with its column and what would have been right), and then
 * asked about any number of subjects. Pure: it opens nothing; the subject says
 * what it knows through one callback.
 */
#ifndef LIB_MAIL_SELECTOR_H
#define LIB_MAIL_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

#define SELECTOR_TEXT_MAX 65536
#define SELECTOR_DEPTH 64 /* of parentheses and negations */
#define SELECTOR_TESTS 8192
#define SELECTOR_ERES 64 /* regular expressions of one selector */
#define SELECTOR_ERE_MAX 512 /* octets of one */

/* In the order of the table in selector_field.c, which has their names and
 * kinds. "derived": the library makes it from others unless the subject has a
 * value of that very name. */
enum selector_field {
	SELECT_ID, /* evpid, 16 digits; compares equal with its msgid too */
	SELECT_MSGID,
	SELECT_TYPE, /* mta mda bounce */
	SELECT_STATE, /* ready deferred held inflight paused bounce corrupt
		       * trash offline */
	SELECT_HELD,
	SELECT_PAUSED,
	SELECT_INFLIGHT,
	SELECT_SENDER,
	SELECT_SENDER_DOMAIN, /* derived from SELECT_SENDER */
	SELECT_SENDER_NULL, /* the same */
	SELECT_RCPT,
	SELECT_RCPT_DOMAIN, /* derived from SELECT_RCPT */
	SELECT_RCPT_LOCAL, /* the same */
	SELECT_DEST,
	SELECT_AGE, /* derived from the subject's arrival time */
	SELECT_SIZE,
	SELECT_STORED,
	SELECT_TRIES,
	SELECT_NEXT, /* a time */
	SELECT_LAST, /* a time */
	SELECT_EXPIRES, /* a time */
	SELECT_TTL, /* derived from SELECT_EXPIRES */
	SELECT_ARRIVED, /* a time; people rather write age */
	SELECT_ERROR,
	SELECT_ERROR_CODE, /* these five are derived from SELECT_ERROR */
	SELECT_ERROR_CLASS,
	SELECT_ERROR_ENH,
	SELECT_ERROR_MX,
	SELECT_ERROR_PHASE,
	SELECT_ROUTE,
	SELECT_RELAY,
	SELECT_SRC,
	SELECT_LISTENER,
	SELECT_CLIENT_IP,
	SELECT_CLIENT_NAME,
	SELECT_HELO,
	SELECT_AUTH,
	SELECT_TLS,
	SELECT_TAG,
	SELECT_RULE,
	SELECT_ENC,
	SELECT_COMP,
	SELECT_KID,
	SELECT_HOST,
	SELECT_SUBJECT, /* the message is opened for it: body role */
	SELECT_HDR, /* the same; hdr."X-Name" */
	SELECT_MSG_RCPTS, /* derived: how many siblings there are */
	SELECT_MSG_SIZE, /* derived from SELECT_SIZE */
	SELECT_MSG_STATE, /* derived: the state of all siblings, or mixed */
	SELECT_BODY, /* the message is opened */
	SELECT_FIELDS
};

/* Text is lent until the next call. A flag is a number, 0 or 1; a time is
 * seconds since the epoch, and a time of 0 is none; an IP address is text. */
struct selector_value {
	const char *text; /* NULL: a number */
	int64_t number;
};

struct selector_subject {
	/* False: it has no such value (tests of it are then false, and != is
	 * true). header names the hdr of SELECT_HDR, else NULL. Not asked for
	 * SELECT_AGE, SELECT_TTL and SELECT_SENDER_NULL; what is derived is
	 * asked for first, but for the parts of addresses. */
	bool (*value)(void *ctx, enum selector_field f, const char *header,
	    struct selector_value *v);
	/* Calls each for every envelope of the same message, this one among
	 * them, until it says false; NULL: the subject stands alone. */
	void (*siblings)(void *ctx,
	    bool (*each)(void *arg, const struct selector_subject *s),
	    void *arg);
	void *ctx;
};

struct selector_error {
	size_t column; /* octets from 0 */
	char text[256]; /* a sentence, with the nearest name if any */
};

struct selector;

/* now settles "today", "-2h", ages. NULL with *e filled. The word all selects
 * everything; an empty text is an error. To have ages move, parse again: it
 * takes microseconds. */
struct selector *selector_parse(
    const char *text, int64_t now, struct selector_error *e);
void selector_free(struct selector *s); /* NULL is accepted */
/* Any number of threads may ask at a time. */
bool selector_match(
    const struct selector *s, const struct selector_subject *subject);

bool selector_is_all(const struct selector *s);
/* Whether evaluating it may ask for this field (of the subject itself: rcpt,
 * when rcpt.domain is tested). */
bool selector_uses(const struct selector *s, enum selector_field f);
/* Whether a test of f (type, state, error.phase, comp, enc) has this word. */
bool selector_has_word(
    const struct selector *s, enum selector_field f, const char *word);
/* What evaluating it needs beyond the envelope: the message, siblings. */
bool selector_needs_message(const struct selector *s);
bool selector_needs_siblings(const struct selector *s);
/* False when it uses a field that may change after arrival: hold rules. */
bool selector_is_arrival_only(const struct selector *s);
/* Of a conjunct `id = X` or `msgid in (...)`, for an index: evpids in rising
 * order, none twice, where recipient number 0 means the whole message; nothing
 * else can match. 0: it does not narrow that way. */
size_t selector_ids(const struct selector *s, const uint64_t **ids);

/* Appends the canonical text: parsing it gives the same selector. */
void selector_print(const struct selector *s, struct buf *b);
/* Appends the parsed tree, a line a node, with what is known from an index and
 * what must be scanned, and how often each test was asked and held so far. */
void selector_explain(const struct selector *s, struct buf *b);
/* The message, the text and a caret under the column. */
void selector_complain(
    const char *text, const struct selector_error *e, struct buf *b);

/* The sugar of command lines: -f ADDR, -r ADDR, -o 3d, -y 1h, -e TEXT,
 * -S STATE, -R ROUTE, -w EXPR become one expression. Appends with && to b; -1
 * and *e for a value that cannot be meant. */
int selector_sugar(
    char letter, const char *value, struct buf *b, struct selector_error *e);

const char *selector_field_name(enum selector_field f);
/* The field of that name, or SELECT_FIELDS. */
enum selector_field selector_field_of(const char *name);

#endif

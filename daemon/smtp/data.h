/*
 * data - the text after DATA, up to the line that holds only a dot
 *
 * An automaton over octets, fed in pieces of any size, with four octets of
 * state. Only CRLF.CRLF ends the text (RFC 5321 section 4.1.1.4): a bare CR, a
 * bare LF or a NUL is passed through and flagged, and the true end is still
 * waited for, so that no two readers disagree on where the message stops.
 */
#ifndef DAEMON_SMTP_DATA_H
#define DAEMON_SMTP_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATA_BARE_CR 1u
#define DATA_BARE_LF 2u
#define DATA_NUL 4u

struct data {
	uint8_t state; /* private */
	uint8_t flags; /* of the text so far */
	bool ended;
};

void data_init(struct data *d);

/* Consumes in until the text ends or in does; returns how much. emit gets the
 * text without stuffed dots and without the last line, in spans that are lent
 * for the call. Not to be called once ended. */
size_t data_feed(struct data *d, const uint8_t *in, size_t len,
    void (*emit)(void *arg, const uint8_t *text, size_t len), void *arg);

#endif

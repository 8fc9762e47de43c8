/*
 * outlet - mail and envelopes on their way out of qtool
 *
 * Text comes in pieces and leaves line by line: with what is to be redacted
 * left out, in the form of an mbox where that is wanted, and made harmless for
 * a terminal. Bounded: a longer line leaves in parts.
 */
#ifndef TOOLS_QTOOL_OUTLET_H
#define TOOLS_QTOOL_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define OUTLET_ADDR 1u /* local parts of addresses */
#define OUTLET_SUBJECT 2u
#define OUTLET_BODY 4u

struct outlet;

struct outlet_options {
	FILE *to;
	unsigned redact;
	bool header; /* what comes begins with a header */
	bool headers_only, body_only;
	bool mbox; /* LF line ends, "From " quoted */
	bool terminal;
};

struct outlet *outlet_new(const struct outlet_options *o);
void outlet_write(struct outlet *t, const void *data, size_t len);
bool outlet_enough(const struct outlet *t); /* the rest would not be shown */
void outlet_end(struct outlet *t); /* writes what is left, frees */

/* "addr,subject,body" as bits; 0 for anything else. */
unsigned outlet_redaction(const char *words);

#endif

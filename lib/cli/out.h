/*
 * out - one stream of records, shown as tables or as JSON lines
 *
 * A tool hands over what the daemon sent, record by record; how it looks is
 * decided here alone. Any record can be shown; those of known types have a
 * table of their own. Remote text is made harmless for a terminal.
 */
#ifndef LIB_CLI_OUT_H
#define LIB_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct out;

enum out_form {
	OUT_LIST, /* a row a record */
	OUT_DETAIL, /* a line a field */
	OUT_MAILQ, /* envelopes the way sendmail lists them */
	OUT_JSON
};

struct out_options {
	enum out_form form;
	FILE *to;
	unsigned width; /* rows are cut to it; 0: no terminal, nothing is */
	int64_t now; /* seconds since the epoch */
	const char *host, *command; /* for the JSON header */
	const char *selector; /* the same; NULL: there is none */
	bool wide; /* envelopes with sender and error */
	bool why; /* routes and relays with what they wait for */
};

struct out_end {
	int status; /* of lib/cli/exitcode.h */
	uint64_t done, skipped;
	const char *text; /* behind rows it is shown in JSON alone */
};

struct out *out_new(const struct out_options *o); /* o's strings are lent */
void out_free(struct out *o);

/* -1 when the record is malformed; nothing of it is shown then. */
int out_record(struct out *o, const void *record, size_t len);
/* A trace or profile line of a subsystem. */
void out_line(
    struct out *o, const char *sub, uint64_t when_ms, const char *text);
uint64_t out_count(const struct out *o); /* records and lines so far */

/* Closes the stream: what was collected, totals, the JSON end object. With a
 * status that is an error, the JSON error object comes first. */
void out_finish(struct out *o, const struct out_end *e);

#endif

/*
 * catch - reads one message as it comes and holds it against its note
 *
 * Fed line by line with what follows DATA, dots still doubled.
 */
#ifndef BENCH_LIB_CATCH_H
#define BENCH_LIB_CATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/lib/note.h"

struct catch
{ /* begins zeroed */
	bool body, noted;
	bool bare; /* a line that did not end in CRLF */
	char id[NOTE_ID_MAX];
	uint32_t want, crc;
	uint64_t octets;
};

/* One line with its line end. True: it was the final dot. */
bool catch_line(struct catch *c, const char *line, size_t len);

/* For a message with a note: is it the one that was sent, octet for octet? */
bool catch_whole(const struct catch *c);

#endif

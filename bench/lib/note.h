/*
 * note - the messages of the load generator, and how a sink knows them again
 *
 * A header field carries the message's id and the checksum of its body. The
 * body is one of a few fillers, made once, and a last line with the id: so
 * the checksum of any message costs one line's work.
 */
#ifndef BENCH_LIB_NOTE_H
#define BENCH_LIB_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTE_FIELD "X-Flood-Id:"
#define NOTE_FILLERS 16
#define NOTE_RUN_MAX 20
#define NOTE_ID_MAX 48 /* RUN/NUMBER */
#define NOTE_TAIL_MAX 64

struct filler {
	char *wire; /* dots doubled */
	size_t len;
	uint32_t crc; /* of the text, dots as they were */
};

/* Fillers for messages of about size octets in all; prose: that compress as
 * text does, and not to nearly nothing. */
void note_fillers(
    struct filler fillers[NOTE_FILLERS], uint64_t size, bool prose);

/* The last line of a body, and the checksum of the whole body. */
uint32_t note_tail(char tail[NOTE_TAIL_MAX], const char *run, uint64_t number,
    const struct filler *fl);

/* The value of the header field, taken apart; false when it is none. */
bool note_parse(const char *value, char id[NOTE_ID_MAX], uint32_t *crc);

#endif

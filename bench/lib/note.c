#include "bench/lib/note.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/base/mem.h"

#define NOTE_LINE 74
#define NOTE_OVERHEAD 330 /* about what a message has beside its filler */

static uint32_t
next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/*
 * Words as in a language: short ones often, thousands of others seldom, so that
 * a compressor finds about what it finds in letters.
 */
static void
put_prose(char *row, size_t len, uint32_t *state)
{
	static const char letters[] = "etaoinsrhldcumfpgwybvkxjqz,.ETAOI";
	uint32_t word, one, other, r;
	size_t i = 0, n;

	while (i < len) {
		r = next_random(state);
		/* One of few, or one of many: a word is what its number says. */
		word = r % 100 < 45 ? r / 100 % 40 : r / 100 % 6000;
		word = word * 2654435761u + 12345;
		for (n = 2 + (word >> 8) % 7; n > 0 && i < len; n--) {
			one = next_random(&word) >> 8 & 31;
			other = next_random(&word) >> 8 & 31;
			row[i++] = letters[one < other ? one : other];
		}
		if (i < len)
			row[i++] = ' ';
	}
}

static void
put_letters(char *row, size_t len, unsigned from)
{
	static const char alphabet[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t i;

	for (i = 0; i < len; i++)
		row[i] = alphabet[(i + from) % (sizeof(alphabet) - 1)];
}

/* Lines of 72 characters, one in eight of them beginning with a dot. */
static void
fill(struct filler *fl, unsigned variant, size_t want, bool prose)
{
	uint32_t state = variant + 1;
	size_t text = 0;

	fl->wire = mem_zalloc(want + want / NOTE_LINE + 2 * NOTE_LINE);
	for (unsigned line = 0; text < want; line++) {
		char row[NOTE_LINE];
		size_t len = want - text < NOTE_LINE ? want - text : NOTE_LINE;

		if (len < 2)
			len = 2;
		if (prose)
			put_prose(row, len - 2, &state);
		else
			put_letters(row, len - 2, line * 7 + variant * 3);
		if (line % 8 == 3 && len > 2)
			row[0] = '.';
		memcpy(row + len - 2, "\r\n", 2);
		fl->crc = crc32c(fl->crc, row, len);
		text += len;
		if (row[0] == '.')
			fl->wire[fl->len++] = '.';
		memcpy(fl->wire + fl->len, row, len);
		fl->len += len;
	}
}

void
note_fillers(struct filler fillers[NOTE_FILLERS], uint64_t size, bool prose)
{
	size_t want = size > NOTE_OVERHEAD ? (size_t)size - NOTE_OVERHEAD : 0;

	for (unsigned i = 0; i < NOTE_FILLERS; i++)
		fill(&fillers[i], i, want, prose);
}

uint32_t
note_tail(char tail[NOTE_TAIL_MAX], const char *run, uint64_t number,
    const struct filler *fl)
{
	int len = snprintf(tail, NOTE_TAIL_MAX, "end %s/%llu\r\n", run,
	    (unsigned long long)number);

	return crc32c(fl->crc, tail, (size_t)len);
}

bool
note_parse(const char *value, char id[NOTE_ID_MAX], uint32_t *crc)
{
	return sscanf(value, " %47s crc32c=%x", id, crc) == 2 &&
	    strchr(id, '/') != NULL;
}

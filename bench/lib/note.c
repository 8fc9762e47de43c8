#include "bench/lib/note.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/base/mem.h"

#define NOTE_LINE 74
#define NOTE_OVERHEAD 330 /* about what a message has beside its filler */

/* Lines of 72 characters, one in eight of them beginning with a dot. */
static void
fill(struct filler *fl, unsigned variant, size_t want)
{
	static const char alphabet[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t text = 0;

	fl->wire = mem_zalloc(want + want / NOTE_LINE + 2 * NOTE_LINE);
	for (unsigned line = 0; text < want; line++) {
		char row[NOTE_LINE];
		size_t len = want - text < NOTE_LINE ? want - text : NOTE_LINE;

		if (len < 2)
			len = 2;
		for (size_t i = 0; i + 2 < len; i++)
			row[i] = alphabet[(i + line * 7 + variant * 3) %
			    (sizeof(alphabet) - 1)];
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
note_fillers(struct filler fillers[NOTE_FILLERS], uint64_t size)
{
	size_t want = size > NOTE_OVERHEAD ? (size_t)size - NOTE_OVERHEAD : 0;

	for (unsigned i = 0; i < NOTE_FILLERS; i++)
		fill(&fillers[i], i, want);
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

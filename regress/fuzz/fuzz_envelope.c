/* Any octets as an envelope: what is read is written, and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mail/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf *once = buf_new(ENVELOPE_TEXT_MAX);
	struct buf *twice = buf_new(ENVELOPE_TEXT_MAX);
	enum envelope_result rc;
	struct envelope e, again;
	char reason[128];

	rc = envelope_parse(
	    &e, (const char *)data, size, reason, sizeof(reason));
	if ((rc == ENVELOPE_OK) != (reason[0] == '\0'))
		abort();
	/* Escapes may make it longer than it was. */
	if ((rc == ENVELOPE_OK || rc == ENVELOPE_EDITED) &&
	    envelope_print(&e, once) == 0) {
		if (envelope_parse(&again, buf_text(once), buf_len(once),
			reason, sizeof(reason)) != ENVELOPE_OK ||
		    envelope_print(&again, twice) == -1 ||
		    strcmp(buf_text(once), buf_text(twice)) != 0)
			abort();
		envelope_clear(&again);
	}
	envelope_clear(&e);
	buf_free(once);
	buf_free(twice);
	return 0;
}

#include "regress/qcrash/mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/base/ident.h"

size_t
mail_text(char text[MAIL_TEXT], uint64_t evpid, unsigned generation)
{
	char id[IDENT_TEXT_MAX];
	int n;

	n = snprintf(text, MAIL_TEXT,
	    "spool-envelope: 1\nid: %s\nstate: queued\nkind: relay\n"
	    "action: relay\nsender: a@example.org\nrecipient: b@example.net\n"
	    "destination: b@example.net\nfrom: smtp [192.0.2.1]:25\n"
	    "arrived: 2026-11-22T13:21:09Z\nexpires: 2026-11-26T13:21:09Z\n"
	    "tries: %u\ngeneration: %u\n",
	    ident_evpid_text(id, evpid), generation - 1, generation);
	n += snprintf(text + n, MAIL_TEXT - (size_t)n, "check: crc32c=%08x\n",
	    (unsigned)crc32c(0, text, (size_t)n));
	return (size_t)n;
}

unsigned
mail_generation(uint64_t evpid, const char *text, size_t len)
{
	const char *g = memmem(text, len, "\ngeneration: ", 13);
	char want[MAIL_TEXT];
	unsigned generation;

	if (g == NULL)
		return 0;
	generation = (unsigned)strtoul(g + 13, NULL, 10);
	if (generation == 0 || mail_text(want, evpid, generation) != len ||
	    memcmp(want, text, len) != 0)
		return 0;
	return generation;
}

void
mail_body(uint8_t *data, uint64_t msgid, uint64_t at, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++, at++)
		data[i] = at % 64 == 62 ? '\r'
		    : at % 64 == 63
		    ? '\n'
		    : (uint8_t)('!' + ((msgid >> at % 40) + at / 64) % 90);
}

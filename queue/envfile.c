#include "queue/envfile.h"

#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/base/ident.h"

#define MAGIC "spool-envelope: 1\n"
#define CHECK "\ncheck: crc32c="
#define CHECK_LEN (sizeof(CHECK) - 1)
#define CHECK_LINE (CHECK_LEN - 1 + 8 + 1) /* with its digits and LF */

static bool
hex8(const char *p, uint32_t *v)
{
	int i;

	*v = 0;
	for (i = 0; i < 8; i++) {
		if (p[i] >= '0' && p[i] <= '9')
			*v = *v << 4 | (uint32_t)(p[i] - '0');
		else if (p[i] >= 'a' && p[i] <= 'f')
			*v = *v << 4 | (uint32_t)(p[i] - 'a' + 10);
		else
			return false;
	}
	return true;
}

enum envfile_state
envfile_check(const char *text, size_t len)
{
	uint32_t said;
	const char *line;

	if (len < CHECK_LINE + 1)
		return ENVFILE_TORN;
	line = text + len - CHECK_LINE;
	if (memcmp(line - 1, CHECK, CHECK_LEN) != 0 || text[len - 1] != '\n' ||
	    !hex8(line + CHECK_LEN - 1, &said))
		return ENVFILE_TORN;
	if (crc32c(0, text, len - CHECK_LINE) != said)
		return ENVFILE_EDITED;
	return ENVFILE_WHOLE;
}

uint64_t
envfile_id(const char *text, size_t len)
{
	char digits[IDENT_TEXT_MAX];
	const char *p;
	uint64_t id;

	p = len == 0 ? NULL : memmem(text, len, "\nid: ", 5);
	if (p == NULL || (size_t)(text + len - p) < 5 + IDENT_EVPID_DIGITS)
		return 0;
	memcpy(digits, p + 5, IDENT_EVPID_DIGITS);
	digits[IDENT_EVPID_DIGITS] = '\0';
	return ident_evpid_parse(digits, &id) ? id : 0;
}

size_t
envfile_first(const char *text, size_t len)
{
	const char *p;
	size_t n;

	if (len < sizeof(MAGIC) || memcmp(text, MAGIC, sizeof(MAGIC) - 1) != 0)
		return 0;
	p = memmem(text, len, CHECK, CHECK_LEN);
	if (p == NULL)
		return 0;
	n = (size_t)(p - text) + 1 + CHECK_LINE;
	return n > len ? 0 : n;
}

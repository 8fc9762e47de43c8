#include "lib/base/ident.h"

#include <stddef.h>
#include <stdlib.h>

#define MSGID_MASK UINT64_C(0xffffffffffff)

uint64_t
ident_random64(void)
{
	uint64_t r;

	arc4random_buf(&r, sizeof(r));
	return r;
}

uint64_t
ident_random_msgid(void)
{
	uint64_t r;

	do
		r = ident_random64() & MSGID_MASK;
	while (r == 0);
	return r;
}

static const char *
hex(char *text, uint64_t v, int digits)
{
	int i;

	for (i = digits - 1; i >= 0; i--) {
		text[i] = "0123456789abcdef"[v & 15];
		v >>= 4;
	}
	text[digits] = '\0';
	return text;
}

const char *
ident_msgid_text(char text[IDENT_TEXT_MAX], uint64_t msgid)
{
	return hex(text, msgid, IDENT_MSGID_DIGITS);
}

const char *
ident_evpid_text(char text[IDENT_TEXT_MAX], uint64_t evpid)
{
	return hex(text, evpid, IDENT_EVPID_DIGITS);
}

static bool
unhex(const char *text, int digits, uint64_t *v)
{
	int i;

	*v = 0;
	for (i = 0; i < digits; i++) {
		if (text[i] >= '0' && text[i] <= '9')
			*v = *v << 4 | (uint64_t)(text[i] - '0');
		else if (text[i] >= 'a' && text[i] <= 'f')
			*v = *v << 4 | (uint64_t)(text[i] - 'a' + 10);
		else
			return false;
	}
	return text[digits] == '\0';
}

bool
ident_msgid_parse(const char *text, uint64_t *msgid)
{
	return unhex(text, IDENT_MSGID_DIGITS, msgid) && *msgid != 0;
}

bool
ident_evpid_parse(const char *text, uint64_t *evpid)
{
	return unhex(text, IDENT_EVPID_DIGITS, evpid) &&
	    ident_msgid(*evpid) != 0 && ident_rcpt(*evpid) != 0;
}

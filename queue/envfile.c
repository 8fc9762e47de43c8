#include "queue/envfile.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/base/ident.h"
#include "queue/seal.h"

#define MAGIC "spool-envelope: 1\n"
#define CHECK "\ncheck: crc32c="
#define CHECK_LEN (sizeof(CHECK) - 1)
#define CHECK_LINE (CHECK_LEN - 1 + 8 + 1) /* with its digits and LF */
#define KIND "envelope"

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

uint32_t
envfile_generation(const char *text, size_t len)
{
	static const char name[] = "\ngeneration: ";
	const char *end = text + len, *p;
	uint64_t v = 0;

	p = len == 0 ? NULL : memmem(text, len, name, sizeof(name) - 1);
	if (p == NULL)
		return 0;
	for (p += sizeof(name) - 1; p < end && *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > UINT32_MAX)
			return 0;
	}
	return (uint32_t)v;
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

bool
envfile_is_sealed(const char *data, size_t len)
{
	return seal_is_text(data, len);
}

int
envfile_wrap(const struct key *key, uint64_t evpid, const char *text,
    size_t len, struct buf *out)
{
	size_t before = buf_len(out);

	if (key == NULL)
		return buf_put(out, text, len);
	if (seal_text(key, KIND, evpid, envfile_generation(text, len), text,
		len, out) == 0 &&
	    buf_putf(out, "check: crc32c=%08x\n",
		(unsigned)crc32c(
		    0, buf_text(out) + before, buf_len(out) - before)) == 0)
		return 0;
	buf_truncate(out, before);
	return -1;
}

enum envfile_state
envfile_unwrap(const struct keyring *r, const char *data, size_t len,
    struct buf *clear, uint64_t *evpid, char kid[KEYRING_KID + 1])
{
	enum envfile_state state = envfile_check(data, len);
	char mine[KEYRING_KID + 1];
	size_t before = buf_len(clear);

	kid = kid == NULL ? mine : kid;
	kid[0] = '\0';
	if (evpid != NULL)
		*evpid = 0;
	if (!seal_is_text(data, len)) {
		if (buf_put(clear, data, len) == -1)
			return ENVFILE_EDITED;
		return state;
	}
	if (state != ENVFILE_WHOLE)
		return state;
	switch (seal_open_text(
	    r, KIND, data, len - CHECK_LINE, clear, evpid, kid)) {
	case SEAL_OK:
		state = envfile_check(
		    buf_text(clear) + before, buf_len(clear) - before);
		return state == ENVFILE_WHOLE ? state : ENVFILE_EDITED;
	case SEAL_NO_KEY:
		return keyring_find(r, kid) == NULL ? ENVFILE_NO_KEY
						    : ENVFILE_WRONG_KEY;
	case SEAL_EMPTY:
	case SEAL_DAMAGED:
		break;
	}
	return ENVFILE_EDITED;
}

const char *
envfile_reason(enum envfile_state s)
{
	static const char *const reasons[] = {
		[ENVFILE_WHOLE] = NULL,
		[ENVFILE_TORN] = "cut short",
		[ENVFILE_EDITED] = "edited or damaged",
		[ENVFILE_NO_KEY] = "sealed by a key that is not in the ring",
		[ENVFILE_WRONG_KEY] =
		    "sealed by another key of that name than the ring's",
	};

	return reasons[s];
}

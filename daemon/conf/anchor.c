#include "daemon/conf/anchor.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/base64.h"
#include "lib/base/text.h"

#define WORDS 64 /* digests and keys may be written in many */

struct reading {
	const char *at;
	unsigned line, first; /* where it stands, and where the record began */
	char room[ANCHOR_MAX];
	const char *words[WORDS];
	size_t nwords;
	char *why;
};

static int complain(struct reading *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int
complain(struct reading *r, const char *fmt, ...)
{
	int n = snprintf(r->why, ANCHOR_WHY, "line %u: ", r->first);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why + n, ANCHOR_WHY - (size_t)n, fmt, ap);
	va_end(ap);
	return -1;
}

static int
take_word(struct reading *r, size_t *used)
{
	size_t len = strcspn(r->at, " \t\r\n;()");

	if (r->nwords == WORDS || *used + len + 1 > sizeof(r->room))
		return complain(r, "the record is too long");
	memcpy(r->room + *used, r->at, len);
	r->room[*used + len] = '\0';
	r->words[r->nwords++] = r->room + *used;
	*used += len + 1;
	r->at += len;
	return 0;
}

/* The words of the next record: 1, 0 at the end, -1. */
static int
next_record(struct reading *r)
{
	unsigned open = 0;
	size_t used = 0;

	r->nwords = 0;
	while (*r->at != '\0') {
		if (*r->at == '\n') {
			r->at++;
			r->line++;
			if (open == 0 && r->nwords > 0)
				return 1;
		} else if (*r->at == ';') {
			r->at += strcspn(r->at, "\n");
		} else if (*r->at == '(' || *r->at == ')') {
			if (r->nwords == 0)
				r->first = r->line;
			if (*r->at == ')' && open == 0)
				return complain(r, "a parenthesis too many");
			open = *r->at++ == '(' ? open + 1 : open - 1;
		} else if (isspace((unsigned char)*r->at)) {
			r->at++;
		} else {
			if (r->nwords == 0)
				r->first = r->line;
			if (take_word(r, &used) == -1)
				return -1;
		}
	}
	if (open > 0)
		return complain(r, "a parenthesis is not closed");
	return r->nwords > 0;
}

/* The words from w on, put together into dst; false: too long. */
static bool
join(const struct reading *r, size_t w, char *dst, size_t size)
{
	size_t used = 0, len;

	for (; w < r->nwords; w++) {
		len = strlen(r->words[w]);
		if (used + len + 1 > size)
			return false;
		memcpy(dst + used, r->words[w], len);
		used += len;
	}
	dst[used] = '\0';
	return used > 0;
}

/* Those that libunbound validates with (RFC 8624). */
static bool
known_algorithm(uint64_t n)
{
	return n == 5 || n == 7 || n == 8 || n == 10 || (n >= 13 && n <= 16);
}

static int
check_ds(struct reading *r, size_t w, char *data, size_t size)
{
	static const size_t digits[] = { 0, 40, 64, 0, 96 };
	uint64_t tag, algorithm, digest;

	if (r->nwords < w + 4 || !text_number(r->words[w], 65535, &tag) ||
	    !text_number(r->words[w + 1], 255, &algorithm) ||
	    !text_number(r->words[w + 2], 255, &digest) ||
	    !join(r, w + 3, data, size))
		return complain(r,
		    "a DS record has a key tag, an algorithm, a "
		    "digest type and a digest");
	if (!known_algorithm(algorithm))
		return complain(
		    r, "algorithm %s is not supported", r->words[w + 1]);
	if (digest > 4 || digits[digest] == 0)
		return complain(
		    r, "digest type %s is not supported", r->words[w + 2]);
	if (strlen(data) != digits[digest] ||
	    data[strspn(data, "0123456789abcdefABCDEF")] != '\0')
		return complain(r,
		    "a digest of type %s is %zu hexadecimal "
		    "digits",
		    r->words[w + 2], digits[digest]);
	return 0;
}

static int
check_dnskey(struct reading *r, size_t w, char *data, size_t size)
{
	uint64_t flags, protocol, algorithm;
	uint8_t key[ANCHOR_MAX];

	if (r->nwords < w + 4 || !text_number(r->words[w], 65535, &flags) ||
	    !text_number(r->words[w + 1], 255, &protocol) ||
	    !text_number(r->words[w + 2], 255, &algorithm) ||
	    !join(r, w + 3, data, size))
		return complain(r,
		    "a DNSKEY record has flags, a protocol, an "
		    "algorithm and a key");
	if ((flags & 0x0100) == 0 || protocol != 3)
		return complain(r, "that is no key of a zone");
	if (!known_algorithm(algorithm))
		return complain(
		    r, "algorithm %s is not supported", r->words[w + 2]);
	if (base64_decode(key, data, strlen(data)) < 4)
		return complain(r, "the key is not in base64");
	return 0;
}

static bool
good_owner(const char *name)
{
	size_t label;

	if (strcmp(name, ".") == 0)
		return true;
	if (strlen(name) > 254)
		return false;
	while (*name != '\0') {
		label = strcspn(name, ".");
		if (label == 0 || label > 63)
			return false;
		for (; label > 0; label--, name++)
			if (!isalnum((unsigned char)*name) && *name != '-' &&
			    *name != '_')
				return false;
		if (*name == '.')
			name++;
	}
	return true;
}

/* "OWNER IN TYPE ..." into record; TTL and class may stand in either order. */
static int
normalise(struct reading *r, char *record)
{
	char data[ANCHOR_MAX];
	uint64_t ttl;
	size_t w = 1;

	if (r->words[0][0] == '$')
		return complain(r, "directives are not understood here");
	if (!good_owner(r->words[0]))
		return complain(r, "no name of a zone: %.60s", r->words[0]);
	while (w < r->nwords &&
	    (strcasecmp(r->words[w], "IN") == 0 ||
		text_number(r->words[w], UINT32_MAX, &ttl)))
		w++;
	if (w < r->nwords && strcasecmp(r->words[w], "DS") == 0) {
		if (check_ds(r, w + 1, data, sizeof(data)) == -1)
			return -1;
	} else if (w < r->nwords && strcasecmp(r->words[w], "DNSKEY") == 0) {
		if (check_dnskey(r, w + 1, data, sizeof(data)) == -1)
			return -1;
	} else {
		return complain(r, "not a DS or DNSKEY record");
	}
	if (snprintf(record, ANCHOR_MAX, "%s IN %s %s %s %s %s", r->words[0],
		r->words[w], r->words[w + 1], r->words[w + 2], r->words[w + 3],
		data) >= ANCHOR_MAX)
		return complain(r, "the record is too long");
	return 0;
}

int
anchor_each(const char *text, int (*fn)(void *arg, const char *record),
    void *arg, char why[ANCHOR_WHY])
{
	struct reading r = { .at = text, .line = 1, .first = 1, .why = why };
	char record[ANCHOR_MAX];
	int got, n = 0;

	why[0] = '\0';
	while ((got = next_record(&r)) == 1) {
		if (normalise(&r, record) == -1 ||
		    (fn != NULL && fn(arg, record) == -1))
			return -1;
		n++;
	}
	if (got == -1)
		return -1;
	if (n == 0)
		return complain(&r, "there is no DS or DNSKEY record");
	return n;
}

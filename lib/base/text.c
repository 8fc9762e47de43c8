#include "lib/base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Length of the UTF-8 character at s, 0 when there is none. */
static size_t
utf8_len(const unsigned char *s)
{
	size_t i, n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if (s[0] == 0xe0 && s[1] < 0xa0)
		return 0; /* overlong */
	if (s[0] == 0xed && s[1] > 0x9f)
		return 0; /* a surrogate */
	if (s[0] == 0xf0 && s[1] < 0x90)
		return 0;
	if (s[0] == 0xf4 && s[1] > 0x8f)
		return 0;
	if (s[0] == 0xc2 && s[1] < 0xa0)
		return 0; /* a C1 control */
	return n;
}

static void
escape(char *dst, size_t size, const char *src, const char *also)
{
	const unsigned char *s = (const unsigned char *)src;
	size_t n, at = 0;
	bool plain;

	while (*s != '\0') {
		n = utf8_len(s);
		plain = n > 1 ||
		    (n == 1 && *s >= 0x20 && *s != 0x7f &&
			strchr(also, *s) == NULL);
		if (at + (plain ? n : 4) >= size)
			break;
		if (plain) {
			memcpy(dst + at, s, n);
			at += n;
			s += n;
		} else {
			snprintf(dst + at, 5, "\\x%02x", *s);
			at += 4;
			s++;
		}
	}
	dst[at] = '\0';
}

const char *
text_quote(char *dst, size_t size, const char *src)
{
	size_t len;

	if (size < 3) {
		if (size > 0)
			dst[0] = '\0';
		return dst;
	}
	if (*src != '\0' && strchr(src, ' ') == NULL) {
		escape(dst, size, src, "\\\"");
		return dst;
	}
	dst[0] = '"';
	escape(dst + 1, size - 2, src, "\\\"");
	len = strlen(dst);
	dst[len] = '"';
	dst[len + 1] = '\0';
	return dst;
}

const char *
text_printable(char *dst, size_t size, const char *src)
{
	if (size > 0)
		escape(dst, size, src, "");
	return dst;
}

void
text_lower(char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
}

const char *
text_time(char dst[TEXT_TIME_MAX], int64_t epoch)
{
	time_t t = (time_t)epoch;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(dst, TEXT_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return dst;
}

bool
text_time_parse(const char *s, int64_t *epoch)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	char again[TEXT_TIME_MAX];
	struct tm tm = { 0 };
	size_t i;

	for (i = 0; i < sizeof(form); i++) {
		if (form[i] == 'd' ? !isdigit((unsigned char)s[i])
				   : s[i] != form[i])
			return false;
	}
	if (sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon,
		&tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*epoch = timegm(&tm);
	/* The 31st of February would come back as another day. */
	return strcmp(text_time(again, *epoch), s) == 0;
}

const char *
text_span(char dst[TEXT_SPAN_MAX], int64_t s)
{
	if (s < 0)
		s = 0;
	if (s < 60)
		snprintf(dst, TEXT_SPAN_MAX, "%ds", (int)s);
	else if (s < 3600)
		snprintf(dst, TEXT_SPAN_MAX, "%dm", (int)(s / 60));
	else if (s < 86400)
		snprintf(dst, TEXT_SPAN_MAX, "%dh%02dm", (int)(s / 3600),
		    (int)(s / 60 % 60));
	else
		snprintf(dst, TEXT_SPAN_MAX, "%lldd%02dh",
		    (long long)(s / 86400), (int)(s / 3600 % 24));
	return dst;
}

static int64_t
span_unit(char c)
{
	switch (c) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 7 * 86400;
	default:
		return 0;
	}
}

bool
text_span_parse(const char *s, int64_t *seconds)
{
	const int64_t most = INT64_C(100) * 365 * 86400;
	int64_t total = 0, n, unit;

	if (*s == '\0')
		return false;
	while (*s != '\0') {
		if (!isdigit((unsigned char)*s))
			return false;
		for (n = 0; isdigit((unsigned char)*s); s++) {
			n = n * 10 + (*s - '0');
			if (n > most)
				return false;
		}
		unit = *s == '\0' ? 1 : span_unit(*s++);
		if (unit == 0 || n > most / unit)
			return false;
		total += n * unit;
		if (total > most)
			return false;
	}
	*seconds = total;
	return true;
}

const char *
text_size(char dst[TEXT_SPAN_MAX], uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	double v = (double)bytes;
	int i = -1;

	while (v >= 1024 && i < 5) {
		v /= 1024;
		i++;
	}
	if (i < 0)
		snprintf(dst, TEXT_SPAN_MAX, "%u", (unsigned)bytes);
	else if (v < 10 && i > 0)
		snprintf(dst, TEXT_SPAN_MAX, "%.1f%c", v, units[i]);
	else
		snprintf(dst, TEXT_SPAN_MAX, "%.0f%c", v, units[i]);
	return dst;
}

bool
text_size_parse(const char *s, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	uint64_t n = 0;
	const char *u;
	int shift;

	if (!isdigit((unsigned char)*s))
		return false;
	for (; isdigit((unsigned char)*s); s++) {
		if (n > (UINT64_MAX >> 1) / 10 - 1)
			return false;
		n = n * 10 + (uint64_t)(*s - '0');
	}
	if (*s != '\0') {
		u = strchr(units, toupper((unsigned char)*s));
		if (u == NULL || s[1] != '\0')
			return false;
		shift = 10 * ((int)(u - units) + 1);
		if (n > (UINT64_MAX >> 1) >> shift)
			return false;
		n <<= shift;
	}
	*bytes = n;
	return true;
}

bool
text_number(const char *s, uint64_t max, uint64_t *v)
{
	uint64_t n = 0;

	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (!isdigit((unsigned char)*s))
			return false;
		if (n > (max - (uint64_t)(*s - '0')) / 10 ||
		    (uint64_t)(*s - '0') > max)
			return false;
		n = n * 10 + (uint64_t)(*s - '0');
	}
	*v = n;
	return true;
}

unsigned
text_distance(const char *a, const char *b)
{
	enum {
		MOST = 32
	};
	unsigned row[MOST + 1], diag, up, best;
	size_t la = strnlen(a, MOST), lb = strnlen(b, MOST), i, j;

	for (j = 0; j <= lb; j++)
		row[j] = (unsigned)j;
	for (i = 1; i <= la; i++) {
		diag = row[0];
		row[0] = (unsigned)i;
		for (j = 1; j <= lb; j++) {
			up = row[j];
			best = diag + (a[i - 1] == b[j - 1] ? 0 : 1);
			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diag = up;
		}
	}
	return row[lb];
}

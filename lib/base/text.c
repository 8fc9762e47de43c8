#include "lib/base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

size_t
text_utf8_len(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t i, n;

	if (len == 0)
		return 0;
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
	if (n > len)
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
	size_t n, at = 0, left = strlen(src);
	bool plain;

	while (left > 0) {
		n = text_utf8_len((const char *)s, left);
		plain = n > 1 ||
		    (n == 1 && *s >= 0x20 && *s != 0x7f &&
			strchr(also, *s) == NULL);
		if (at + (plain ? n : 4) >= size)
			break;
		if (plain) {
			memcpy(dst + at, s, n);
			at += n;
			s += n;
			left -= n;
		} else {
			snprintf(dst + at, 5, "\\x%02x", *s);
			at += 4;
			s++;
			left--;
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

/* Days since the epoch of a day of the Gregorian calendar. */
static int64_t
days_of(int64_t year, int month, int day)
{
	int64_t era_year, century_days, y = year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int month_from_march = month > 2 ? month - 3 : month + 9;

	era_year = y - era * 400;
	century_days = era_year / 4 - era_year / 100;
	return era * 146097 + era_year * 365 + century_days +
	    (153 * month_from_march + 2) / 5 + day - 1 - 719468;
}

static void
date_of(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097; /* day of the 400 years */
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (int)((5 * doy + 2) / 153); /* months since March */

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

static char *
digits(char *at, int v, int n)
{
	int i;

	for (i = n - 1; i >= 0; i--) {
		at[i] = (char)('0' + v % 10);
		v /= 10;
	}
	return at + n;
}

#define TIME_FIRST INT64_C(-62167219200) /* 0000-01-01T00:00:00Z */
#define TIME_LAST INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

const char *
text_time(char dst[TEXT_TIME_MAX], int64_t t)
{
	int year, month, day, second;
	int64_t days;
	char *at = dst;

	if (t < TIME_FIRST)
		t = TIME_FIRST;
	if (t > TIME_LAST)
		t = TIME_LAST;
	days = (t >= 0 ? t : t - 86399) / 86400;
	second = (int)(t - days * 86400);
	date_of(days, &year, &month, &day);
	at = digits(at, year, 4);
	*at++ = '-';
	at = digits(at, month, 2);
	*at++ = '-';
	at = digits(at, day, 2);
	*at++ = 'T';
	at = digits(at, second / 3600, 2);
	*at++ = ':';
	at = digits(at, second / 60 % 60, 2);
	*at++ = ':';
	at = digits(at, second % 60, 2);
	*at++ = 'Z';
	*at = '\0';
	return dst;
}

static int
number_at(const char *s, int n)
{
	int v = 0;

	while (n-- > 0)
		v = v * 10 + (*s++ - '0');
	return v;
}

bool
text_time_parse(const char *s, int64_t *epoch)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	int year, month, day, again_year, again_month, again_day;
	int hour, minute, second;
	size_t i;

	for (i = 0; i < sizeof(form); i++) {
		if (form[i] == 'd' ? !isdigit((unsigned char)s[i])
				   : s[i] != form[i])
			return false;
	}
	year = number_at(s, 4);
	month = number_at(s + 5, 2);
	day = number_at(s + 8, 2);
	hour = number_at(s + 11, 2);
	minute = number_at(s + 14, 2);
	second = number_at(s + 17, 2);
	if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 ||
	    minute > 59 || second > 59)
		return false;
	*epoch = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 +
	    second;
	/* The 31st of February would come back as another day. */
	date_of(
	    days_of(year, month, day), &again_year, &again_month, &again_day);
	return again_month == month && again_day == day;
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

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/mail/selector_tree.h"

#define DAY 86400
#define MINUTE 60

static int
bad(struct parser *p, const struct raw *r, const char *why)
{
	char shown[LEX_SHOWN];

	return selector_fail(p, r->column, "%s %s",
	    *r->text == '\0' ? "the empty text"
			     : lex_show(shown, r->text, strlen(r->text)),
	    why);
}

int
value_number(struct parser *p, const struct raw *r, struct item *i)
{
	uint64_t v;

	if (!text_number(r->text, INT64_MAX, &v))
		return bad(p, r, "is no number");
	i->lo = i->hi = (int64_t)v;
	return 0;
}

/* What stands behind the leading digits. */
static const char *
unit_of(const char *text)
{
	return text + strspn(text, "0123456789");
}

int
value_size(struct parser *p, const struct raw *r, struct item *i)
{
	const char *unit = unit_of(r->text);
	char shown[LEX_SHOWN];
	uint64_t v;

	if (text_size_parse(r->text, &v) && v <= INT64_MAX) {
		i->lo = i->hi = (int64_t)v;
		return 0;
	}
	if (unit == r->text)
		return bad(p, r, "is no size, as 300, 10K, 5M or 1G are");
	if (*unit == '.')
		return bad(p, r, "is no whole number: take a smaller unit");
	lex_show(shown, unit, strlen(unit));
	if (strchr("KMGTkmgt", *unit) != NULL && *unit != '\0') {
		if (unit[1] == '\0')
			return bad(p, r, "is too large");
		return selector_fail(p, r->column + (size_t)(unit - r->text),
		    "%s is no unit of sizes, did you mean %c?", shown,
		    toupper((unsigned char)*unit));
	}
	if (*unit == '\0')
		return bad(p, r, "is too large");
	return selector_fail(p, r->column + (size_t)(unit - r->text),
	    "%s is no unit of sizes: they are K, M, G and T", shown);
}

/* 1d12h at text, which may say "s" by saying nothing only for 0. */
static int
span(struct parser *p, size_t column, const char *text, int64_t *seconds)
{
	const char *at = text, *unit;
	char shown[LEX_SHOWN];

	if (!isdigit((unsigned char)*text))
		return selector_fail(p, column,
		    "%s is no duration, as 30s, 5m, 2h, 3d, 1w or 1d12h are",
		    *text == '\0' ? "the empty text"
				  : lex_show(shown, text, strlen(text)));
	for (; *at != '\0'; at = unit + 1) {
		unit = unit_of(at);
		lex_show(shown, at, strlen(at));
		if (*unit == '\0' && strcmp(text, "0") == 0)
			break;
		if (*unit == '\0')
			return selector_fail(p, column + (size_t)(at - text),
			    "%s needs a unit: %ss, %sm, %sh, %sd or %sw", shown,
			    shown, shown, shown, shown, shown);
		if (unit > at && strchr("smhdw", *unit) != NULL)
			continue;
		lex_show(shown, unit, 1);
		if (strchr("SMHDW", *unit) != NULL)
			return selector_fail(p, column + (size_t)(unit - text),
			    "%s is no unit of time, did you mean %c?", shown,
			    tolower((unsigned char)*unit));
		return selector_fail(p, column + (size_t)(unit - text),
		    "%s is no unit of time: they are s, m, h, d and w", shown);
	}
	if (!text_span_parse(text, seconds))
		return selector_fail(
		    p, column, "a duration of more than 100 years");
	return 0;
}

int
value_span(struct parser *p, const struct raw *r, struct item *i)
{
	bool minus = r->text[0] == '-';
	int64_t v;

	if (span(p, r->column + minus, r->text + minus, &v) == -1)
		return -1;
	i->lo = i->hi = minus ? -v : v;
	return 0;
}

static void
set_time(struct item *i, int64_t from, int64_t width)
{
	i->lo = from;
	i->hi = from + width - 1;
}

static int64_t
midnight(int64_t now)
{
	return now - ((now % DAY) + DAY) % DAY;
}

/* "+01:00", "-0830" or "Z" into seconds east. */
static bool
zone(const char *s, int64_t *east)
{
	int sign = *s == '-' ? -1 : 1, hours, minutes;

	*east = 0;
	if (strcmp(s, "Z") == 0 || strcmp(s, "z") == 0)
		return true;
	if (*s != '+' && *s != '-')
		return false;
	s++;
	if (strlen(s) == 5 && s[2] == ':' && strspn(s, "0123456789:") == 5 &&
	    s[3] != ':' && s[4] != ':' && s[0] != ':' && s[1] != ':') {
		hours = (s[0] - '0') * 10 + s[1] - '0';
		minutes = (s[3] - '0') * 10 + s[4] - '0';
		*east = sign * (hours * 3600 + minutes * 60);
		return hours < 24 && minutes < 60;
	}
	return false;
}

/* 2026-11-22, 2026-11-22T13:21Z, 2026-11-22T13:21:09+01:00 */
static bool
calendar(const char *text, struct item *i)
{
	char whole[TEXT_TIME_MAX] = "0000-00-00T00:00:00Z";
	size_t len = strlen(text), used;
	int64_t t, east = 0;

	used = len == 10 ? 10 : len > 19 && text[16] == ':' ? 19 : 16;
	if (len < used || (used > 10 && text[10] != 'T' && text[10] != 't'))
		return false;
	memcpy(whole, text, used);
	whole[10] = 'T';
	if (used > 10 && !zone(text + used, &east))
		return false;
	if (!text_time_parse(whole, &t))
		return false;
	set_time(i, t - east, used == 10 ? DAY : used == 16 ? MINUTE : 1);
	return true;
}

/* HH:MM of today. */
static bool
clock_time(const char *s, int64_t now, struct item *i)
{
	int hours, minutes;

	if (strlen(s) != 5 || s[2] != ':' || !isdigit((unsigned char)s[0]) ||
	    !isdigit((unsigned char)s[1]) || !isdigit((unsigned char)s[3]) ||
	    !isdigit((unsigned char)s[4]))
		return false;
	hours = (s[0] - '0') * 10 + s[1] - '0';
	minutes = (s[3] - '0') * 10 + s[4] - '0';
	set_time(i, midnight(now) + hours * 3600 + minutes * 60, MINUTE);
	return hours < 24 && minutes < 60;
}

int
value_time(struct parser *p, const struct raw *r, struct item *i)
{
	static const char *const days[] = { "yesterday", "today", "tomorrow",
		"now", NULL };
	char near[160] = "";
	int64_t v;
	int day;

	if (r->text[0] == '-' || r->text[0] == '+') {
		if (span(p, r->column + 1, r->text + 1, &v) == -1)
			return -1;
		set_time(i, p->now + (r->text[0] == '-' ? -v : v), 1);
		return 0;
	}
	day = selector_word(days, r->text);
	if (day == 3)
		set_time(i, p->now, 1);
	else if (day >= 0)
		set_time(i, midnight(p->now) + (day - 1) * DAY, DAY);
	else if (isalpha((unsigned char)r->text[0])) {
		selector_near_word(near, sizeof(near), days, r->text);
		return selector_fail(
		    p, r->column, "no time is called so%s", near);
	} else if (!clock_time(r->text, p->now, i) && !calendar(r->text, i))
		return bad(p, r,
		    "is no time, as -2h, 13:30, 2026-11-22, "
		    "2026-11-22T13:30:00Z or today are; times are UTC");
	return 0;
}

bool
value_address(const char *text, uint8_t octets[16])
{
	memset(octets, 0, 10);
	octets[10] = octets[11] = 0xff;
	if (inet_pton(AF_INET, text, octets + 12) == 1)
		return true;
	return inet_pton(AF_INET6, text, octets) == 1;
}

static bool
host_bits(const struct item *i)
{
	unsigned bit;

	for (bit = i->bits; bit < 128; bit++)
		if ((i->net[bit / 8] & 0x80u >> bit % 8) != 0)
			return true;
	return false;
}

static int
has_host_bits(struct parser *p, const struct raw *r, const struct item *i)
{
	uint8_t net[16];
	char text[INET6_ADDRSTRLEN], shown[LEX_SHOWN];
	bool v4 = strchr(r->text, ':') == NULL;
	unsigned bit;

	memcpy(net, i->net, sizeof(net));
	for (bit = i->bits; bit < 128; bit++)
		net[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
	inet_ntop(
	    v4 ? AF_INET : AF_INET6, v4 ? net + 12 : net, text, sizeof(text));
	return selector_fail(p, r->column,
	    "%s has bits behind its prefix, did you mean %s/%u?",
	    lex_show(shown, r->text, strlen(r->text)), text,
	    v4 ? i->bits - 96 : i->bits);
}

int
value_net(struct parser *p, const struct raw *r, struct item *i)
{
	char copy[INET6_ADDRSTRLEN + 8];
	size_t len = strlen(r->text);
	uint64_t bits, most;
	char *slash, *at = copy;

	if (len >= sizeof(copy))
		return bad(p, r, "is no IP address");
	memcpy(copy, r->text, len + 1);
	slash = strchr(copy, '/');
	if (slash != NULL)
		*slash++ = '\0';
	len = strlen(copy);
	if (len > 2 && copy[0] == '[' && copy[len - 1] == ']') {
		copy[len - 1] = '\0';
		at++;
	}
	if (!value_address(at, i->net))
		return bad(p, r,
		    "is no IP address, as 192.0.2.1, 192.0.2.0/24 or "
		    "2001:db8::/32 are");
	most = strchr(at, ':') == NULL ? 32 : 128;
	i->bits = 128;
	if (slash == NULL)
		return 0;
	if (!text_number(slash, most, &bits))
		return selector_fail(p, r->column + (size_t)(slash - copy),
		    "the prefix of this address is a number up to %u",
		    (unsigned)most);
	i->bits = (unsigned)(128 - most + bits);
	return host_bits(i) ? has_host_bits(p, r, i) : 0;
}

#include "daemon/smtp/stamp.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/ident.h"

const char *
stamp_date(char dst[STAMP_DATE_MAX], int64_t epoch)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)epoch;
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(dst, STAMP_DATE_MAX, "%s, %d %s %d %02d:%02d:%02d +0000",
	    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
	    tm.tm_hour, tm.tm_min, tm.tm_sec);
	return dst;
}

int
stamp_received(struct buf *b, const struct stamp_facts *f)
{
	char date[STAMP_DATE_MAX], id[IDENT_TEXT_MAX];
	int rc = 0;

	rc |= buf_putf(b, "Received: from %s (%s)\r\n", f->helo, f->client);
	rc |= buf_putf(b, "\tby %s (Spoolkit) with %s id %s", f->host,
	    f->esmtp ? "ESMTP" : "SMTP", ident_msgid_text(id, f->msgid));
	if (f->recipient != NULL)
		rc |= buf_putf(b, "\r\n\tfor <%s>", f->recipient);
	rc |= buf_putf(b, ";\r\n\t%s\r\n", stamp_date(date, f->now));
	return rc;
}

void
stamp_init(struct stamp *s, bool adds)
{
	memset(s, 0, sizeof(*s));
	header_init(&s->header);
	s->adds = adds;
}

static int
add_missing(struct stamp *s, const struct stamp_facts *f, struct buf *b)
{
	char date[STAMP_DATE_MAX], id[IDENT_TEXT_MAX];
	int rc = 0;

	if (!s->header.has_date)
		rc |= buf_putf(b, "Date: %s\r\n", stamp_date(date, f->now));
	if (!s->header.has_message_id)
		rc |= buf_putf(b, "Message-Id: <%s.%llx@%s>\r\n",
		    ident_msgid_text(id, f->msgid), (unsigned long long)f->now,
		    f->host);
	return rc;
}

static int
release(struct stamp *s, struct buf *b)
{
	int rc = buf_put(b, s->held, s->nheld);

	s->nheld = 0;
	return rc;
}

/* The header has ended with the line of which the start is held. */
static int
end_header(struct stamp *s, const struct stamp_facts *f, struct buf *b)
{
	int rc = 0;

	s->done = true;
	if (s->shown)
		return release(s, b); /* too late to tell them apart */
	rc |= add_missing(s, f, b);
	if (s->nheld > 0 && s->held[0] != '\r')
		rc |= buf_puts(b, "\r\n"); /* it had no end of its own */
	return rc | release(s, b);
}

/* Local mail is looked at octet by octet until its header ends. */
static int
feed_slowly(
    struct stamp *s, const struct stamp_facts *f, uint8_t c, struct buf *b)
{
	int rc = 0;

	header_feed(&s->header, &c, 1);
	s->held[s->nheld++] = c;
	if (s->header.ended || s->nheld == STAMP_HELD)
		return end_header(s, f, b);
	if (s->shown || c == ':' || c == '\n' || s->held[0] == ' ' ||
	    s->held[0] == '\t') {
		rc = release(s, b);
		s->shown = c != '\n';
	}
	return rc;
}

int
stamp_feed(struct stamp *s, const struct stamp_facts *f, const void *text,
    size_t len, struct buf *b)
{
	const uint8_t *at = text;
	int rc = 0;

	if (!s->adds) {
		if (!s->header.ended)
			header_feed(&s->header, text, len);
		return buf_put(b, text, len);
	}
	for (; len > 0 && !s->done; at++, len--)
		rc |= feed_slowly(s, f, *at, b);
	return rc | buf_put(b, at, len);
}

int
stamp_end(struct stamp *s, const struct stamp_facts *f, struct buf *b)
{
	if (!s->adds || s->done)
		return 0;
	s->done = true;
	return add_missing(s, f, b) | release(s, b);
}

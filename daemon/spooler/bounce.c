#include "daemon/spooler/bounce.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/ident.h"
#include "lib/base/text.h"
#include "lib/mail/status.h"

#define WIDTH 76 /* of a line, where words allow it */
#define WORD_MAX 800 /* octets, which leaves room for an indent */
#define LINE_OCTETS_MAX 998 /* RFC 5322 */
#define TEXT_MAX 4096 /* of one remote text, escapes included */
#define DATE_MAX 40
#define BOUNDARY_MAX 48

/* The first put that fails spoils all. */
struct pen {
	struct buf *out;
	bool bad;
};

static void
put(struct pen *p, const char *s)
{
	if (buf_puts(p->out, s) == -1)
		p->bad = true;
}

__attribute__((format(printf, 2, 3))) static void
putf(struct pen *p, const char *fmt, ...)
{
	char line[TEXT_MAX + 256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	put(p, line);
}

static bool
is_ascii(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] >= 0x80)
			return false;
	return true;
}

/* Octets of the word at s that go on one line: never half a character. */
static size_t
word_len(const char *s)
{
	size_t n = strcspn(s, " ");

	if (n <= WORD_MAX)
		return n;
	n = WORD_MAX;
	while (n > 1 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* Text as lines of words, each line after the first begun with indent. Rows of
 * spaces become one, so no line is empty. col: where the first word goes. */
static void
put_folded(struct pen *p, const char *text, const char *indent, size_t col)
{
	bool first = true;
	size_t n;

	for (; *text != '\0'; text += n) {
		text += strspn(text, " ");
		n = word_len(text);
		if (n == 0)
			break;
		if (!first && col + 1 + n > WIDTH) {
			putf(p, "\r\n%s", indent);
			col = strlen(indent);
		} else if (!first) {
			put(p, " ");
			col++;
		}
		putf(p, "%.*s", (int)n, text);
		col += n;
		first = false;
	}
	put(p, "\r\n");
}

/* Printable ASCII: what stands in a field for machines. */
static void
to_ascii(char dst[TEXT_MAX], const char *src)
{
	char clean[TEXT_MAX];
	size_t at = 0;
	const char *s;

	text_printable(clean, sizeof(clean), src);
	for (s = clean; *s != '\0' && at + 5 < TEXT_MAX; s++) {
		if ((unsigned char)*s < 0x80)
			dst[at++] = *s;
		else
			at += (size_t)snprintf(dst + at, 5, "\\x%02x",
			    (unsigned)(unsigned char)*s);
	}
	dst[at] = '\0';
}

static const char *
date_text(char dst[DATE_MAX], int64_t epoch)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)epoch;
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(dst, DATE_MAX, "%.3s, %d %.3s %d %02d:%02d:%02d +0000",
	    days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
	    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return dst;
}

/* Only the header counts, and of a line that was cut nothing. */
static size_t
header_end(const char *header, size_t len)
{
	const char *at = header, *lf;
	size_t left = len;

	while (left > 0) {
		lf = memchr(at, '\n', left);
		if (lf == NULL || lf == at || (lf == at + 1 && *at == '\r'))
			break;
		left -= (size_t)(lf + 1 - at);
		at = lf + 1;
	}
	return len - left;
}

static void
choose_boundary(
    char dst[BOUNDARY_MAX], const struct bounce *in, size_t header_len)
{
	char msgid[IDENT_TEXT_MAX];
	unsigned n = 0;

	/* The other parts have no line that begins with a hyphen. */
	do {
		snprintf(dst, BOUNDARY_MAX, "=_%s_%u",
		    ident_msgid_text(msgid, in->msgid), n++);
	} while (header_len > 0 &&
	    memmem(in->header, header_len, dst, strlen(dst)) != NULL);
}

static bool
any_8bit(const struct bounce *in)
{
	const struct bounce_failure *f;

	for (f = in->failures; f < in->failures + in->n; f++)
		if (!is_ascii(f->recipient, strlen(f->recipient)) ||
		    !is_ascii(f->status, strlen(f->status)) ||
		    !is_ascii(f->remote, strlen(f->remote)) ||
		    (f->destination != NULL &&
			!is_ascii(f->destination, strlen(f->destination))))
			return true;
	return false;
}

static bool
went_on(const struct bounce_failure *f)
{
	return f->destination != NULL && *f->destination != '\0' &&
	    strcmp(f->destination, f->recipient) != 0;
}

/* Agents of ours have plain names; a host has a dot or an address. */
static bool
is_host(const char *remote)
{
	return strpbrk(remote, ".[:") != NULL;
}

static void
put_header(
    struct pen *p, const struct bounce *in, const char *boundary, bool eight)
{
	char text[TEXT_MAX], msgid[IDENT_TEXT_MAX], date[DATE_MAX];

	text_printable(text, sizeof(text), in->hostname);
	putf(p, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n", text);
	putf(p, "Message-Id: <%s.bounce@%s>\r\n",
	    ident_msgid_text(msgid, in->msgid), text);
	text_printable(text, sizeof(text), in->sender);
	putf(p, "To: <%s>\r\n", text);
	put(p, "Subject: Your message could not be delivered\r\n");
	putf(p, "Date: %s\r\n", date_text(date, in->now));
	put(p, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n");
	putf(p,
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"%s\"\r\n",
	    boundary);
	putf(p, "Content-Transfer-Encoding: %s\r\n", eight ? "8bit" : "7bit");
	put(p,
	    "\r\nThis is a MIME message. It tells that a message could not\r\n"
	    "be delivered.\r\n");
}

static void
put_reason(struct pen *p, const struct bounce_failure *f)
{
	static const char indent[] = "    ";
	char text[TEXT_MAX], line[TEXT_MAX + 128], remote[TEXT_MAX];

	text_printable(remote, sizeof(remote), f->remote);
	if (f->expired)
		snprintf(line, sizeof(line),
		    "It could not be delivered in the time it was given.%s",
		    *f->status != '\0' ? " The last attempt ended with:" : "");
	else if (is_host(f->remote))
		snprintf(
		    line, sizeof(line), "The mail server %s said:", remote);
	else
		snprintf(
		    line, sizeof(line), "This server could not deliver it:");
	put(p, indent);
	put_folded(p, line, indent, sizeof(indent) - 1);
	if (*f->status == '\0')
		return;
	put(p, indent);
	put_folded(p, text_printable(text, sizeof(text), f->status), indent,
	    sizeof(indent) - 1);
}

static void
put_for_people(struct pen *p, const struct bounce *in)
{
	const struct bounce_failure *f;
	char line[TEXT_MAX + 256], text[TEXT_MAX], date[DATE_MAX];

	snprintf(line, sizeof(line), "This is the mail server %s.",
	    text_printable(text, 256, in->hostname));
	put_folded(p, line, "", 0);
	snprintf(line, sizeof(line),
	    "The message that you sent on %s could not be delivered to the "
	    "%s below. It will not be tried again.",
	    date_text(date, in->arrived),
	    in->n == 1 ? "recipient" : "recipients");
	put(p, "\r\n");
	put_folded(p, line, "", 0);
	for (f = in->failures; f < in->failures + in->n; f++) {
		text_printable(text, sizeof(text), f->recipient);
		putf(p, "\r\n<%s>\r\n", text);
		if (went_on(f)) {
			text_printable(text, sizeof(text), f->destination);
			putf(p, "    (whose mail goes to <%s>)\r\n", text);
		}
		put_reason(p, f);
	}
	put(p, "\r\n");
	put_folded(p,
	    "The header of your message is attached, and so is a report of "
	    "this failure for mail programs.",
	    "", 0);
}

/* A character beyond ASCII as RFC 6533 writes it in a 7-bit report. */
static size_t
put_point(struct pen *p, const unsigned char *s)
{
	size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2, i;
	unsigned long point = s[0] & (0x7fu >> n);

	for (i = 1; i < n; i++)
		point = point << 6 | (s[i] & 0x3f);
	putf(p, "\\x{%lX}", point);
	return n;
}

static void
put_address(struct pen *p, const char *field, const char *address)
{
	char clean[TEXT_MAX];
	const unsigned char *s;
	char c[2] = "";

	/* From here on it is printable and valid UTF-8. */
	text_printable(clean, sizeof(clean), address);
	putf(p, "%s: %s; ", field,
	    is_ascii(clean, strlen(clean)) ? "rfc822" : "utf-8");
	for (s = (const unsigned char *)clean; *s != '\0';) {
		if (*s >= 0x80) {
			s += put_point(p, s);
		} else {
			c[0] = (char)*s++;
			put(p, c);
		}
	}
	put(p, "\r\n");
}

/* mx1.example.org [198.51.100.7]: the address becomes a comment. */
static void
put_remote(struct pen *p, const char *remote)
{
	char text[TEXT_MAX], *c;
	size_t name;

	to_ascii(text, remote);
	for (c = text; *c != '\0'; c++)
		if (strchr("()\\\"<>;", *c) != NULL)
			*c = '?';
	name = strcspn(text, " ");
	putf(p, "Remote-MTA: dns; %.*s", (int)name, text);
	if (text[name] != '\0')
		putf(p, " (%s)", text + name + 1);
	put(p, "\r\n");
}

static void
put_status(struct pen *p, const struct bounce_failure *f)
{
	char code[STATUS_ENHANCED_MAX];
	struct status s;

	status_parse(&s, f->status);
	if (f->expired)
		put(p, "Status: 4.4.7\r\n");
	else if (s.klass == 5 || (s.klass == 0 && s.code / 100 == 5))
		putf(p, "Status: %s\r\n", status_enhanced(code, &s));
	else
		put(p, "Status: 5.0.0\r\n");
}

static void
put_for_machines(struct pen *p, const struct bounce *in)
{
	char text[TEXT_MAX], date[DATE_MAX], msgid[IDENT_TEXT_MAX];
	const struct bounce_failure *f;
	const char *type;

	to_ascii(text, in->hostname);
	putf(p, "Reporting-MTA: dns; %s\r\n", text);
	putf(p, "Arrival-Date: %s\r\n", date_text(date, in->arrived));
	putf(p, "X-Spoolkit-Id: %s\r\n", ident_msgid_text(msgid, in->original));
	for (f = in->failures; f < in->failures + in->n; f++) {
		put(p, "\r\n");
		if (went_on(f))
			put_address(p, "Original-Recipient", f->recipient);
		put_address(p, "Final-Recipient",
		    went_on(f) ? f->destination : f->recipient);
		put(p, "Action: failed\r\n");
		put_status(p, f);
		if (is_host(f->remote))
			put_remote(p, f->remote);
		if (*f->status != '\0') {
			type = is_host(f->remote) ? "smtp; " : "x-spoolkit; ";
			putf(p, "Diagnostic-Code: %s", type);
			to_ascii(text, f->status);
			put_folded(p, text, "\t",
			    strlen("Diagnostic-Code: ") + strlen(type));
		}
		if (f->last_try != 0)
			putf(p, "Last-Attempt-Date: %s\r\n",
			    date_text(date, f->last_try));
	}
}

/* Line by line, since a line must stay one, whatever was in it. */
static void
put_original(struct pen *p, const char *header, size_t len)
{
	const char *at, *lf, *c;
	char line[LINE_OCTETS_MAX + 1];
	size_t n;

	for (at = header; len > 0; len -= (size_t)(lf + 1 - at), at = lf + 1) {
		lf = memchr(at, '\n', len); /* header_end() saw to it */
		n = 0;
		for (c = at; c < lf && n < LINE_OCTETS_MAX; c++)
			line[n++] = *c == '\0' || *c == '\r' ? '?' : *c;
		if (n > 0 && c == lf && c[-1] == '\r')
			n--;
		line[n] = '\0';
		put(p, line);
		put(p, "\r\n");
	}
}

int
bounce_write(const struct bounce *in, struct buf *out)
{
	size_t before = buf_len(out), len;
	struct pen pen = { out, false }, *p = &pen;
	char boundary[BOUNDARY_MAX];
	bool eight_text, eight_header;

	len = header_end(in->header, in->header_len);
	choose_boundary(boundary, in, len);
	eight_text = any_8bit(in);
	eight_header = !is_ascii(in->header, len);
	put_header(p, in, boundary, eight_text || eight_header);
	putf(p,
	    "\r\n--%s\r\n"
	    "Content-Type: text/plain; charset=%s\r\n"
	    "Content-Transfer-Encoding: %s\r\n\r\n",
	    boundary, eight_text ? "utf-8" : "us-ascii",
	    eight_text ? "8bit" : "7bit");
	put_for_people(p, in);
	putf(p, "\r\n--%s\r\nContent-Type: message/delivery-status\r\n\r\n",
	    boundary);
	put_for_machines(p, in);
	putf(p,
	    "\r\n--%s\r\n"
	    "Content-Type: text/rfc822-headers\r\n"
	    "Content-Transfer-Encoding: %s\r\n\r\n",
	    boundary, eight_header ? "8bit" : "7bit");
	put_original(p, in->header, len);
	putf(p, "\r\n--%s--\r\n", boundary);
	if (!pen.bad)
		return 0;
	buf_truncate(out, before);
	return -1;
}

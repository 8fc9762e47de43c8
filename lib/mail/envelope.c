#include "lib/mail/envelope.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/mail/envfield.h"

#define FIRST_LINE "spool-envelope: 1\n"
#define CHECK_NAME "check: crc32c="
#define CHECK_LINE (sizeof(CHECK_NAME) - 1 + 8 + 1)

void
envelope_init(struct envelope *e)
{
	memset(e, 0, sizeof(*e));
}

void
envelope_clear(struct envelope *e)
{
	unsigned i;

	free(e->action);
	free(e->sender);
	free(e->recipient);
	free(e->destination);
	free(e->from);
	free(e->error);
	free(e->dsn);
	free(e->hold);
	for (i = 0; i < e->histories; i++)
		free(e->history[i]);
	free(e->extra);
	envelope_init(e);
}

/* The reading of one text. */
struct reader {
	struct envelope *e;
	const char *text, *end;
	unsigned line;
	uint32_t seen; /* bit n: field n */
	size_t next; /* the field that is likely to come next */
	char *reason;
	size_t reason_size;
};

__attribute__((format(printf, 2, 3))) static enum envelope_result
broken(struct reader *r, const char *fmt, ...)
{
	va_list ap;
	int n = 0;

	if (r->reason == NULL || r->reason_size == 0)
		return ENVELOPE_BROKEN;
	if (r->line > 0)
		n = snprintf(r->reason, r->reason_size, "line %u: ", r->line);
	if (n >= 0 && (size_t)n < r->reason_size) {
		va_start(ap, fmt);
		vsnprintf(r->reason + n, r->reason_size - (size_t)n, fmt, ap);
		va_end(ap);
	}
	return ENVELOPE_BROKEN;
}

/* Nothing but lines of characters: the rest need not look again. */
static enum envelope_result
check_octets(struct reader *r)
{
	const char *p = r->text;
	unsigned char c;
	size_t n;

	for (r->line = 1; p < r->end; p += n) {
		c = (unsigned char)*p;
		if (c == '\n')
			r->line++;
		if ((c < ' ' && c != '\n') || c == 0x7f)
			return broken(r, "a control character");
		n = c < 0x80 ? 1 : text_utf8_len(p, (size_t)(r->end - p));
		if (n == 0 && r->end - p < 4 && r->end[-1] != '\n')
			break; /* torn within a character */
		if (n == 0)
			return broken(r, "not UTF-8");
	}
	r->line = 0;
	return ENVELOPE_OK;
}

/* Index of the field, or ENVFIELDS. */
static size_t
field_by_name(struct reader *r, const char *name, size_t len)
{
	size_t i, k;

	for (i = 0; i < ENVFIELDS; i++) {
		k = (r->next + i) % ENVFIELDS;
		if (strncmp(envfields[k].name, name, len) == 0 &&
		    envfields[k].name[len] == '\0') {
			r->next =
			    k + ((envfields[k].flags & ENVFIELD_REPEATS) == 0);
			return k;
		}
	}
	return ENVFIELDS;
}

static void
keep_extra(struct envelope *e, const char *line, size_t len)
{
	size_t old = e->extra == NULL ? 0 : strlen(e->extra);

	e->extra = mem_rearray(e->extra, old + len + 1, 1);
	memcpy(e->extra + old, line, len);
	e->extra[old + len] = '\0';
}

static enum envelope_result
unknown(struct reader *r, const char *name, size_t len)
{
	char copy[64], shown[sizeof(copy) + 2];

	if (len >= sizeof(copy))
		len = sizeof(copy) - 1;
	memcpy(copy, name, len);
	copy[len] = '\0';
	return broken(
	    r, "unknown name %s", text_quote(shown, sizeof(shown), copy));
}

/* One line of len octets, its LF not counted. */
static enum envelope_result
read_line(struct reader *r, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len), *value, *why;
	const struct envfield *f;
	size_t i, name_len;

	if (colon == NULL)
		return broken(r, "no colon after a name");
	name_len = (size_t)(colon - line);
	if (name_len > 2 && line[0] == 'x' && line[1] == '-') {
		keep_extra(r->e, line, len + 1);
		return ENVELOPE_OK;
	}
	i = field_by_name(r, line, name_len);
	if (i == ENVFIELDS)
		return unknown(r, line, name_len);
	f = &envfields[i];
	if ((f->flags & ENVFIELD_REPEATS) == 0 && (r->seen & 1u << i) != 0)
		return broken(r, "%s for the second time", f->name);
	r->seen |= 1u << i;
	value = colon + 1;
	len -= name_len + 1;
	if (len > 0 && *value != ' ')
		return broken(r, "no space after \"%s:\"", f->name);
	while (len > 0 && *value == ' ') {
		value++;
		len--;
	}
	while (len > 0 && value[len - 1] == ' ')
		len--;
	if (len == 0 && (f->flags & ENVFIELD_MAY_BE_EMPTY) == 0)
		return broken(r, "%s without a value", f->name);
	why = f->get((char *)r->e + f->at, value, len);
	if (why != NULL)
		return broken(r, "%s: %s", f->name, why);
	return ENVELOPE_OK;
}

static bool
is_check(const char *line, size_t len)
{
	return len >= 6 && memcmp(line, "check:", 6) == 0;
}

/* line is the check line, the last that may be. */
static enum envelope_result
read_check(struct reader *r, const char *line, size_t len)
{
	uint32_t want = 0;
	size_t i;
	int d;

	if (line + len + 1 != r->end)
		return broken(r, "check is not the last line");
	if (len + 1 != CHECK_LINE ||
	    memcmp(line, CHECK_NAME, sizeof(CHECK_NAME) - 1) != 0)
		return broken(r, "check is not crc32c and 8 digits");
	for (i = sizeof(CHECK_NAME) - 1; i < len; i++) {
		d = envfield_hex(line[i]);
		if (d < 0)
			return broken(r, "check is not crc32c and 8 digits");
		want = want << 4 | (uint32_t)d;
	}
	r->line = 0;
	for (i = 0; i < ENVFIELDS; i++)
		if ((envfields[i].flags & ENVFIELD_NEEDED) != 0 &&
		    (r->seen & 1u << i) == 0)
			return broken(r, "no line \"%s\"", envfields[i].name);
	if (crc32c(0, r->text, (size_t)(line - r->text)) != want) {
		broken(r, "the check does not fit: edited or damaged");
		return ENVELOPE_EDITED;
	}
	return ENVELOPE_OK;
}

static enum envelope_result
read_lines(struct reader *r)
{
	const char *line = r->text, *lf;
	enum envelope_result rc;
	size_t len;

	for (r->line = 1; line < r->end; line = lf + 1, r->line++) {
		lf = memchr(line, '\n', (size_t)(r->end - line));
		if (lf == NULL)
			break;
		len = (size_t)(lf - line);
		if (r->line == 1) {
			if (len + 1 != sizeof(FIRST_LINE) - 1 ||
			    memcmp(line, FIRST_LINE, len) != 0)
				return broken(r, "not \"spool-envelope: 1\"");
			continue;
		}
		if (is_check(line, len))
			return read_check(r, line, len);
		rc = read_line(r, line, len);
		if (rc != ENVELOPE_OK)
			return rc;
	}
	broken(r, "cut short: no check line");
	return ENVELOPE_TORN;
}

enum envelope_result
envelope_parse(struct envelope *e, const char *text, size_t len, char *reason,
    size_t reason_size)
{
	struct reader r = {
		.e = e,
		.text = text,
		.end = text + len,
		.reason = reason,
		.reason_size = reason_size,
	};
	enum envelope_result rc;

	envelope_init(e);
	if (reason != NULL && reason_size > 0)
		reason[0] = '\0';
	if (len > ENVELOPE_TEXT_MAX)
		return broken(&r, "longer than %u octets", ENVELOPE_TEXT_MAX);
	rc = check_octets(&r);
	if (rc == ENVELOPE_OK)
		rc = read_lines(&r);
	if (e->sender == NULL && rc != ENVELOPE_BROKEN)
		e->sender = mem_strdup("");
	return rc;
}

static int
print_check(struct buf *b, size_t start)
{
	char text[IDENT_TEXT_MAX];
	uint32_t crc;

	crc = crc32c(0, buf_data(b) + start, buf_len(b) - start);
	if (buf_puts(b, CHECK_NAME) == -1)
		return -1;
	ident_evpid_text(text, crc);
	text[IDENT_EVPID_DIGITS] = '\n';
	return buf_put(b, text + 8, 9);
}

int
envelope_print(const struct envelope *e, struct buf *b)
{
	size_t i, start = buf_len(b);

	assert(e->extra == NULL || e->extra[0] == '\0' ||
	    e->extra[strlen(e->extra) - 1] == '\n');
	if (buf_puts(b, FIRST_LINE) == -1)
		return -1;
	for (i = 0; i < ENVFIELDS; i++)
		if (envfields[i].put(b, &envfields[i],
			(const char *)e + envfields[i].at) == -1)
			goto undo;
	if (e->extra != NULL && buf_puts(b, e->extra) == -1)
		goto undo;
	if (print_check(b, start) == -1)
		goto undo;
	if (buf_len(b) - start <= ENVELOPE_TEXT_MAX)
		return 0;
	errno = EMSGSIZE;
undo:
	buf_truncate(b, start);
	return -1;
}

void
envelope_remember(struct envelope *e, const char *line)
{
	if (e->histories == ENVELOPE_HISTORY) {
		free(e->history[0]);
		memmove(&e->history[0], &e->history[1],
		    (ENVELOPE_HISTORY - 1) * sizeof(e->history[0]));
		e->histories--;
	}
	e->history[e->histories++] = mem_strdup(line);
}

void
envelope_set(char **field, const char *value)
{
	char *copy = value == NULL ? NULL : mem_strdup(value);

	free(*field);
	*field = copy;
}

bool
envelope_text_ok(const char *text)
{
	size_t n, left = strlen(text);

	for (; left > 0; text += n, left -= n) {
		n = text_utf8_len(text, left);
		if (n == 0 || (unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	}
	return true;
}

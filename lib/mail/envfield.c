#include "lib/mail/envfield.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/mail/envelope.h"

static const char *const state_names[ENVELOPE_STATES] = {
	"queued",
	"held",
	"failed",
};

static const char *const kind_names[ENVELOPE_KINDS] = {
	"relay",
	"deliver",
	"bounce",
};

const char *
envelope_state_name(enum envelope_state s)
{
	return s < ENVELOPE_STATES ? state_names[s] : "?";
}

const char *
envelope_kind_name(enum envelope_kind k)
{
	return k < ENVELOPE_KINDS ? kind_names[k] : "?";
}

int
envfield_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Undoes the percent escapes. Returns an owned string, or NULL. */
static char *
unescape(const char *value, size_t len)
{
	char *out = mem_zalloc(len + 1);
	size_t i, n = 0;
	int high, low;

	if (memchr(value, '%', len) == NULL) {
		memcpy(out, value, len);
		return out;
	}
	for (i = 0; i < len; i++) {
		if (value[i] != '%') {
			out[n++] = value[i];
			continue;
		}
		high = i + 2 < len ? envfield_hex(value[i + 1]) : -1;
		low = high >= 0 ? envfield_hex(value[i + 2]) : -1;
		if (low < 0 || (high == 0 && low == 0)) {
			free(out);
			return NULL;
		}
		out[n++] = (char)(high << 4 | low);
		i += 2;
	}
	out[n] = '\0';
	return out;
}

static const char *
get_string(void *member, const char *value, size_t len)
{
	char **s = member;

	*s = unescape(value, len);
	return *s == NULL ? "a bad percent escape" : NULL;
}

static const char *
get_error(void *member, const char *value, size_t len)
{
	const char *why = get_string(member, value, len);
	char **s = member;

	if (why == NULL && strlen(*s) > ENVELOPE_ERROR_MAX)
		why = "too long";
	return why;
}

static const char *
get_sender(void *member, const char *value, size_t len)
{
	if (len == 2 && memcmp(value, "<>", 2) == 0)
		len = 0;
	return get_string(member, value, len);
}

static const char *
get_history(void *member, const char *value, size_t len)
{
	struct envelope *e = member;
	char *line = unescape(value, len);

	if (line == NULL)
		return "a bad percent escape";
	envelope_remember(e, line);
	free(line);
	return NULL;
}

static const char *
get_id(void *member, const char *value, size_t len)
{
	char text[IDENT_TEXT_MAX] = "";

	if (len == IDENT_EVPID_DIGITS)
		memcpy(text, value, len);
	return ident_evpid_parse(text, member) ? NULL : "not an envelope id";
}

static int
name_index(const char *const *names, unsigned n, const char *value, size_t len)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (strlen(names[i]) == len &&
		    memcmp(names[i], value, len) == 0)
			return (int)i;
	return -1;
}

static const char *
get_state(void *member, const char *value, size_t len)
{
	int i = name_index(state_names, ENVELOPE_STATES, value, len);
	enum envelope_state *s = member;

	if (i == -1)
		return "not queued, held or failed";
	*s = (enum envelope_state)i;
	return NULL;
}

static const char *
get_kind(void *member, const char *value, size_t len)
{
	int i = name_index(kind_names, ENVELOPE_KINDS, value, len);
	enum envelope_kind *k = member;

	if (i == -1)
		return "not relay, deliver or bounce";
	*k = (enum envelope_kind)i;
	return NULL;
}

static const char *
get_time(void *member, const char *value, size_t len)
{
	char text[TEXT_TIME_MAX] = "";

	if (len < sizeof(text))
		memcpy(text, value, len);
	return text_time_parse(text, member)
	    ? NULL
	    : "not a time of the form 2026-11-22T13:21:09Z";
}

static const char *
get_number(void *member, const char *value, size_t len)
{
	uint32_t *v = member;
	uint64_t number;
	char text[16] = "";

	if (len < sizeof(text))
		memcpy(text, value, len);
	if (!text_number(text, UINT32_MAX, &number))
		return "not a number";
	*v = (uint32_t)number;
	return NULL;
}

/* Octets at s that stand for themselves, of which left are there. A space
 * does at neither end, where an editor would lose it. */
static size_t
plain_run(const char *s, size_t left, bool first)
{
	size_t i = 0, n;
	unsigned char c;

	if (first && s[0] == ' ')
		return 0;
	while (i < left) {
		c = (unsigned char)s[i];
		if (c < ' ' || c == '%' || c == 0x7f)
			break;
		n = c < 0x80 ? 1 : text_utf8_len(s + i, left - i);
		if (n == 0)
			break;
		i += n;
	}
	if (i == left && i > 0 && s[i - 1] == ' ')
		i--;
	return i;
}

static int
put_value(struct buf *b, const char *s, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	bool first = true;
	uint8_t *at;
	size_t n;

	while (len > 0) {
		n = plain_run(s, len, first);
		if (n > 0 && buf_put(b, s, n) == -1)
			return -1;
		s += n;
		len -= n;
		first = false;
		if (len == 0)
			break;
		at = buf_room(b, 3);
		if (at == NULL)
			return -1;
		at[0] = '%';
		at[1] = (uint8_t)hex[(unsigned char)*s >> 4];
		at[2] = (uint8_t)hex[*s & 15];
		s++;
		len--;
	}
	return 0;
}

static int
put_line(struct buf *b, const char *name, const char *value, size_t len)
{
	if (buf_puts(b, name) == -1 || buf_put(b, ": ", 2) == -1 ||
	    put_value(b, value, len) == -1)
		return -1;
	return buf_put(b, "\n", 1);
}

static int
put_string(struct buf *b, const struct envfield *f, const void *member)
{
	const char *s = *(char *const *)member;

	if (s == NULL || *s == '\0') {
		errno = EINVAL;
		return (f->flags & ENVFIELD_NEEDED) != 0 ? -1 : 0;
	}
	return put_line(b, f->name, s, strlen(s));
}

/* A remote host may say more than we keep. */
static int
put_error(struct buf *b, const struct envfield *f, const void *member)
{
	const char *s = *(char *const *)member;
	size_t len = s == NULL ? 0 : strlen(s);

	if (len > ENVELOPE_ERROR_MAX) {
		len = ENVELOPE_ERROR_MAX;
		while (len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80)
			len--; /* not within a character */
	}
	return len == 0 ? 0 : put_line(b, f->name, s, len);
}

static int
put_sender(struct buf *b, const struct envfield *f, const void *member)
{
	const char *s = *(char *const *)member;

	if (s == NULL || *s == '\0')
		s = "<>";
	return put_line(b, f->name, s, strlen(s));
}

static int
put_history(struct buf *b, const struct envfield *f, const void *member)
{
	const struct envelope *e = member;
	unsigned i;

	for (i = 0; i < e->histories; i++)
		if (put_line(
			b, f->name, e->history[i], strlen(e->history[i])) == -1)
			return -1;
	return 0;
}

static int
put_id(struct buf *b, const struct envfield *f, const void *member)
{
	uint64_t id = *(const uint64_t *)member;
	char text[IDENT_TEXT_MAX];

	if (ident_msgid(id) == 0 || ident_rcpt(id) == 0) {
		errno = EINVAL;
		return -1;
	}
	ident_evpid_text(text, id);
	return put_line(b, f->name, text, IDENT_EVPID_DIGITS);
}

static int
put_state(struct buf *b, const struct envfield *f, const void *member)
{
	const char *s =
	    envelope_state_name(*(const enum envelope_state *)member);

	return put_line(b, f->name, s, strlen(s));
}

static int
put_kind(struct buf *b, const struct envfield *f, const void *member)
{
	const char *s = envelope_kind_name(*(const enum envelope_kind *)member);

	return put_line(b, f->name, s, strlen(s));
}

static int
put_time(struct buf *b, const struct envfield *f, const void *member)
{
	int64_t t = *(const int64_t *)member;
	char text[TEXT_TIME_MAX];

	if (t == 0 && (f->flags & ENVFIELD_EVEN_ZERO) == 0)
		return 0;
	text_time(text, t);
	return put_line(b, f->name, text, strlen(text));
}

static int
put_number(struct buf *b, const struct envfield *f, const void *member)
{
	uint32_t v = *(const uint32_t *)member;
	char text[16], *at = text + sizeof(text);

	if (v == 0 && (f->flags & ENVFIELD_EVEN_ZERO) == 0)
		return 0;
	do {
		*--at = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	return put_line(b, f->name, at, (size_t)(text + sizeof(text) - at));
}

#define AT(member) offsetof(struct envelope, member)

/* In the order of writing. */
const struct envfield envfields[ENVFIELDS] = {
	{ "id", AT(id), ENVFIELD_NEEDED, get_id, put_id },
	{ "state", AT(state), ENVFIELD_NEEDED, get_state, put_state },
	{ "kind", AT(kind), ENVFIELD_NEEDED, get_kind, put_kind },
	{ "action", AT(action), ENVFIELD_NEEDED, get_string, put_string },
	{ "sender", AT(sender), ENVFIELD_NEEDED | ENVFIELD_MAY_BE_EMPTY,
	    get_sender, put_sender },
	{ "recipient", AT(recipient), 0, get_string, put_string },
	{ "destination", AT(destination), ENVFIELD_NEEDED, get_string,
	    put_string },
	{ "from", AT(from), 0, get_string, put_string },
	{ "arrived", AT(arrived), ENVFIELD_NEEDED | ENVFIELD_EVEN_ZERO,
	    get_time, put_time },
	{ "expires", AT(expires), ENVFIELD_NEEDED | ENVFIELD_EVEN_ZERO,
	    get_time, put_time },
	{ "tries", AT(tries), ENVFIELD_EVEN_ZERO, get_number, put_number },
	{ "last-try", AT(last_try), 0, get_time, put_time },
	{ "next-try", AT(next_try), 0, get_time, put_time },
	{ "error", AT(error), 0, get_error, put_error },
	{ "dsn", AT(dsn), 0, get_string, put_string },
	{ "hold", AT(hold), 0, get_string, put_string },
	{ "suspect", AT(suspect), 0, get_number, put_number },
	{ "history", 0, ENVFIELD_REPEATS, get_history, put_history },
	{ "generation", AT(generation), ENVFIELD_EVEN_ZERO, get_number,
	    put_number },
};

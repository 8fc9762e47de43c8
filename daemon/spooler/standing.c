#include "daemon/spooler/standing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

#define HEAD                                                                   \
	"# Pauses of parts of the outgoing mail: see spool(5). Read at the "   \
	"start.\n"

struct standing {
	size_t n;
	struct pause {
		enum carry_part part;
		char *name, *reason;
		int64_t until; /* 0: until it is resumed */
		uint32_t uid;
	} pauses[STANDING_MOST];
	struct buf *odd; /* lines that could not be read */
};

static const char *const part_names[CARRY_PARTS] = {
	[CARRY_ROUTE] = "route",
	[CARRY_SOURCE] = "source",
	[CARRY_RELAY] = "relay",
};

struct standing *
standing_new(void)
{
	struct standing *st = mem_zalloc(sizeof(*st));

	st->odd = buf_new(STANDING_TEXT_MAX);
	return st;
}

static void
drop(struct standing *st, size_t i)
{
	free(st->pauses[i].name);
	free(st->pauses[i].reason);
	st->n--;
	memmove(&st->pauses[i], &st->pauses[i + 1],
	    (st->n - i) * sizeof(st->pauses[0]));
}

void
standing_free(struct standing *st)
{
	if (st == NULL)
		return;
	while (st->n > 0)
		drop(st, st->n - 1);
	buf_free(st->odd);
	free(st);
}

bool
standing_steer(struct standing *st, const struct carry_steer *m)
{
	struct pause *p;
	size_t i;

	for (i = 0; i < st->n; i++)
		if (st->pauses[i].part == m->part &&
		    strcasecmp(st->pauses[i].name, m->name) == 0)
			break;
	if (i < st->n)
		drop(st, i);
	if (!m->pause)
		return true;
	if (st->n == STANDING_MOST)
		return false;
	p = &st->pauses[st->n++];
	p->part = m->part;
	p->name = mem_strdup(m->name);
	p->reason = mem_strdup(m->reason);
	p->until = m->until;
	p->uid = m->uid;
	return true;
}

void
standing_expire(struct standing *st, int64_t now)
{
	size_t i = 0;

	while (i < st->n) {
		if (st->pauses[i].until != 0 && st->pauses[i].until <= now)
			drop(st, i);
		else
			i++;
	}
}

size_t
standing_count(const struct standing *st)
{
	return st->n;
}

void
standing_get(const struct standing *st, size_t i, struct carry_steer *m)
{
	const struct pause *p = &st->pauses[i];

	memset(m, 0, sizeof(*m));
	m->pause = true;
	m->part = p->part;
	m->name = p->name;
	m->until = p->until;
	m->uid = p->uid;
	m->reason = p->reason;
}

/* Text in double quotes, by text_quote()'s rules. */
static void
put_quoted(struct buf *b, const char *text)
{
	char quoted[4 * CARRY_NAME_MAX + 3];

	text_quote(quoted, sizeof(quoted), text);
	(void)buf_putf(b, *quoted == '"' ? "%s" : "\"%s\"", quoted);
}

char *
standing_text(const struct standing *st)
{
	struct buf *b = buf_new(3 * STANDING_TEXT_MAX);
	const struct pause *p;
	char when[TEXT_TIME_MAX];
	char *text;
	size_t i;

	(void)buf_puts(b, HEAD);
	for (i = 0; i < st->n; i++) {
		p = &st->pauses[i];
		(void)buf_putf(b, "%s ", part_names[p->part]);
		put_quoted(b, p->name);
		if (p->until != 0)
			(void)buf_putf(
			    b, " until %s", text_time(when, p->until));
		(void)buf_putf(b, " uid %u reason ", p->uid);
		put_quoted(b, p->reason);
		(void)buf_puts(b, "\n");
	}
	(void)buf_put(b, buf_data(st->odd), buf_len(st->odd));
	text = mem_strndup(buf_text(b), buf_len(b));
	buf_free(b);
	return text;
}

/* The next word of a line; false at its end. */
static bool
word(const char **at, char *dst, size_t size)
{
	size_t len;

	*at += strspn(*at, " \t\r");
	len = strcspn(*at, " \t\r");
	if (len == 0 || len >= size)
		return false;
	memcpy(dst, *at, len);
	dst[len] = '\0';
	*at += len;
	return true;
}

static int
hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *d = c == '\0' ? NULL : strchr(digits, c | 0x20);

	return d == NULL ? -1 : (int)(d - digits);
}

/* What stands in double quotes, with \xNN for odd octets. */
static bool
quoted(const char **at, char *dst, size_t size)
{
	const char *s = *at + strspn(*at, " \t\r");
	size_t n = 0;

	if (*s++ != '"')
		return false;
	for (; *s != '"'; n++) {
		if (*s == '\0' || n + 1 >= size)
			return false;
		if (*s != '\\') {
			dst[n] = *s++;
			continue;
		}
		if (s[1] != 'x' || hex(s[2]) == -1 || hex(s[3]) == -1)
			return false;
		dst[n] = (char)(hex(s[2]) << 4 | hex(s[3]));
		if (dst[n] == '\0')
			return false;
		s += 4;
	}
	dst[n] = '\0';
	*at = s + 1;
	return true;
}

/* What follows the name; NULL, or why not. */
static const char *
read_rest(const char *at, struct carry_steer *m, char *reason, size_t size)
{
	char w[64];
	uint64_t v;

	while (word(&at, w, sizeof(w))) {
		if (strcmp(w, "until") == 0) {
			if (!word(&at, w, sizeof(w)) ||
			    !text_time_parse(w, &m->until))
				return "a time like 2026-12-01T10:00:00Z is "
				       "wanted after until";
		} else if (strcmp(w, "uid") == 0) {
			if (!word(&at, w, sizeof(w)) ||
			    !text_number(w, UINT32_MAX, &v))
				return "a number is wanted after uid";
			m->uid = (uint32_t)v;
		} else if (strcmp(w, "reason") == 0) {
			if (!quoted(&at, reason, size))
				return "a text in double quotes is wanted "
				       "after "
				       "reason";
		} else {
			return "until, uid or reason is wanted after the name";
		}
	}
	return at[strspn(at, " \t\r")] == '\0' ? NULL : "it is too long";
}

static const char *
read_line(struct standing *st, const char *line)
{
	char w[64], name[CARRY_NAME_MAX + 1], reason[CARRY_REASON_MAX + 1] = "";
	struct carry_steer m = {
		.pause = true, .name = name, .reason = reason
	};
	const char *why;
	int part;

	if (!word(&line, w, sizeof(w)))
		return "route, source or relay is wanted";
	for (part = 0; part < CARRY_PARTS; part++)
		if (strcmp(w, part_names[part]) == 0)
			break;
	if (part == CARRY_PARTS)
		return "route, source or relay is wanted";
	m.part = (enum carry_part)part;
	if (!quoted(&line, name, sizeof(name)) || *name == '\0')
		return "a name in double quotes is wanted";
	why = read_rest(line, &m, reason, sizeof(reason));
	if (why != NULL)
		return why;
	return standing_steer(st, &m) ? NULL : "there are too many pauses";
}

void
standing_read(struct standing *st, const char *text,
    void (*bad)(void *arg, unsigned line, const char *why), void *arg)
{
	const char *why;
	unsigned n = 0;
	size_t len;
	char *line;

	for (; *text != '\0'; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		n++;
		line = mem_strndup(text, len);
		if (line[strspn(line, " \t\r")] == '\0' ||
		    strncmp(HEAD, line, strlen(HEAD) - 1) == 0) {
			free(line);
			continue;
		}
		why = *line == '#' ? NULL : read_line(st, line);
		/* Also what a person noted here stays. */
		if (why != NULL || *line == '#') {
			(void)buf_put(st->odd, line, len);
			(void)buf_puts(st->odd, "\n");
		}
		if (why != NULL)
			bad(arg, n, why);
		free(line);
	}
}

#include "tools/qtool/outlet.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"

#define LINE_MAX_OCTETS 16384

struct outlet {
	struct outlet_options o;
	char line[LINE_MAX_OCTETS];
	size_t len;
	bool in_header, in_subject;
	bool middle; /* the line's beginning has left already */
	unsigned long long dropped; /* octets of a redacted body */
};

unsigned
outlet_redaction(const char *words)
{
	static const struct {
		const char *word;
		unsigned bit;
	} known[] = { { "addr", OUTLET_ADDR }, { "subject", OUTLET_SUBJECT },
		{ "body", OUTLET_BODY } };
	unsigned bits = 0, bit;
	size_t len, i;

	for (; *words != '\0'; words += len + (words[len] == ',')) {
		len = strcspn(words, ",");
		for (bit = 0, i = 0; i < 3; i++)
			if (strlen(known[i].word) == len &&
			    strncmp(words, known[i].word, len) == 0)
				bit = known[i].bit;
		if (bit == 0)
			return 0;
		bits |= bit;
	}
	return bits;
}

struct outlet *
outlet_new(const struct outlet_options *o)
{
	struct outlet *t = mem_zalloc(sizeof(*t));

	t->o = *o;
	t->in_header = o->header;
	return t;
}

static bool
is_local(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 ||
	    strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL;
}

/* Of ann@example.org the first letter and the domain stay. */
static void
mask(char *line, size_t *len)
{
	size_t at, begin;

	for (at = 0; at < *len; at++) {
		if (line[at] != '@')
			continue;
		begin = at;
		if (begin > 0 && line[begin - 1] == '"') {
			for (begin--; begin > 0 && line[begin - 1] != '"';)
				begin--;
			begin -= begin > 0;
		} else {
			while (begin > 0 && is_local(line[begin - 1]))
				begin--;
		}
		if (begin == at || at + 1 == *len ||
		    !(isalnum((unsigned char)line[at + 1]) ||
			line[at + 1] == '[' ||
			(unsigned char)line[at + 1] >= 0x80))
			continue;
		/* a***@; a local part of one letter shows none of it */
		if (at - begin >= 4) {
			memset(line + begin + 1, '*', 3);
			memmove(line + begin + 4, line + at, *len - at);
			*len -= at - begin - 4;
			at = begin + 4;
		} else {
			memset(line + begin, '*', at - begin);
		}
	}
}

static void
put(struct outlet *t, const char *line, size_t len, bool ends)
{
	char raw[LINE_MAX_OCTETS + 1], safe[4 * LINE_MAX_OCTETS + 1];

	if (!t->o.terminal) {
		fwrite(line, 1, len, t->o.to);
		if (ends)
			fputs(t->o.mbox ? "\n" : "", t->o.to);
		return;
	}
	memcpy(raw, line, len);
	raw[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (raw[i] == '\t' || raw[i] == '\0')
			raw[i] = ' ';
	fputs(text_printable(safe, sizeof(safe), raw), t->o.to);
	if (ends)
		putc('\n', t->o.to);
}

/* Whether this line of the header is not to be seen. */
static bool
hides(struct outlet *t, const char *line, size_t len)
{
	if (t->middle || (len > 0 && (line[0] == ' ' || line[0] == '\t')))
		return t->in_subject;
	t->in_subject = (t->o.redact & OUTLET_SUBJECT) != 0 && len >= 8 &&
	    strncasecmp(line, "Subject:", 8) == 0;
	if (t->in_subject) {
		put(t, "Subject: [redacted]", 19, true);
		if (!t->o.mbox && !t->o.terminal)
			fputs("\r\n", t->o.to);
	}
	return t->in_subject;
}

/* A line with its end, or a part of one that is too long. */
static void
pass(struct outlet *t, bool ends)
{
	char *line = t->line;
	size_t len = t->len, text = len;
	bool lean = t->o.mbox || t->o.terminal;

	t->len = 0;
	while (ends && text > 0 &&
	    (line[text - 1] == '\n' || line[text - 1] == '\r'))
		text--;
	if (t->in_header && !t->middle && text == 0) {
		t->in_header = false;
		if (t->o.headers_only || t->o.body_only)
			return;
	} else if (t->in_header) {
		if (t->o.body_only || hides(t, line, text))
			goto out;
	} else if (t->o.header && (t->o.redact & OUTLET_BODY) != 0) {
		t->dropped += len;
		goto out;
	}
	if ((t->o.redact & OUTLET_ADDR) != 0) {
		size_t behind = len - text;
		char tail[2] = { 0 };

		memcpy(tail, line + text, behind < 2 ? behind : 2);
		mask(line, &text);
		memcpy(line + text, tail, behind < 2 ? behind : 2);
		len = text + (behind < 2 ? behind : 2);
	}
	if (t->o.mbox && !t->middle && text >= 5) {
		size_t quotes = strspn(line, ">");

		if (text - quotes >= 5 &&
		    strncmp(line + quotes, "From ", 5) == 0)
			putc('>', t->o.to);
	}
	put(t, line, lean ? text : len, ends);
out:
	t->middle = !ends;
}

bool
outlet_enough(const struct outlet *t)
{
	return t->o.headers_only && t->o.header && !t->in_header;
}

void
outlet_write(struct outlet *t, const void *data, size_t len)
{
	const char *p = data, *end = p + len, *lf;
	size_t n;

	while (p < end && !outlet_enough(t)) {
		lf = memchr(p, '\n', (size_t)(end - p));
		n = lf == NULL ? (size_t)(end - p) : (size_t)(lf - p) + 1;
		if (n > LINE_MAX_OCTETS - 1 - t->len) {
			n = LINE_MAX_OCTETS - 1 - t->len;
			lf = NULL;
		}
		memcpy(t->line + t->len, p, n);
		t->len += n;
		t->line[t->len] = '\0';
		p += n;
		if (lf != NULL || t->len == LINE_MAX_OCTETS - 1)
			pass(t, lf != NULL);
	}
}

void
outlet_end(struct outlet *t)
{
	if (t->len > 0 && !outlet_enough(t))
		pass(t, t->o.mbox || t->o.terminal);
	if (t->dropped > 0)
		fprintf(t->o.to, "[%llu octets redacted]%s", t->dropped,
		    t->o.mbox || t->o.terminal ? "\n" : "\r\n");
	free(t);
}

#include "lib/mail/header.h"

#include <string.h>
#include <strings.h>

enum where {
	START, /* of a line */
	NAME,
	BLANK, /* between a name and its colon */
	BODY, /* after the colon, or of a continuation line */
	BODY_CR, /* a CR that may end the line */
	EMPTY_CR /* a CR at the start of a line */
};

void
header_init(struct header *h)
{
	memset(h, 0, sizeof(*h));
}

static void
on_name(struct header *h)
{
	h->name[h->len < sizeof(h->name) ? h->len : 0] = '\0';
	if (strcasecmp(h->name, "received") == 0)
		h->received++;
	else if (strcasecmp(h->name, "date") == 0)
		h->has_date = true;
	else if (strcasecmp(h->name, "message-id") == 0)
		h->has_message_id = true;
	else if (strcasecmp(h->name, "from") == 0)
		h->has_from = true;
}

/* ftext of RFC 5322 section 3.6.8. */
static bool
is_name(unsigned char c)
{
	return c > 32 && c < 127 && c != ':';
}

static enum where
in_name(struct header *h, unsigned char c)
{
	if (c == ':') {
		on_name(h);
		return BODY;
	}
	if (c == ' ' || c == '\t')
		return BLANK;
	if (!is_name(c)) {
		h->ended = true;
		return NAME;
	}
	/* A longer name is none of ours: its length says so. */
	if (h->len < sizeof(h->name))
		h->name[h->len++] = (char)c;
	return NAME;
}

static enum where
at_start(struct header *h, unsigned char c)
{
	if (c == '\r')
		return EMPTY_CR;
	if (c == ' ' || c == '\t')
		return BODY;
	h->len = 0;
	if (c == ':') {
		h->ended = true;
		return START;
	}
	return in_name(h, c);
}

static enum where
step(struct header *h, unsigned char c)
{
	switch ((enum where)h->where) {
	case START:
		return at_start(h, c);
	case NAME:
		return in_name(h, c);
	case BLANK:
		if (c == ' ' || c == '\t' || c == ':')
			return c == ':' ? in_name(h, c) : BLANK;
		break;
	case BODY:
		return c == '\r' ? BODY_CR : BODY;
	case BODY_CR:
		if (c == '\n')
			return START;
		return c == '\r' ? BODY_CR : BODY;
	case EMPTY_CR:
		break;
	}
	h->ended = true; /* the empty line, or what is no field */
	return START;
}

void
header_feed(struct header *h, const void *data, size_t len)
{
	const unsigned char *p = data, *end = p + len, *cr;

	while (p < end && !h->ended) {
		if (h->where == BODY) {
			cr = memchr(p, '\r', (size_t)(end - p));
			if (cr == NULL)
				return;
			p = cr;
		}
		h->where = (unsigned char)step(h, *p++);
	}
}

#include "tools/qtool/content.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"

#define CHUNK 65536u

struct content {
	struct buf *text;
	char *value;
};

struct content *
content_open(struct view *v, uint64_t msgid, bool header)
{
	struct view_message m;
	struct view_stream *s = view_stream_open(v, msgid, &m);
	struct content *l;
	uint8_t *room;
	ssize_t n = 1;

	if (s == NULL)
		return NULL;
	l = mem_zalloc(sizeof(*l));
	l->text = buf_new(CONTENT_MAX);
	while (n > 0 && (room = buf_room(l->text, CHUNK)) != NULL) {
		n = view_stream_read(s, room, CHUNK);
		buf_truncate(l->text,
		    buf_len(l->text) - CHUNK + (n > 0 ? (size_t)n : 0));
		if (header && strstr(buf_text(l->text), "\r\n\r\n") != NULL)
			break;
	}
	view_stream_close(s);
	room = (uint8_t *)(uintptr_t)buf_data(l->text);
	while ((room = memchr(room, '\0',
		    buf_len(l->text) - (size_t)(room - buf_data(l->text)))) !=
	    NULL)
		*room = ' ';
	if (n != -1)
		return l;
	content_free(l);
	return NULL;
}

void
content_free(struct content *l)
{
	if (l == NULL)
		return;
	buf_free(l->text);
	free(l->value);
	free(l);
}

/* Where the line behind this one begins. */
static const char *
next_line(const char *at)
{
	at += strcspn(at, "\n");
	return *at == '\0' ? at : at + 1;
}

/* Copies a field's value, its line ends and the space behind them one space. */
static char *
unfold(const char *at)
{
	const char *end = next_line(at);
	char *value, *to;

	while (*end == ' ' || *end == '\t')
		end = next_line(end);
	at += strspn(at, " \t");
	value = to = mem_zalloc((size_t)(end - at) + 1);
	while (at < end) {
		if (*at != '\r' && *at != '\n') {
			*to++ = *at++;
			continue;
		}
		at += strspn(at, "\r\n \t");
		if (at < end)
			*to++ = ' ';
	}
	return value;
}

const char *
content_field(struct content *l, const char *name)
{
	const char *at = buf_text(l->text), *colon;
	size_t len = strlen(name);

	free(l->value);
	l->value = NULL;
	for (; *at != '\0' && *at != '\r' && *at != '\n'; at = next_line(at)) {
		if (strncasecmp(at, name, len) != 0)
			continue;
		colon = at + len + strspn(at + len, " \t");
		if (*colon != ':')
			continue;
		l->value = unfold(colon + 1);
		return l->value;
	}
	return NULL;
}

const char *
content_text(const struct content *l)
{
	return buf_text(l->text);
}

const char *
content_body(const struct content *l)
{
	const char *at = buf_text(l->text);

	while (*at != '\0' && *at != '\r' && *at != '\n')
		at = next_line(at);
	return next_line(at);
}

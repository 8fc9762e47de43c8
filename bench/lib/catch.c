#include "bench/lib/catch.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/crc32c.h"

#define CATCH_FIELD_MAX 128

static void
field(struct catch *c, const char *line, size_t len)
{
	const size_t name = sizeof(NOTE_FIELD) - 1;
	char value[CATCH_FIELD_MAX];

	if (len <= name || strncasecmp(line, NOTE_FIELD, name) != 0)
		return;
	snprintf(value, sizeof(value), "%.*s", (int)(len - name), line + name);
	c->noted = note_parse(value, c->id, &c->want);
}

bool
catch_line(struct catch *c, const char *line, size_t len)
{
	if (len == 3 && memcmp(line, ".\r\n", 3) == 0)
		return true;
	if (len < 2 || line[len - 2] != '\r')
		c->bare = true;
	if (line[0] == '.') {
		line++;
		len--;
	}
	c->octets += len;
	if (c->body)
		c->crc = crc32c(c->crc, line, len);
	else if (len == 2 && line[0] == '\r')
		c->body = true;
	else
		field(c, line, len);
	return false;
}

bool
catch_whole(const struct catch *c)
{
	return c->noted && !c->bare && c->crc == c->want;
}

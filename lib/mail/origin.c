#include "lib/mail/origin.h"

#include <stdlib.h>
#include <string.h>

#define BLANK " "

static void
copy(char *dst, size_t size, const char *s, size_t len)
{
	if (len > size - 1)
		len = size - 1;
	memcpy(dst, s, len);
	dst[len] = '\0';
}

/* The word at *s, which moves behind it; its length. */
static size_t
word(const char **s, const char **at)
{
	size_t n;

	*s += strspn(*s, BLANK);
	*at = *s;
	n = strcspn(*s, BLANK);
	*s += n;
	return n;
}

static void
client(struct origin *o, const char *s, size_t len)
{
	const char *shut = memchr(s, ']', len);

	if (len < 2 || *s != '[' || shut == NULL)
		return;
	copy(o->client, sizeof(o->client), s + 1, (size_t)(shut - s - 1));
	if ((size_t)(shut - s) + 2 < len && shut[1] == ':')
		o->port = (unsigned)strtoul(shut + 2, NULL, 10);
}

static void
pair(struct origin *o, const char *name, size_t name_len, const char *value,
    size_t len)
{
	const struct {
		const char *name;
		char *to;
		size_t size;
	} pairs[] = {
		{ "helo", o->helo, sizeof(o->helo) },
		{ "name", o->name, sizeof(o->name) },
		{ "listener", o->listener, sizeof(o->listener) },
		{ "auth", o->auth, sizeof(o->auth) },
		{ "tls", o->tls, sizeof(o->tls) },
	};
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (strlen(pairs[i].name) == name_len &&
		    memcmp(pairs[i].name, name, name_len) == 0)
			copy(pairs[i].to, pairs[i].size, value, len);
}

void
origin_read(struct origin *o, const char *from)
{
	const char *at, *value;
	size_t n, len;

	memset(o, 0, sizeof(*o));
	if (from == NULL)
		return;
	n = word(&from, &at);
	copy(o->way, sizeof(o->way), at, n);
	from += strspn(from, BLANK);
	if (*from != '[')
		return;
	n = word(&from, &at);
	client(o, at, n);
	while ((n = word(&from, &at)) > 0) {
		len = word(&from, &value);
		pair(o, at, n, value, len);
	}
}

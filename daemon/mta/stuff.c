#include "daemon/mta/stuff.h"

#include <string.h>

void
stuff_init(struct stuff *s, bool chunks)
{
	s->chunks = chunks;
	s->within = false;
	s->cr = false;
}

/* How many octets from p may pass as they are. Stops before a dot that begins
 * a line, a bare CR or LF, and a CR that is the last octet. */
static size_t
plain_run(const char *p, const char *end, const struct stuff *s)
{
	const char *q = p, *lf, *cr;
	bool within = s->within || s->chunks;

	while (q < end) {
		if (!within && *q == '.' && q > p)
			break; /* p's own dot was doubled by the caller */
		lf = memchr(q, '\n', (size_t)(end - q));
		cr = memchr(q, '\r', (size_t)((lf == NULL ? end : lf) - q));
		if (cr == NULL)
			return (size_t)((lf == NULL ? end : lf) - p);
		if (lf != cr + 1)
			return (size_t)(cr - p);
		q = lf + 1;
		within = s->chunks;
	}
	return (size_t)(q - p);
}

void
stuff_feed(struct stuff *s, const void *data, size_t len,
    void (*put)(void *arg, const void *octets, size_t n), void *arg)
{
	const char *p = data, *end = p + len;
	size_t n;

	while (p < end) {
		if (s->cr || *p == '\n') {
			/* What was held back, or stands here alone. */
			put(arg, "\r\n", 2);
			if (*p == '\n')
				p++;
			s->cr = s->within = false;
			continue;
		}
		if (*p == '\r') {
			s->cr = true;
			p++;
			continue;
		}
		if (!s->within && !s->chunks && *p == '.')
			put(arg, ".", 1);
		n = plain_run(p, end, s);
		put(arg, p, n);
		p += n;
		s->within = p[-1] != '\n';
	}
}

void
stuff_end(struct stuff *s, void (*put)(void *arg, const void *octets, size_t n),
    void *arg)
{
	if (s->cr || s->within)
		put(arg, "\r\n", 2);
	if (!s->chunks)
		put(arg, ".\r\n", 3);
	stuff_init(s, s->chunks);
}

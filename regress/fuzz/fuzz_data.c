/* A text fed whole and in the pieces its first octet asks for: the same comes
 * out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct out {
	uint8_t *text;
	size_t len, used;
	unsigned flags;
	bool ended;
};

static void
collect(void *arg, const uint8_t *text, size_t len)
{
	struct out *o = arg;

	memcpy(o->text + o->len, text, len);
	o->len += len;
}

static void
feed(struct out *o, const uint8_t *in, size_t size, size_t piece)
{
	struct data d;
	size_t n;

	memset(o, 0, sizeof(*o));
	o->text = malloc(size + 1);
	data_init(&d);
	while (o->used < size && !d.ended) {
		n = size - o->used < piece ? size - o->used : piece;
		o->used += data_feed(&d, in + o->used, n, collect, o);
	}
	o->flags = d.flags;
	o->ended = d.ended;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct out a, b;

	if (size < 2)
		return 0;
	feed(&a, data + 1, size - 1, size);
	feed(&b, data + 1, size - 1, data[0] % 16 + 1u);
	if (a.len != b.len || a.used != b.used || a.flags != b.flags ||
	    a.ended != b.ended || memcmp(a.text, b.text, a.len) != 0)
		abort();
	if (a.len > a.used)
		abort();
	free(a.text);
	free(b.text);
	return 0;
}

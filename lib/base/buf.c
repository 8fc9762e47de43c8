#include "lib/base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

struct buf {
	uint8_t *data;
	size_t off; /* consumed so far */
	size_t len; /* end of the bytes, counted from data */
	size_t size; /* allocated, with room for the final NUL */
	size_t max;
};

#define BUF_FIRST 256

struct buf *
buf_new(size_t max)
{
	struct buf *b = mem_zalloc(sizeof(*b));

	b->max = max;
	return b;
}

void
buf_free(struct buf *b)
{
	if (b == NULL)
		return;
	free(b->data);
	free(b);
}

uint8_t *
buf_room(struct buf *b, size_t len)
{
	size_t used = b->len - b->off, size;
	uint8_t *room;

	if (len > b->max || used > b->max - len) {
		errno = EMSGSIZE;
		return NULL;
	}
	if (b->len + len + 1 > b->size && b->off > 0) {
		memmove(b->data, b->data + b->off, used);
		b->off = 0;
		b->len = used;
	}
	if (b->len + len + 1 > b->size) {
		size = b->size == 0 ? BUF_FIRST : b->size;
		while (size < b->len + len + 1)
			size *= 2;
		b->data = mem_rearray(b->data, size, 1);
		b->size = size;
	}
	room = b->data + b->len;
	b->len += len;
	b->data[b->len] = '\0';
	return room;
}

int
buf_put(struct buf *b, const void *data, size_t len)
{
	uint8_t *room = buf_room(b, len);

	if (room == NULL)
		return -1;
	if (len > 0)
		memcpy(room, data, len);
	return 0;
}

int
buf_puts(struct buf *b, const char *s)
{
	return buf_put(b, s, strlen(s));
}

int
buf_putf(struct buf *b, const char *fmt, ...)
{
	char small[512], *text = small;
	va_list ap;
	int n, rc;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		return -1;
	if ((size_t)n >= sizeof(small)) {
		text = mem_zalloc((size_t)n + 1);
		va_start(ap, fmt);
		vsnprintf(text, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	rc = buf_put(b, text, (size_t)n);
	if (text != small)
		free(text);
	return rc;
}

const uint8_t *
buf_data(const struct buf *b)
{
	static const uint8_t nothing[1];

	return b->data == NULL ? nothing : b->data + b->off;
}

const char *
buf_text(const struct buf *b)
{
	return (const char *)buf_data(b);
}

size_t
buf_len(const struct buf *b)
{
	return b->len - b->off;
}

void
buf_consume(struct buf *b, size_t len)
{
	assert(len <= buf_len(b));
	b->off += len;
	if (b->off == b->len)
		buf_reset(b);
}

void
buf_truncate(struct buf *b, size_t len)
{
	assert(len <= buf_len(b));
	b->len = b->off + len;
	if (b->data != NULL)
		b->data[b->len] = '\0';
}

void
buf_reset(struct buf *b)
{
	b->off = b->len = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

uint8_t *
buf_steal(struct buf *b, size_t *len)
{
	uint8_t *data;

	if (b->data == NULL)
		buf_room(b, 0);
	if (b->off > 0)
		memmove(b->data, b->data + b->off, buf_len(b) + 1);
	*len = buf_len(b);
	data = b->data;
	b->data = NULL;
	b->off = b->len = b->size = 0;
	return data;
}

#include "lib/base/base64.h"

#include <stdint.h>

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(char *dst, const void *src, size_t len)
{
	const uint8_t *p = src;
	uint32_t v;

	for (; len >= 3; len -= 3, p += 3) {
		v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		*dst++ = letters[v >> 18];
		*dst++ = letters[v >> 12 & 63];
		*dst++ = letters[v >> 6 & 63];
		*dst++ = letters[v & 63];
	}
	if (len == 0)
		return;
	v = (uint32_t)p[0] << 16 | (len == 2 ? (uint32_t)p[1] << 8 : 0);
	*dst++ = letters[v >> 18];
	*dst++ = letters[v >> 12 & 63];
	*dst++ = len == 2 ? letters[v >> 6 & 63] : '=';
	*dst = '=';
}

static int
value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

ssize_t
base64_decode(void *dst, const char *src, size_t len)
{
	uint8_t *out = dst;
	size_t pad = 0, i, k;
	uint32_t v;
	int bits;

	if (len % 4 != 0)
		return -1;
	if (len > 0 && src[len - 1] == '=')
		pad = src[len - 2] == '=' ? 2 : 1;
	for (i = 0; i < len; i += 4) {
		for (v = 0, k = 0; k < 4; k++) {
			bits = i + k >= len - pad ? 0 : value(src[i + k]);
			if (bits == -1)
				return -1;
			v = v << 6 | (uint32_t)bits;
		}
		*out++ = (uint8_t)(v >> 16);
		if (i + 4 < len || pad < 2)
			*out++ = (uint8_t)(v >> 8);
		else if ((v & 0xffff) != 0)
			return -1;
		if (i + 4 < len || pad < 1)
			*out++ = (uint8_t)v;
		else if ((v & 0xff) != 0)
			return -1;
	}
	return out - (uint8_t *)dst;
}

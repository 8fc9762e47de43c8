#include "lib/base/crc32c.h"

#include <string.h>

#define POLY 0x82f63b78u /* reflected */

static uint32_t
by_table(uint32_t crc, const uint8_t *p, size_t len)
{
	static uint32_t table[256]; /* every thread would write the same */
	uint32_t i, c;
	int k;

	if (table[255] == 0) {
		for (i = 0; i < 256; i++) {
			for (c = i, k = 0; k < 8; k++)
				c = c & 1 ? c >> 1 ^ POLY : c >> 1;
			__atomic_store_n(&table[i], c, __ATOMIC_RELEASE);
		}
	}
	while (len-- > 0)
		crc = table[(crc ^ *p++) & 255] ^ crc >> 8;
	return crc;
}

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t crc, const uint8_t *p, size_t len)
{
	uint64_t c = crc, word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		c = __builtin_ia32_crc32di(c, word);
	}
	crc = (uint32_t)c;
	while (len-- > 0)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}

static uint32_t
update(uint32_t crc, const uint8_t *p, size_t len)
{
	if (__builtin_cpu_supports("sse4.2"))
		return by_instruction(crc, p, len);
	return by_table(crc, p, len);
}
#else
static uint32_t
update(uint32_t crc, const uint8_t *p, size_t len)
{
	return by_table(crc, p, len);
}
#endif

uint32_t
crc32c(uint32_t crc, const void *data, size_t len)
{
	return ~update(~crc, data, len);
}

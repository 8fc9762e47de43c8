/*
 * fuzz_conf - any octets as a configuration: refused, or printed and read
 * again to the same
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "daemon/conf/conf.h"
#include "lib/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf *first, *second;
	struct conf *c, *again;

	c = conf_parse("fuzz", (const char *)data, size, NULL, NULL);
	if (c == NULL)
		return 0;
	first = buf_new(CONF_TEXT_MAX);
	second = buf_new(CONF_TEXT_MAX);
	if (conf_print(c, ROLE_PARENT, first) == 0) {
		again = conf_parse(
		    "fuzz", buf_text(first), buf_len(first), NULL, NULL);
		assert(again != NULL);
		assert(conf_print(again, ROLE_PARENT, second) == 0);
		assert(strcmp(buf_text(first), buf_text(second)) == 0);
		conf_free(again);
	}
	buf_free(first);
	buf_free(second);
	conf_free(c);
	return 0;
}

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

static void
again(const struct conf *c, enum role who)
{
	struct buf *first = buf_new(CONF_TEXT_MAX);
	struct buf *second = buf_new(CONF_TEXT_MAX);
	struct conf *read;

	if (conf_print(c, who, first) == 0) {
		read = conf_parse(
		    "fuzz", buf_text(first), buf_len(first), NULL, NULL);
		assert(read != NULL);
		assert(conf_print(read, who, second) == 0);
		assert(strcmp(buf_text(first), buf_text(second)) == 0);
		conf_free(read);
	}
	buf_free(first);
	buf_free(second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *c;

	c = conf_parse("fuzz", (const char *)data, size, NULL, NULL);
	if (c == NULL)
		return 0;
	again(c, ROLE_PARENT);
	again(c, ROLE_MTA); /* with what is in files */
	conf_free(c);
	return 0;
}

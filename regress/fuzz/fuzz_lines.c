/*
 * fuzz_lines - any octets as the file of a table, and its values as aliases
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "daemon/conf/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
on_target(void *arg, const char *target)
{
	size_t *n = arg;

	assert(target[0] != '\0');
	return ++*n > 100 ? -1 : 0;
}

static void
on_entry(void *arg, const char *key, const char *value)
{
	size_t n = 0;

	(void)arg;
	assert(key[0] != '\0' && strlen(value) < LINES_MAX);
	(void)lines_targets(value, on_target, &n);
	assert(n <= 101);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[100] = "";

	if (lines_read((const char *)data, size, on_entry, NULL, why,
		sizeof(why)) == -1)
		assert(strncmp(why, "line ", 5) == 0);
	return 0;
}

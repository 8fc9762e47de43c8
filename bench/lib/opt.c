#include "bench/lib/opt.h"

#include <err.h>

#include "lib/base/text.h"

unsigned
opt_number(const char *name, const char *arg, uint64_t least, uint32_t most)
{
	uint64_t v;

	if (!text_number(arg, most, &v) || v < least)
		errx(2, "--%s %s: not a number from %llu to %u", name, arg,
		    (unsigned long long)least, most);
	return (unsigned)v;
}

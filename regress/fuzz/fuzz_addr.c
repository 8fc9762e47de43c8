/* Whatever comes in between < and >: what is taken is read again the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mail/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_one(const char *text, size_t len, bool postmaster, bool utf8)
{
	char once[ADDR_TEXT_MAX], twice[ADDR_TEXT_MAX];
	struct addr a;

	if (addr_parse(&a, text, len, postmaster, utf8) != ADDR_OK)
		return;
	addr_text(once, &a);
	if (addr_parse(&a, once, strlen(once), postmaster, utf8) != ADDR_OK ||
	    strcmp(addr_text(twice, &a), once) != 0)
		abort();
	if (a.domain[0] != '\0' &&
	    !addr_domain_ok(a.domain, strlen(a.domain), utf8))
		abort();
	addr_key(twice, &a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_one((const char *)data, size, false, false);
	try_one((const char *)data, size, true, true);
	return 0;
}

#include "lib/cli/exitcode.h"

#include <stddef.h>

const char *
exitcode_name(enum exitcode code)
{
	static const struct {
		enum exitcode code;
		const char *name;
	} names[] = {
		{ EXIT_DONE, "EX_OK" },
		{ EXIT_NOMATCH, "NOMATCH" },
		{ EXIT_PARTIAL, "PARTIAL" },
		{ EXIT_REFUSED, "REFUSED" },
		{ EXIT_USAGE, "EX_USAGE" },
		{ EXIT_DATAERR, "EX_DATAERR" },
		{ EXIT_NOINPUT, "EX_NOINPUT" },
		{ EXIT_UNAVAILABLE, "EX_UNAVAILABLE" },
		{ EXIT_SOFTWARE, "EX_SOFTWARE" },
		{ EXIT_CANTCREAT, "EX_CANTCREAT" },
		{ EXIT_IOERR, "EX_IOERR" },
		{ EXIT_TEMPFAIL, "EX_TEMPFAIL" },
		{ EXIT_PROTOCOL, "EX_PROTOCOL" },
		{ EXIT_NOPERM, "EX_NOPERM" },
		{ EXIT_CONFIG, "EX_CONFIG" },
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == code)
			return names[i].name;
	return "EX_SOFTWARE";
}

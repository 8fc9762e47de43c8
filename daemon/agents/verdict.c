#include "daemon/agents/verdict.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* What the file system says, by what it means for the mail. All else is
 * temporary: somebody may mend it before the message expires. */
static const struct {
	int error;
	enum verdict_code code;
	const char *enhanced;
} meanings[] = {
	{ EDQUOT, VERDICT_TEMPFAIL, "4.2.2" },
	{ ENOSPC, VERDICT_TEMPFAIL, "4.3.1" },
	{ EFBIG, VERDICT_TEMPFAIL, "4.2.2" },
	{ EACCES, VERDICT_TEMPFAIL, "4.2.1" },
	{ EPERM, VERDICT_TEMPFAIL, "4.2.1" },
	{ ENOENT, VERDICT_TEMPFAIL, "4.2.1" },
	{ ENOTDIR, VERDICT_CANTCREAT, "5.3.5" },
	{ EISDIR, VERDICT_CANTCREAT, "5.3.5" },
	{ ELOOP, VERDICT_CANTCREAT, "5.3.5" },
	{ ENAMETOOLONG, VERDICT_CANTCREAT, "5.3.5" },
};

int
verdict_set(struct verdict *v, enum verdict_code code, const char *fmt, ...)
{
	va_list ap;

	if (v->code != VERDICT_OK)
		return -1;
	v->code = code;
	va_start(ap, fmt);
	vsnprintf(v->text, sizeof(v->text), fmt, ap);
	va_end(ap);
	return -1;
}

int
verdict_errno(struct verdict *v, int error, const char *what, const char *path)
{
	size_t i;

	for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].error == error)
			return verdict_set(v, meanings[i].code, "%s %s %s: %s",
			    meanings[i].enhanced, what, path, strerror(error));
	return verdict_set(v, VERDICT_TEMPFAIL, "4.3.0 %s %s: %s", what, path,
	    strerror(error));
}

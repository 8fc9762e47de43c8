#include "bench/lib/whims.h"

#include <err.h>
#include <fnmatch.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"

void
whims_rule(struct whims *w, const char *arg)
{
	char *pattern = mem_strdup(arg);
	char *equals = strrchr(pattern, '=');

	if (equals == NULL || strlen(equals) != 4 ||
	    strchr("45", equals[1]) == NULL || w->nrules == WHIMS_RULES)
		errx(2, "--rcpt %s: not GLOB=CODE, or too many", arg);
	*equals = '\0';
	w->rules[w->nrules++] = (struct whims_rule){ pattern, equals + 1 };
}

bool
whims_chance(unsigned percent)
{
	return percent > 0 && ident_random64() % 100 < percent;
}

const char *
whims_refusal(struct whims *w, const char *sender, const char *recipient)
{
	for (unsigned i = 0; i < w->nrules; i++)
		if (fnmatch(w->rules[i].pattern, recipient, 0) == 0)
			return w->rules[i].code;
	if (w->grey != NULL && !grey_admits(w->grey, sender, recipient))
		return "451";
	if (whims_chance(w->reject))
		return "550";
	return whims_chance(w->tempfail) ? "451" : NULL;
}

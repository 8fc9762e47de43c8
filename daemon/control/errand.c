#include "daemon/control/errand.h"

#include <string.h>

#include "lib/cli/exitcode.h"

void
errand_begin(struct errand *e, uint32_t roles)
{
	memset(e, 0, sizeof(*e));
	e->awaited = roles;
}

static void
say(struct errand *e, const char *text)
{
	if (text[0] == '\0')
		return;
	if (e->text[0] != '\0')
		strlcat(e->text, "; ", sizeof(e->text));
	strlcat(e->text, text, sizeof(e->text));
}

bool
errand_answered(struct errand *e, enum role who, const struct query_end *end)
{
	if ((e->awaited & 1u << who) == 0)
		return false;
	e->awaited &= ~(1u << who);
	if (end->status > e->status)
		e->status = end->status;
	e->done += end->done;
	e->skipped += end->skipped;
	say(e, end->text);
	return true;
}

void
errand_give_up(struct errand *e)
{
	int r;

	for (r = 0; r < ROLES; r++) {
		if (e->awaited & 1u << r) {
			say(e, "no answer from");
			strlcat(e->text, " ", sizeof(e->text));
			strlcat(
			    e->text, role_name((enum role)r), sizeof(e->text));
		}
	}
	if (e->awaited != 0 && e->status < EXIT_PARTIAL)
		e->status = EXIT_PARTIAL;
	e->awaited = 0;
}

#include "daemon/parent/reload.h"

#include <string.h>

#include "lib/base/log.h"

static void
report(void *arg, const char *line)
{
	(void)arg;
	log_err("event=configuration text=%s", line);
}

static bool
needs_restart(const char *word, const char *current, const char *fresh)
{
	if (strcmp(current, fresh) == 0)
		return false;
	log_err("event=configuration text=%s cannot change from %s to %s "
		"without a restart",
	    word, current, fresh);
	return true;
}

struct conf *
reload_read(const char *path, const struct conf *current)
{
	struct conf *c = conf_load(path, report, NULL);

	if (c == NULL)
		return NULL;
	if (!conf_supply(c, false, report, NULL) ||
	    needs_restart("spool", current->spool, c->spool) ||
	    needs_restart("control", current->control, c->control)) {
		conf_free(c);
		return NULL;
	}
	c->foreground = current->foreground;
	c->verbose = current->verbose;
	c->privileged = current->privileged;
	c->paused_mta = current->paused_mta;
	c->paused_mda = current->paused_mda;
	c->paused_smtp = current->paused_smtp;
	return c;
}

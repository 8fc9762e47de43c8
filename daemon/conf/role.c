#include "daemon/conf/role.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	const char *user;
} roles[ROLES] = {
	[ROLE_PARENT] = { "parent", "root" },
	[ROLE_CONTROL] = { "control", "_smtpd-control" },
	[ROLE_SMTP] = { "smtp", "_smtpd-smtp" },
	[ROLE_LOOKUP] = { "lookup", "_smtpd-lookup" },
	[ROLE_DNS] = { "dns", "_smtpd-dns" },
	[ROLE_SPOOLER] = { "spooler", "_smtpq" },
	[ROLE_SCHEDULER] = { "scheduler", "_smtpd-sched" },
	[ROLE_MTA] = { "mta", "_smtpd-mta" },
	[ROLE_MDA] = { "mda", "_smtpd-mda" },
};

const char *
role_name(enum role r)
{
	return r < ROLES ? roles[r].name : "?";
}

int
role_by_name(const char *name)
{
	int r;

	for (r = 0; r < ROLES; r++)
		if (strcmp(name, roles[r].name) == 0)
			return r;
	return -1;
}

const char *
role_user(enum role r)
{
	return r < ROLES ? roles[r].user : NULL;
}

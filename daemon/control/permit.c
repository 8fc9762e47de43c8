#include "daemon/control/permit.h"

#include <stddef.h>
#include <string.h>

#define ALL PERMIT_ALL_ROLES
#define PARENT PERMIT_ROLE(ROLE_PARENT)
#define SPOOLER PERMIT_ROLE(ROLE_SPOOLER)
#define SCHEDULER PERMIT_ROLE(ROLE_SCHEDULER)
#define LOOKUP PERMIT_ROLE(ROLE_LOOKUP)
#define MTA PERMIT_ROLE(ROLE_MTA)
#define VIEW PERMIT_VIEW
#define OPERATE PERMIT_OPERATE
#define ASK PERMIT_ASK

/* A message is private, and trace lines hold addresses: both are for
 * operators. */
static const struct permit permits[] = {
	{ "show status", VIEW, ASK, QUERY_STATUS, ALL, NULL },
	{ "show stats", VIEW, ASK, QUERY_STATS, ALL, NULL },
	{ "show queue", VIEW, ASK, QUERY_QUEUE, SPOOLER, NULL },
	{ "show envelope", VIEW, ASK, QUERY_ENVELOPE, SPOOLER, NULL },
	{ "show message", OPERATE, ASK, QUERY_MESSAGE, SPOOLER, NULL },
	{ "show hosts", VIEW, ASK, QUERY_HOSTS, MTA, NULL },
	{ "show routes", VIEW, ASK, QUERY_ROUTES, MTA, NULL },
	{ "show hoststats", VIEW, ASK, QUERY_HOSTSTATS, MTA, NULL },
	{ "show relays", VIEW, ASK, QUERY_RELAYS, MTA, NULL },
	{ "show sessions", VIEW, ASK, QUERY_SESSIONS, MTA, NULL },
	{ "show limits", VIEW, ASK, QUERY_LIMITS, MTA, NULL },
	{ "explain rule", VIEW, ASK, QUERY_EXPLAIN_RULE, LOOKUP, NULL },
	{ "explain relay", VIEW, ASK, QUERY_EXPLAIN_RELAY, MTA, NULL },
	{ "explain pauses", VIEW, ASK, QUERY_WHY, SPOOLER, "pauses" },
	{ "why", VIEW, ASK, QUERY_WHY, SPOOLER, NULL },
	{ "pause envelope", OPERATE, ASK, QUERY_HOLD, SCHEDULER, NULL },
	{ "pause mta", OPERATE, ASK, QUERY_PAUSE, SPOOLER, "mta" },
	{ "pause mda", OPERATE, ASK, QUERY_PAUSE, SPOOLER, "mda" },
	{ "pause smtp", OPERATE, ASK, QUERY_PAUSE, SPOOLER, "smtp" },
	{ "pause route", OPERATE, ASK, QUERY_STEER, MTA, "route" },
	{ "pause source", OPERATE, ASK, QUERY_STEER, MTA, "source" },
	{ "pause relay", OPERATE, ASK, QUERY_STEER, MTA, "relay" },
	{ "resume envelope", OPERATE, ASK, QUERY_RELEASE, SCHEDULER, NULL },
	{ "resume mta", OPERATE, ASK, QUERY_RESUME, SPOOLER, "mta" },
	{ "resume mda", OPERATE, ASK, QUERY_RESUME, SPOOLER, "mda" },
	{ "resume smtp", OPERATE, ASK, QUERY_RESUME, SPOOLER, "smtp" },
	{ "resume route", OPERATE, ASK, QUERY_UNSTEER, MTA, "route" },
	{ "resume source", OPERATE, ASK, QUERY_UNSTEER, MTA, "source" },
	{ "resume relay", OPERATE, ASK, QUERY_UNSTEER, MTA, "relay" },
	{ "schedule", OPERATE, ASK, QUERY_SCHEDULE, SCHEDULER, NULL },
	{ "remove", OPERATE, ASK, QUERY_REMOVE, SCHEDULER, NULL },
	{ "discover", OPERATE, ASK, QUERY_DISCOVER, SPOOLER, NULL },
	{ "uncorrupt", OPERATE, ASK, QUERY_UNCORRUPT, SPOOLER, NULL },
	{ "sync", OPERATE, ASK, QUERY_SYNC, SPOOLER, NULL },
	{ "log brief", OPERATE, ASK, QUERY_LOG, PARENT, "brief" },
	{ "log verbose", OPERATE, ASK, QUERY_LOG, PARENT, "verbose" },
	{ "reload", OPERATE, ASK, QUERY_RELOAD, PARENT, NULL },
	{ "stop", OPERATE, ASK, QUERY_STOP, PARENT, NULL },
	{ "trace", OPERATE, PERMIT_TRACE, QUERY_WHATS, 0, NULL },
	{ "untrace", OPERATE, PERMIT_UNTRACE, QUERY_WHATS, 0, NULL },
};

const struct permit *
permit_find(const char *command)
{
	size_t i;

	for (i = 0; i < sizeof(permits) / sizeof(permits[0]); i++)
		if (strcmp(permits[i].command, command) == 0)
			return &permits[i];
	return NULL;
}

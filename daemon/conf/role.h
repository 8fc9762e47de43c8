/*
 * role - the processes of the daemon, by number and name
 */
#ifndef DAEMON_CONF_ROLE_H
#define DAEMON_CONF_ROLE_H

enum role {
	ROLE_PARENT,
	ROLE_CONTROL,
	ROLE_SMTP,
	ROLE_LOOKUP,
	ROLE_DNS,
	ROLE_SPOOLER,
	ROLE_SCHEDULER,
	ROLE_MTA,
	ROLE_MDA,
	ROLES
};

const char *role_name(enum role r);
int role_by_name(const char *name); /* -1: none of that name */

/* The system user a role runs as when the daemon is started by root. */
const char *role_user(enum role r);

#endif

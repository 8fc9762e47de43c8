/*
 * parent - starts the roles, restarts them all when one dies, stops them
 *
 * The one process that may still be root. It reads the configuration and
 * nothing else; no byte from the network reaches it.
 */
#ifndef DAEMON_PARENT_PARENT_H
#define DAEMON_PARENT_PARENT_H

#include "daemon/conf/conf.h"

struct parent_options {
	const char *program; /* of the roles: ourselves, absolute */
	const char *agent; /* smtpd-agent, absolute */
	const char *conf_path;
	struct conf *conf; /* taken */
	int ready_fd; /* gets one octet: 0 when all is up, else the exit code;
		       * -1: nobody waits */
};

/* Runs the daemon. Returns its exit code. */
int parent_run(const struct parent_options *o);

#endif

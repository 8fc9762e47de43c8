/*
 * permit - what tools may ask for, who answers, and who may ask
 *
 * One table: the words of a command, the right it needs, and the roles that
 * own the answer. What is not in it does not exist.
 */
#ifndef DAEMON_CONTROL_PERMIT_H
#define DAEMON_CONTROL_PERMIT_H

#include <stdint.h>

#include "daemon/conf/role.h"
#include "daemon/edge/query.h"

enum permit_right {
	PERMIT_NOTHING,
	PERMIT_VIEW, /* the configured group */
	PERMIT_OPERATE /* root and the daemon's owner */
};

enum permit_way {
	PERMIT_ASK, /* its roles are asked */
	PERMIT_TRACE, /* control keeps it: lines of subsystems */
	PERMIT_UNTRACE
};

#define PERMIT_ROLE(r) (1u << (r))
#define PERMIT_ALL_ROLES ((1u << ROLES) - 1)

struct permit {
	const char *command; /* whole words */
	enum permit_right right;
	enum permit_way way;
	enum query_what what;
	uint32_t roles; /* of PERMIT_ROLE() */
	const char *arg; /* goes before the caller's arguments, or NULL */
};

/* NULL for a command that does not exist. */
const struct permit *permit_find(const char *command);

#endif

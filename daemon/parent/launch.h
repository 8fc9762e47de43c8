/*
 * launch - executes the roles and introduces them to one another
 */
#ifndef DAEMON_PARENT_LAUNCH_H
#define DAEMON_PARENT_LAUNCH_H

#include <sys/types.h>

#include "daemon/conf/conf.h"
#include "daemon/parent/binding.h"
#include "daemon/parent/keyfile.h"
#include "daemon/proc/peer.h"

/* Executes program with -x ROLE; *fd gets our end of its socket pair.
 * -1 with errno. */
pid_t launch_role(
    const char *program, enum role who, const struct conf *c, int *fd);

/* The steps of configuring, in this order; at a reload all but introducing. -1
 * with errno. */

/* Sends the spooler what k holds, which is empty afterwards. */
void launch_secrets(struct peer *to, struct keyfile *k);

/* Sends a role the slice of c that it may see. */
int launch_slice(struct peer *to, enum role who, const struct conf *c);
/* Joins each pair of roles that converse. */
int launch_introduce(struct peer *const peers[ROLES]);
/* Sends a role its listening sockets, and GO. */
int launch_go(struct peer *to, enum role who, const struct binding *b);

#endif

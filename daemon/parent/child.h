/*
 * child - delivery agents, started by the parent as their users
 *
 * Answers the mda's AGENT_RUN and AGENT_KILL (daemon/edge/agent.h). The agent
 * is the program smtpd-agent, executed with an argument vector, a fixed
 * environment, descriptors 0 and 2 on the socket pair and 1 on /dev/null, in a
 * session of its own. As root it becomes the user first, groups included.
 */
#ifndef DAEMON_PARENT_CHILD_H
#define DAEMON_PARENT_CHILD_H

#include <sys/types.h>

#include <stdbool.h>

#include "daemon/conf/conf.h"
#include "daemon/proc/peer.h"

struct children;

/* path: of smtpd-agent. privileged: whether the daemon runs as root. */
struct children *children_new(const char *path, bool privileged);
/* What may be asked for, from now on: c is lent. NULL: anything. */
void children_set_conf(struct children *c, const struct conf *conf);
/* The connection answers go to; set again after the roles were restarted. */
void children_set_peer(struct children *c, struct peer *mda);
/* Handlers for the parent's table of the mda: arg is the struct children. */
int children_on_run(void *arg, struct message *m);
int children_on_kill(void *arg, struct message *m);
/* From SIGCHLD: true when pid was one of these. */
bool children_reap(struct children *c, pid_t pid, int status);
void children_kill_all(struct children *c); /* at stop, and when mda died */
void children_free(struct children *c);

#endif

/*
 * scheduler - the role that decides when which envelope is tried
 *
 * Holds the agenda and nothing else; talks to the spooler (plan.h), and to
 * control for the operator's verbs.
 */
#ifndef DAEMON_SCHEDULER_SCHEDULER_H
#define DAEMON_SCHEDULER_SCHEDULER_H

#include "daemon/proc/proc.h"

extern const struct proc_role scheduler_role;

#endif

/*
 * control - the role behind the control socket
 *
 * Takes tools in, holds what they ask against permit's table and their
 * credentials, has the owning roles answer, and fans trace lines out. It knows
 * nothing of queues itself. At most 32 callers; a slow one costs at most a
 * slice of rows.
 */
#ifndef DAEMON_CONTROL_CONTROL_H
#define DAEMON_CONTROL_CONTROL_H

#include "daemon/proc/proc.h"

extern const struct proc_role control_role;

#endif

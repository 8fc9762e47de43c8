/*
 * mta - the role that carries mail to other hosts
 */
#ifndef DAEMON_MTA_MTA_H
#define DAEMON_MTA_MTA_H

#include "daemon/proc/proc.h"

extern const struct proc_role mta_role;

#endif

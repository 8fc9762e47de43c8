/*
 * dns - the role that resolves names for the others
 */
#ifndef DAEMON_DNS_DNS_H
#define DAEMON_DNS_DNS_H

#include "daemon/proc/proc.h"

extern const struct proc_role dns_role;

#endif

/*
 * lookup - the role that says where mail goes
 *
 * Holds rules, tables, aliases and the list of users, and answers what smtp
 * asks of every RCPT and the spooler of its bounces (daemon/edge/ask.h). It
 * keeps nothing between two questions but what tables and users hold; a
 * question is answered in the turn it comes.
 */
#ifndef DAEMON_LOOKUP_LOOKUP_H
#define DAEMON_LOOKUP_LOOKUP_H

#include "daemon/proc/proc.h"

extern const struct proc_role lookup_role;

#endif

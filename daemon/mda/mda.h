/*
 * mda - the role that delivers mail on this machine
 *
 * Every envelope of a task becomes a delivery of its own: an agent started by
 * the parent as the user, fed from the spooler, one outcome.
 */
#ifndef DAEMON_MDA_MDA_H
#define DAEMON_MDA_MDA_H

#include "daemon/proc/proc.h"

extern const struct proc_role mda_role;

#endif

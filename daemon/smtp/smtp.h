/*
 * smtp - the role that takes mail in
 *
 * Accepts clients on the listeners' sockets and speaks SMTP with them; asks
 * lookup about recipients and hands messages to the spooler. It keeps nothing:
 * what was not committed is gone with it.
 */
#ifndef DAEMON_SMTP_SMTP_H
#define DAEMON_SMTP_SMTP_H

#include "daemon/proc/proc.h"

extern const struct proc_role smtp_role;

#endif

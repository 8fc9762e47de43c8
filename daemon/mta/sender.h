/*
 * sender - `as`: another envelope sender, whole or in part; pure
 */
#ifndef DAEMON_MTA_SENDER_H
#define DAEMON_MTA_SENDER_H

#include "lib/mail/addr.h"

/* as: user@domain, user, @domain or NULL. The null sender stays what it is:
 * a bounce must not be answered (RFC 5321 section 4.5.5). */
void sender_as(struct addr *from, const char *as);

#endif

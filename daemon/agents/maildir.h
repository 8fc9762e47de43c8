/*
 * maildir - delivers one message into a maildir
 *
 * Written under a unique name in tmp/, flushed, renamed into new/, and the
 * directory flushed: what is in new/ is whole and stays.
 */
#ifndef DAEMON_AGENTS_MAILDIR_H
#define DAEMON_AGENTS_MAILDIR_H

#include "daemon/agents/letter.h"
#include "daemon/agents/verdict.h"

/* home may be NULL. -1: see v; nothing of the message is left behind. */
int maildir_deliver(
    const char *path, const char *home, struct letter *l, struct verdict *v);

#endif

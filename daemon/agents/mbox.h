/*
 * mbox - appends one message to a mailbox file (RFC 4155, quoted as mboxrd)
 *
 * Under a dot lock where the directory lets us make one, flock() and
 * fcntl(). Whatever goes wrong, the file is cut back to the length it had.
 */
#ifndef DAEMON_AGENTS_MBOX_H
#define DAEMON_AGENTS_MBOX_H

#include "daemon/agents/letter.h"
#include "daemon/agents/verdict.h"

/* home may be NULL. -1: see v; nothing of the message is left behind. */
int mbox_deliver(
    const char *path, const char *home, struct letter *l, struct verdict *v);

#endif

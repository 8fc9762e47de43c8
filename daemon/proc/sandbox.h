/*
 * sandbox - what a role gives up for good once it has started as root
 *
 * One file per system: sandbox_linux.c, sandbox_none.c; the Makefile chooses.
 */
#ifndef DAEMON_PROC_SANDBOX_H
#define DAEMON_PROC_SANDBOX_H

/* No new privileges by exec, and no core or ptrace of what it holds. */
void sandbox_enter(void);

/* No core and no ptrace, for a role that is about to hold a secret. */
void sandbox_hide(void);

#endif

/*
 * reload - reads a changed configuration for a running daemon
 */
#ifndef DAEMON_PARENT_RELOAD_H
#define DAEMON_PARENT_RELOAD_H

#include "daemon/conf/conf.h"

/* NULL after every error was logged: a syntax error, or a change of what only
 * a restart can change (spool, control). Keeps the command line's flags. */
struct conf *reload_read(const char *path, const struct conf *current);

#endif

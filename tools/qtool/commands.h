/*
 * commands - what runs each command, a file each
 */
#ifndef TOOLS_QTOOL_COMMANDS_H
#define TOOLS_QTOOL_COMMANDS_H

#include "tools/qtool/qtool.h"

int list_run(struct qtool *t, int argc, char *argv[]);
int lockstatus_run(struct qtool *t, int argc, char *argv[]);

#endif

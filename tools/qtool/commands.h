/*
 * commands - the words of qtool, and what runs them: a file each
 */
#ifndef TOOLS_QTOOL_COMMANDS_H
#define TOOLS_QTOOL_COMMANDS_H

#include <stddef.h>

#include "tools/qtool/qtool.h"

extern const struct grammar_command commands[];
extern const size_t ncommands;

int list_run(struct qtool *t, int argc, char *argv[]);
int lockstatus_run(struct qtool *t, int argc, char *argv[]);

#endif

/*
 * commands - the words of qtool, and what runs them: a file each
 */
#ifndef TOOLS_QTOOL_COMMANDS_H
#define TOOLS_QTOOL_COMMANDS_H

#include <stddef.h>

#include "tools/qtool/qtool.h"

extern const struct grammar_command commands[];
extern const size_t ncommands;

int cat_run(struct qtool *t, int argc, char *argv[]);
int count_run(struct qtool *t, int argc, char *argv[]);
int diff_run(struct qtool *t, int argc, char *argv[]);
int doctor_run(struct qtool *t, int argc, char *argv[]);
int list_run(struct qtool *t, int argc, char *argv[]);
int verify_run(struct qtool *t, int argc, char *argv[]);
int repair_run(struct qtool *t, int argc, char *argv[]);
int convert_run(struct qtool *t, int argc, char *argv[]);
int gc_run(struct qtool *t, int argc, char *argv[]);
int keylist_run(struct qtool *t, int argc, char *argv[]);
int keynew_run(struct qtool *t, int argc, char *argv[]);
int keyrotate_run(struct qtool *t, int argc, char *argv[]);
int keyretire_run(struct qtool *t, int argc, char *argv[]);
int keytest_run(struct qtool *t, int argc, char *argv[]);
int lockstatus_run(struct qtool *t, int argc, char *argv[]);
int shape_run(struct qtool *t, int argc, char *argv[]);
int stat_run(struct qtool *t, int argc, char *argv[]);

#endif

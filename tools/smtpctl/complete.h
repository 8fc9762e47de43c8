/*
 * complete - scripts by which shells complete the words of smtpctl
 *
 * Made from the table of commands, so they know what this program knows. No
 * daemon is asked.
 */
#ifndef TOOLS_SMTPCTL_COMPLETE_H
#define TOOLS_SMTPCTL_COMPLETE_H

#include "tools/smtpctl/words.h"

int complete_run(
    struct session *s, const struct action *a, int argc, char *const argv[]);

#endif

/*
 * sorted - answers of several roles, in an order that stays
 *
 * Roles answer as they come to it. What is looked at again and again should
 * not move: the rows are gathered, a few hundred at most, and sorted by name.
 */
#ifndef TOOLS_SMTPCTL_SORTED_H
#define TOOLS_SMTPCTL_SORTED_H

#include "tools/smtpctl/words.h"

int sorted_run(
    struct session *s, const struct action *a, int argc, char *const argv[]);

#endif

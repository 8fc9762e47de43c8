/*
 * request - commands that are asked and answered
 */
#ifndef TOOLS_SMTPCTL_REQUEST_H
#define TOOLS_SMTPCTL_REQUEST_H

#include "tools/smtpctl/words.h"

/* Asks the daemon and shows what comes; many ids are sent in batches. */
int request_run(
    struct session *s, const struct action *a, int argc, char *const argv[]);

#endif

/*
 * details - show envelope: envelopes wholly
 *
 * People get the text that is in the spool; with -j it becomes an object with
 * the names that show queue uses. An id may name several envelopes, so they
 * are listed first and then asked for one by one.
 */
#ifndef TOOLS_SMTPCTL_DETAILS_H
#define TOOLS_SMTPCTL_DETAILS_H

#include "tools/smtpctl/words.h"

int details_run(
    struct session *s, const struct action *a, int argc, char *const argv[]);

#endif

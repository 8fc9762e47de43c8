/*
 * stream - trace and profile: lines until ^C, a count or a time
 */
#ifndef TOOLS_SMTPCTL_STREAM_H
#define TOOLS_SMTPCTL_STREAM_H

#include "tools/smtpctl/words.h"

int stream_trace(
    struct session *s, const struct action *a, int argc, char *const argv[]);
int stream_untrace(
    struct session *s, const struct action *a, int argc, char *const argv[]);
/* As trace, and then a table of costs. */
int stream_profile(
    struct session *s, const struct action *a, int argc, char *const argv[]);

#endif

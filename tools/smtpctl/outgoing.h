/*
 * outgoing - commands about mail on its way out
 *
 * Lists with their reasons, pauses that end by themselves, and the two that
 * are put together from answers of several roles: explain asks lookup which
 * rule decides and then the mta about each place; why asks the spooler about
 * an envelope and then the mta about its relay.
 */
#ifndef TOOLS_SMTPCTL_OUTGOING_H
#define TOOLS_SMTPCTL_OUTGOING_H

#include "tools/smtpctl/words.h"

/* --why goes along as an argument. */
int outgoing_list(
    struct session *s, const struct action *a, int argc, char *const argv[]);
int outgoing_pause(
    struct session *s, const struct action *a, int argc, char *const argv[]);
int outgoing_explain(
    struct session *s, const struct action *a, int argc, char *const argv[]);
int outgoing_why(
    struct session *s, const struct action *a, int argc, char *const argv[]);

#endif

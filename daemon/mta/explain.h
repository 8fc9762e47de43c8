/*
 * explain - what mail for an address would do now, and wait for
 *
 * Nothing is sent: the same decisions are asked for as for mail. Where the
 * hosts of a name are not known, or no longer, the DNS is asked first and the
 * answer comes later, at the latest after EXPLAIN_WAIT_S.
 */
#ifndef DAEMON_MTA_EXPLAIN_H
#define DAEMON_MTA_EXPLAIN_H

#include "daemon/mta/show.h"

#define EXPLAIN_WAIT_S 30

struct explains;
struct manners;

/* Registers its answer; what is given is lent for good. */
struct explains *explain_start(
    const struct show_env *env, const struct manners *manners);
/* The DNS has answered something: what waited for it goes on. */
void explain_look(struct explains *x);

#endif

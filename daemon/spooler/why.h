/*
 * why - what an envelope itself says of why it is still here
 *
 * One row an envelope, with the cause as a word and as a sentence, and the
 * times of the attempts that are to come. What its destination waits for is
 * known to the mta, which is asked next.
 */
#ifndef DAEMON_SPOOLER_WHY_H
#define DAEMON_SPOOLER_WHY_H

#include "daemon/proc/answer.h"

/* QUERY_WHY; arg is the spooler. */
int why_on_ask(void *arg, struct answer *a, const struct query_ask *q,
    struct unpack *args);

#endif

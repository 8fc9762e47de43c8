/*
 * uncorrupt - what was set aside comes back
 */
#ifndef DAEMON_SPOOLER_UNCORRUPT_H
#define DAEMON_SPOOLER_UNCORRUPT_H

#include "daemon/edge/query.h"
#include "daemon/proc/answer.h"

int uncorrupt_on_ask(void *arg, struct answer *a, const struct query_ask *q,
    struct unpack *args);

#endif

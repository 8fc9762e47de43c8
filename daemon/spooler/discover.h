/*
 * discover - takes in what a person changed or put into the queue's files
 */
#ifndef DAEMON_SPOOLER_DISCOVER_H
#define DAEMON_SPOOLER_DISCOVER_H

#include "daemon/proc/answer.h"

/* QUERY_DISCOVER: envelope or message ids; arg is the struct spooler. An edit
 * made of the generation in memory is taken and bumps it; an older one is
 * refused. Unknown ids are looked for in the tree. */
int discover_on_ask(void *arg, struct answer *a, const struct query_ask *q,
    struct unpack *args);

#endif

/*
 * steer - an operator's verbs: hold, release, schedule, remove
 *
 * One at a time: the spooler makes it durable, then the agenda changes and the
 * caller is answered. While one is under way nothing may become due, or an
 * envelope could be given out that the spool is about to remove.
 */
#ifndef DAEMON_SCHEDULER_STEER_H
#define DAEMON_SCHEDULER_STEER_H

#include <stdbool.h>

#include "daemon/proc/answer.h"
#include "daemon/proc/peer.h"
#include "daemon/scheduler/agenda.h"

struct steer;

/* idle runs each time that a verb has ended. */
struct steer *steer_new(
    struct agenda *a, struct peer *spooler, void (*idle)(void *arg), void *arg);
bool steer_busy(const struct steer *s);
/* Begins the next of the verbs that wait, when none is under way. */
void steer_next(struct steer *s);

/* As in struct answer_entry. */
int steer_ask(struct steer *s, struct answer *a, const struct query_ask *q,
    struct unpack *args);
/* PLAN_ENDED; -1 when it does not decode. */
int steer_ended(struct steer *s, struct message *m);

#endif

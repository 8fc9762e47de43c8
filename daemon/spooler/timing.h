/*
 * timing - what the queue's operations cost, as lines of profile queue
 *
 * The library's threads leave their figures in a ring; the role's thread turns
 * them into trace lines. What does not fit between two turns is not counted.
 */
#ifndef DAEMON_SPOOLER_TIMING_H
#define DAEMON_SPOOLER_TIMING_H

#include "queue/queue.h"

void timing_start(struct queue *q);
void timing_flush(void);

#endif

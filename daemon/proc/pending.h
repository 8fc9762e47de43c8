/*
 * pending - questions sent to a peer that await their answers
 *
 * A role parks its context when it asks, and takes it back when the answer
 * comes. The table never grows: full means, stop reading from your clients.
 */
#ifndef DAEMON_PROC_PENDING_H
#define DAEMON_PROC_PENDING_H

#include <stdint.h>

struct pending;

struct pending *pending_new(uint16_t cap);
void pending_free(struct pending *p); /* parked contexts stay the caller's */

/* Lends ctx to the table. Returns its ticket, or 0 when the table is full. */
uint32_t pending_park(struct pending *p, void *ctx);

/* Hands a context back, once; NULL for an unknown or a used ticket. */
void *pending_take(struct pending *p, uint32_t ticket);

#endif

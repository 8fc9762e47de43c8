/*
 * notify - failures of one message become one bounce, after a short wait
 *
 * The bounce is routed by the rules for its recipient (lookup), and committed
 * by an act that also ends the failures it reports: neither is ever without
 * the other.
 */
#ifndef DAEMON_SPOOLER_NOTIFY_H
#define DAEMON_SPOOLER_NOTIFY_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/proc/peer.h"

struct spooler;

struct notify *notify_new(struct spooler *s);
/* An envelope of this message is in state failed. */
void notify_failed(struct spooler *s, uint64_t msgid);

#define NOTIFY_HANDLERS 1
extern const struct handler notify_handlers[NOTIFY_HANDLERS]; /* of lookup */

#endif

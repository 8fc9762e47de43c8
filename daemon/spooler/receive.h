/*
 * receive - transactions that smtp hands over (daemon/edge/intake.h)
 *
 * An envelope text is read and held against what it must be; bodies go to the
 * queue library as they come; a commit is answered once it is on disk.
 */
#ifndef DAEMON_SPOOLER_RECEIVE_H
#define DAEMON_SPOOLER_RECEIVE_H

#include <stddef.h>

#include "daemon/proc/peer.h"

struct spooler;

struct receive *receive_new(struct spooler *s);

#define RECEIVE_HANDLERS 5
extern const struct handler receive_handlers[RECEIVE_HANDLERS];

#endif

/*
 * image - a changed envelope goes to the index and to the journal
 */
#ifndef DAEMON_SPOOLER_IMAGE_H
#define DAEMON_SPOOLER_IMAGE_H

#include "daemon/spooler/index.h"
#include "lib/mail/envelope.h"

struct spooler;

/* Written in this turn, flushed within a second. One that would be too long
 * loses lines of its history. */
void image_write(struct spooler *s, struct entry *en, struct envelope *e);

#endif

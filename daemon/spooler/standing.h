/*
 * standing - pauses of parts of the outgoing mail that stand across restarts
 *
 * A list and its text, a line for each (spool.5):
 *
 *   relay "example.org" until 2026-12-01T10:00:00Z uid 0 reason "moving house"
 *
 * Pure. Lines that cannot be read are reported and kept as they are, for they
 * are a person's to put right. Bounded by STANDING_MOST pauses.
 */
#ifndef DAEMON_SPOOLER_STANDING_H
#define DAEMON_SPOOLER_STANDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/edge/carry.h"

#define STANDING_MOST 256
#define STANDING_TEXT_MAX (1024u * 1024) /* more is not taken for ours */

struct standing;

struct standing *standing_new(void);
void standing_free(struct standing *st);

/* Takes over what a text says; what it says of one part last holds. */
void standing_read(struct standing *st, const char *text,
    void (*bad)(void *arg, unsigned line, const char *why), void *arg);
/* The text, for the caller to free(). */
char *standing_text(const struct standing *st);

/* A pause, in place of one of the same part and name, or its end. False: there
 * are too many. */
bool standing_steer(struct standing *st, const struct carry_steer *m);
/* Forgets those that are over. */
void standing_expire(struct standing *st, int64_t now);
size_t standing_count(const struct standing *st);
/* The i-th; its texts are lent until the list changes. */
void standing_get(const struct standing *st, size_t i, struct carry_steer *m);

#endif

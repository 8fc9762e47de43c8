/*
 * beside - a file written beside another, then put in its place
 *
 * Temporaries stand in incoming/, which every start sweeps: whatever is left
 * of them after a crash is gone then. They are flushed together before the
 * first takes its place. A batch belongs to one thread.
 */
#ifndef TOOLS_QTOOL_BESIDE_H
#define TOOLS_QTOOL_BESIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/layout.h"

struct beside;

struct beside *beside_new(const struct layout *l);
void beside_free(struct beside *b); /* removes what is not in place */

/*
 * Opens the temporary that is to become file (relative to the spool); the
 * caller closes it when it is written. -1 with errno.
 */
int beside_open(struct beside *b, const char *file);
/* The same with these octets. */
int beside_put(
    struct beside *b, const char *file, const void *data, size_t len);
void beside_drop(struct beside *b); /* the last one */
size_t beside_count(const struct beside *b);

/*
 * Flushes them, asks about each whether it is what it should be (same may be
 * NULL; errno is kept when it says no), and puts them in place. The number put
 * there; fewer than there were: errno and *failed (lent until the next call)
 * tell of the last that was not.
 */
size_t beside_settle(struct beside *b,
    bool (*same)(void *ctx, const char *file, const char *temp), void *ctx,
    const char **failed);

/* Removes what runs that were killed have left. Under the lock only. */
void beside_sweep(const struct layout *l);
/*
 * An empty journal in the place of one that holds nothing any more but what
 * was: old octets are overwritten, so that what is sealed now, or by another
 * key, cannot be read there. -1 with errno.
 */
int beside_renew_journal(const struct layout *l);
/* Flushes the file system of the spool. */
int beside_sync(const struct layout *l);

#endif

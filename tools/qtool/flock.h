/*
 * flock - the envelopes of a message, asked by a selector
 *
 * Each is judged by itself as it comes, or, where a test is about all of a
 * message, when the last of them is there.
 */
#ifndef TOOLS_QTOOL_FLOCK_H
#define TOOLS_QTOOL_FLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/mail/selector.h"
#include "tools/qtool/sight.h"

struct flock;

/* offline: what is ready or deferred is called offline. together: keep them
 * until flock_flush(). judge gets each with the subject to ask. */
struct flock *flock_new(struct view *v, int64_t now, bool offline,
    bool together,
    void (*judge)(void *arg, const struct sight *s,
	const struct selector_subject *subject),
    void *arg);
void flock_add(struct flock *f, const struct view_envelope *ve);
void flock_flush(struct flock *f);
void flock_free(struct flock *f); /* flushes; NULL is accepted */

#endif

/*
 * lines - the text of a table's file, and of an alias's value (pure)
 */
#ifndef DAEMON_CONF_LINES_H
#define DAEMON_CONF_LINES_H

#include <stddef.h>

#define LINES_MAX                                                              \
	(64u * 1024) /* octets of one entry, continued lines and all */

/* Calls fn for each entry in order; value is "" for a key alone. -1 with the
 * reason, naming the line; fn may have been called before. */
int lines_read(const char *text, size_t len,
    void (*fn)(void *arg, const char *key, const char *value), void *arg,
    char *why, size_t why_size);

/* Calls fn for each of "a, b@c, "d e"@f", without the quotes a target does not
 * need. Empty ones are passed over. Ends early with -1 when fn returns -1. */
int lines_targets(
    const char *value, int (*fn)(void *arg, const char *target), void *arg);

#endif

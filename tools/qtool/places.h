/*
 * places - where sealed things stand, besides the buckets
 */
#ifndef TOOLS_QTOOL_PLACES_H
#define TOOLS_QTOOL_PLACES_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/layout.h"

/* The names in a directory, sorted, without those that begin with a dot. NULL
 * with errno when it cannot be read; places_free() takes both. */
char **places_names(const struct layout *l, const char *dir, size_t *n);
void places_free(char **names, size_t n);

/* Every regular file of corrupt/, trash/, state/ and incoming/, by its name
 * relative to the spool. False from each: enough. */
void places_elsewhere(const struct layout *l,
    bool (*each)(void *ctx, const char *file), void *ctx);

#endif

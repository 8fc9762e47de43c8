/*
 * ringfile - the states of the keys, changed in the file of the ring
 *
 * Lines are kept as they are but for the word of the state, so that comments
 * and sealed secrets stay. Written beside with the mode and owner of the old,
 * flushed, and put in its place.
 */
#ifndef TOOLS_QTOOL_RINGFILE_H
#define TOOLS_QTOOL_RINGFILE_H

#include <stddef.h>

#include "queue/keyring.h"

/* A key that becomes active makes the active one readable. -1 with a sentence
 * in err. */
int ringfile_set(const char *path, const char *kid, enum key_state state,
    char *err, size_t errlen);

#endif

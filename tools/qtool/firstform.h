/*
 * firstform - the envelopes of a message in their first form
 *
 * From the record of its file, which must be whole to its last octet.
 */
#ifndef TOOLS_QTOOL_FIRSTFORM_H
#define TOOLS_QTOOL_FIRSTFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/keyring.h"
#include "queue/layout.h"

struct firstform {
	char *record; /* the texts, one after the other; NULL: none */
	size_t len;
	const struct key *key; /* seals what belongs to it; NULL: nothing */
};

/* False with a phrase in why. To be freed in any case. */
bool firstform_read(struct firstform *f, const struct layout *l,
    const struct keyring *keys, uint64_t msgid, const char **why);
void firstform_free(struct firstform *f);
/* The text of one envelope; NULL: the record has none. */
const char *firstform_find(
    const struct firstform *f, uint64_t evpid, size_t *len);
/* From at on, which it moves; NULL: no more. */
const char *firstform_next(
    const struct firstform *f, size_t *at, uint64_t *evpid, size_t *len);

#endif

/*
 * names - what an operator calls a route, a source or a relay
 *
 * A name is turned into the one the engine goes by. One that nothing has is
 * answered with what there is, the nearest first.
 */
#ifndef DAEMON_MTA_NAMES_H
#define DAEMON_MTA_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/edge/carry.h"

struct engine;

enum names_found {
	NAMES_KNOWN,
	NAMES_NEW, /* a relay that no mail was for yet */
	NAMES_NONE /* why says what there is */
};

/* dst: CARRY_NAME_MAX + 1 octets at least. */
enum names_found names_find(const struct engine *e, enum carry_part part,
    const char *given, char *dst, size_t size, char *why, size_t why_size);

#endif

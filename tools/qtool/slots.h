/*
 * slots - the wrapped key of a sealed message, changed where it stands
 *
 * A head has two slots. The new wrapping goes into the one that is not needed,
 * is flushed, takes the place of the old, is flushed, and the other is emptied:
 * at every moment one of them opens. Each is one write of a whole slot into one
 * block. Nothing behind the head is read or written, and the file stays the
 * same file.
 */
#ifndef TOOLS_QTOOL_SLOTS_H
#define TOOLS_QTOOL_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/keyring.h"
#include "queue/message.h"

enum slots_result {
	SLOTS_NOTHING, /* not sealed, or as it should be */
	SLOTS_BEGUN, /* slots_step() is to be called */
	SLOTS_NO_KEY, /* kid is not at hand */
	SLOTS_DAMAGED
};

struct slots {
	int fd; /* the caller's */
	char line[MESSAGE_SLOT + 1]; /* the new one */
	unsigned step; /* the next one */
	char kid[KEYRING_KID + 1]; /* that opens it now */
	const char *why; /* of SLOTS_DAMAGED */
};

#define SLOTS_STEPS 3u

/* Looks at the head and makes the new wrapping. */
enum slots_result slots_begin(
    struct slots *s, int fd, const struct keyring *keys, const struct key *to);
/* Takes the next step, after the one before was flushed; -1 with errno. What
 * needs no step costs nothing. Done when step is SLOTS_STEPS. */
int slots_step(struct slots *s);

#endif

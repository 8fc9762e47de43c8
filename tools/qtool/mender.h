/*
 * mender - does what mend decided
 *
 * Works under the lock of the spool. Every act leaves the spool whole at each
 * of its steps: what takes a file's place is written and flushed beside it
 * before, and what was there is kept in corrupt/.
 */
#ifndef TOOLS_QTOOL_MENDER_H
#define TOOLS_QTOOL_MENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/keyring.h"
#include "queue/layout.h"
#include "tools/qtool/mend.h"

#define MENDER_SAID 320

struct mender {
	const struct layout *layout;
	struct keyring *keys; /* NULL: none */
	int64_t now;
	int aside; /* directory for what is set aside; -1: corrupt/ */
	const char *aside_name; /* of it, for people; NULL: corrupt */
	bool dry; /* only says what it would do */
};

enum mender_result {
	MENDER_DONE,
	MENDER_LEFT, /* said tells what a person must do */
	MENDER_FAILED, /* errno; said tells at what */
	MENDER_RESULTS
};

/* said gets what was done, or would be; what->act becomes MEND_ASIDE where what
 * was planned cannot be done. */
enum mender_result mender_do(
    const struct mender *m, struct mend *what, char said[MENDER_SAID]);
/* Flushes all that was done. */
int mender_sync(const struct mender *m);

#endif

/*
 * dial - mta has the parent connect to a unix socket
 *
 * The mta's root directory is empty, so it reaches no path. The parent connects
 * along paths that a relay of the configuration names (lmtp:///PATH), and
 * passes the descriptor; it neither reads nor writes there.
 */
#ifndef DAEMON_EDGE_DIAL_H
#define DAEMON_EDGE_DIAL_H

#include "lib/proto/pack.h"

enum dial_type {
	DIAL_OPEN = 0x0a00,
	DIAL_OPENED
};

struct dial_open {
	uint32_t ticket;
	const char *path;
};
struct dial_opened { /* with a descriptor when error is 0 */
	uint32_t ticket;
	uint32_t error; /* errno */
};

void dial_open_put(struct buf *b, const struct dial_open *m);
int dial_open_get(struct unpack *u, struct dial_open *m);
void dial_opened_put(struct buf *b, const struct dial_opened *m);
int dial_opened_get(struct unpack *u, struct dial_opened *m);

#endif

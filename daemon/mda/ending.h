/*
 * ending - what an agent's end means for the envelope
 *
 * Pure. The sysexits that nobody can mend by waiting are permanent; all else,
 * also a signal or a code nobody knows, is temporary: mail is kept.
 */
#ifndef DAEMON_MDA_ENDING_H
#define DAEMON_MDA_ENDING_H

#include <stdint.h>

#include "daemon/edge/carry.h"

#define ENDING_STATUS_MAX 640

struct ending {
	enum carry_result result;
	char status[ENDING_STATUS_MAX]; /* a reply: "250 2.0.0 ..." */
};

/* status as of waitpid(); said: what it wrote, of which the first line counts;
 * it may begin with an enhanced code. */
void ending_of_exit(
    struct ending *e, int64_t status, const char *said, const char *agent);
/* It was not started. The reason may begin with an enhanced code. */
void ending_of_start(struct ending *e, const char *error);
/* Ours: a reply with its codes, by whose first digit it is told. */
void ending_of_reply(struct ending *e, const char *reply);

#endif

/*
 * errand - one request of a caller, while roles answer it
 *
 * Knows which roles have still to end their answers, and makes one end of
 * theirs: the worst status, sums, and what they had to say. Pure.
 */
#ifndef DAEMON_CONTROL_ERRAND_H
#define DAEMON_CONTROL_ERRAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conf/role.h"
#include "daemon/edge/query.h"

#define ERRAND_TEXT 1024

struct errand {
	uint32_t awaited; /* roles, as bits; 0: no errand */
	uint8_t status;
	uint64_t done, skipped;
	char text[ERRAND_TEXT];
	size_t taken[ROLES]; /* octets of rows since the role's last MORE */
};

void errand_begin(struct errand *e, uint32_t roles);
/* False when that role was not awaited. */
bool errand_answered(
    struct errand *e, enum role who, const struct query_end *end);
/* Those who did not answer in time are no longer awaited, and named. */
void errand_give_up(struct errand *e);

#endif

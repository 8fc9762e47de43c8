/*
 * watch - which subsystems are traced, and how many ask for it
 *
 * A subsystem is on while a caller reads its lines, or since it was switched
 * on for the log. Pure: control tells the roles when the mask has changed.
 */
#ifndef DAEMON_CONTROL_WATCH_H
#define DAEMON_CONTROL_WATCH_H

#include <stdint.h>

#include "lib/base/log.h"

struct watch {
	uint32_t sticky; /* on for the log */
	uint16_t readers[TRACE_SUBS];
};

#define WATCH_ALL ((UINT32_C(1) << TRACE_SUBS) - 1)
#define WATCH_PROFILES                                                         \
	(UINT32_C(1) << TRACE_PROFILE_IMSG | UINT32_C(1) << TRACE_PROFILE_QUEUE)

/* A subsystem by name, "all" for those that are no profile; 0: unknown. */
uint32_t watch_by_name(const char *name);

void watch_join(struct watch *w, uint32_t mask);
void watch_leave(struct watch *w, uint32_t mask);
uint32_t watch_mask(const struct watch *w);

#endif

#include "daemon/control/watch.h"

#include <assert.h>
#include <string.h>

uint32_t
watch_by_name(const char *name)
{
	int sub;

	if (strcmp(name, "all") == 0)
		return WATCH_ALL & ~WATCH_PROFILES;
	sub = trace_by_name(name);
	return sub == -1 ? 0 : UINT32_C(1) << sub;
}

void
watch_join(struct watch *w, uint32_t mask)
{
	unsigned i;

	for (i = 0; i < TRACE_SUBS; i++)
		if (mask & UINT32_C(1) << i)
			w->readers[i]++;
}

void
watch_leave(struct watch *w, uint32_t mask)
{
	unsigned i;

	for (i = 0; i < TRACE_SUBS; i++) {
		if (mask & UINT32_C(1) << i) {
			assert(w->readers[i] > 0);
			w->readers[i]--;
		}
	}
}

uint32_t
watch_mask(const struct watch *w)
{
	uint32_t mask = w->sticky;
	unsigned i;

	for (i = 0; i < TRACE_SUBS; i++)
		if (w->readers[i] > 0)
			mask |= UINT32_C(1) << i;
	return mask;
}

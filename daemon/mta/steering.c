#include "daemon/mta/steering.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"

struct steering *
steering_find(
    const struct steerings *all, enum carry_part part, const char *name)
{
	struct steering *s;

	TAILQ_FOREACH(s, all, entry)
		if (s->part == part && strcasecmp(s->name, name) == 0)
			return s;
	return NULL;
}

struct steering *
steering_put(struct steerings *all, enum carry_part part, const char *name,
    int64_t until, uint32_t uid, const char *reason)
{
	struct steering *s = steering_find(all, part, name);

	if (s == NULL) {
		s = mem_zalloc(sizeof(*s));
		s->part = part;
		s->name = mem_strdup(name);
		TAILQ_INSERT_TAIL(all, s, entry);
	}
	s->until = until;
	s->uid = uid;
	free(s->reason);
	s->reason = mem_strdup(reason);
	return s;
}

void
steering_drop(struct steerings *all, struct steering *s)
{
	TAILQ_REMOVE(all, s, entry);
	free(s->name);
	free(s->reason);
	free(s);
}

bool
steering_holds(const struct steering *s, int64_t wall)
{
	return s != NULL && (s->until == 0 || s->until > wall);
}

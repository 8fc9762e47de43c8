#include "daemon/spooler/unusable.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/hmap.h"
#include "lib/base/mem.h"

/* Until the entry has another error, or the flag no more. */
struct note {
	uint64_t evpid;
	char why[64]; /* the beginning of its error */
};

struct unusable {
	struct hmap *notes; /* by evpid */
};

struct unusable *
unusable_new(void)
{
	struct unusable *u = mem_zalloc(sizeof(*u));

	u->notes = hmap_new();
	return u;
}

void
unusable_note(struct unusable *u, const struct entry *en)
{
	struct note *n = hmap_get(u->notes, en->evpid);

	if (n == NULL) {
		n = mem_zalloc(sizeof(*n));
		n->evpid = en->evpid;
		hmap_put(u->notes, n->evpid, n);
	}
	strlcpy(n->why, en->error, sizeof(n->why));
}

static bool
holds(const struct note *n, const struct entry *en)
{
	if (en == NULL)
		return false;
	return (en->flags & ENTRY_BROKEN) != 0 ||
	    strncmp(en->error, n->why, strlen(n->why)) == 0;
}

size_t
unusable_count(struct unusable *u, const struct index *ix)
{
	struct note *n, **stale;
	size_t at, count = 0, i;

	if (hmap_count(u->notes) == 0)
		return 0;
	stale = mem_zarray(hmap_count(u->notes), sizeof(struct note *));
	HMAP_FOREACH(n, u->notes, at)
		if (!holds(n, index_find(ix, n->evpid)))
			stale[count++] = n;
	for (i = 0; i < count; i++) {
		hmap_del(u->notes, stale[i]->evpid);
		free(stale[i]);
	}
	free(stale);
	return hmap_count(u->notes);
}

#include "regress/qcrash/table.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

static size_t
place(const struct table *t, uint64_t key)
{
	size_t at = (size_t)(key ^ key >> 29) & (t->slots - 1);

	while (t->keys[at] != 0 && t->keys[at] != key)
		at = (at + 1) & (t->slots - 1);
	return at;
}

static void
grow(struct table *t)
{
	struct table old = *t;
	size_t i, at;

	t->slots = old.slots == 0 ? 4096 : old.slots * 2;
	t->keys = mem_zarray(t->slots, sizeof(*t->keys));
	t->values = t->valued ? mem_zarray(t->slots, sizeof(*t->values)) : NULL;
	for (i = 0; i < old.slots; i++) {
		if (old.keys[i] == 0)
			continue;
		at = place(t, old.keys[i]);
		t->keys[at] = old.keys[i];
		if (t->valued)
			t->values[at] = old.values[i];
	}
	free(old.keys);
	free(old.values);
}

void
table_clear(struct table *t)
{
	size_t i;

	for (i = 0; t->valued && i < t->slots; i++)
		free(t->values[i]);
	free(t->keys);
	free(t->values);
	memset(t, 0, sizeof(*t));
}

bool
table_add(struct table *t, uint64_t key, void *value)
{
	size_t at;

	key = key == 0 ? 1 : key;
	if (t->count * 2 >= t->slots)
		grow(t);
	at = place(t, key);
	if (t->keys[at] != 0)
		return false;
	t->keys[at] = key;
	if (t->valued)
		t->values[at] = value;
	t->count++;
	return true;
}

void *
table_get(const struct table *t, uint64_t key)
{
	size_t at;

	if (t->slots == 0)
		return NULL;
	at = place(t, key == 0 ? 1 : key);
	return t->keys[at] == 0 ? NULL : t->values[at];
}

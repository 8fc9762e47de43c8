#include "daemon/scheduler/lane.h"

#include <stddef.h>
#include <string.h>

static uint64_t
key_of(const void *place)
{
	const struct group *g = place;

	return g->key;
}

void
lane_init(struct lane *l)
{
	memset(l, 0, sizeof(*l));
	l->total = l->per_key = UINT32_MAX / 2;
	slab_init(&l->slab, sizeof(struct group));
	finder_init(&l->by_key, &l->slab, key_of, offsetof(struct group, link));
}

void
lane_free(struct lane *l)
{
	finder_free(&l->by_key);
	slab_free(&l->slab);
}

uint32_t
lane_of_key(struct lane *l, uint32_t key)
{
	uint32_t i = finder_find(&l->by_key, key);

	if (i != 0)
		return i;
	i = slab_take(&l->slab);
	lane_group(l, i)->key = key;
	finder_add(&l->by_key, i);
	return i;
}

uint32_t
lane_ready(const struct lane *l, uint32_t key)
{
	uint32_t i = finder_find(&l->by_key, key);

	return i == 0 ? 0 : lane_group(l, i)->ready;
}

void
lane_drop_if_idle(struct lane *l, uint32_t i)
{
	const struct group *g = lane_group(l, i);

	if (g->ready > 0 || g->flying > 0)
		return;
	finder_del(&l->by_key, i);
	slab_put(&l->slab, i);
}

/* Just before the one whose turn it is. */
void
lane_join(struct lane *l, uint32_t i)
{
	struct group *g = lane_group(l, i), *turn;

	l->groups++;
	if (l->turn == 0) {
		l->turn = g->next = g->prev = i;
		return;
	}
	turn = lane_group(l, l->turn);
	g->next = l->turn;
	g->prev = turn->prev;
	lane_group(l, turn->prev)->next = i;
	turn->prev = i;
}

void
lane_leave(struct lane *l, uint32_t i)
{
	struct group *g = lane_group(l, i);

	l->groups--;
	if (g->next == i) {
		l->turn = 0;
		return;
	}
	lane_group(l, g->prev)->next = g->next;
	lane_group(l, g->next)->prev = g->prev;
	if (l->turn == i)
		l->turn = g->next;
}

/*
 * How many of the group may go now. A tenth of the window is kept for keys that
 * have but a few in flight; of the rest a key has at most twice as many in
 * flight as it leaves. So destinations that take their mail slowly or not at
 * all, one after another, always leave room for yet others; and what becomes
 * free goes to those who have little.
 */
static uint32_t
room_of(const struct lane *l, const struct group *g)
{
	uint32_t few = l->total / 512 + 1, spare = l->total / 10;
	uint32_t left, share = 0;

	if (l->flying >= l->total || (l->groups > 1 && g->flying >= l->per_key))
		return 0;
	left = l->total - l->flying;
	/* The largest n with flying + n <= 2 * (left - spare - n), rounded up. */
	if (left > spare && 2 * (left - spare) > g->flying)
		share = (2 * (left - spare) - g->flying + 2) / 3;
	if (g->flying < few && share < few - g->flying)
		share = few - g->flying;
	if (l->groups > 1 && share > l->per_key - g->flying)
		share = l->per_key - g->flying;
	return share < left ? share : left;
}

/* The groups at their limit, which are passed over, are no more than a few
 * hundred: each has a few in flight, or as many as one key may have. */
struct group *
lane_next(struct lane *l, uint32_t *room)
{
	struct group *g;
	uint32_t left;

	for (left = l->groups; left > 0; left--) {
		g = lane_group(l, l->turn);
		*room = room_of(l, g);
		if (*room == 0 && l->flying >= l->total)
			return NULL;
		l->turn = g->next;
		if (*room > 0)
			return g;
	}
	return NULL;
}

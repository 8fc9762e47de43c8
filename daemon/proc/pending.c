#include "daemon/proc/pending.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/base/mem.h"

struct pending {
	uint16_t cap;
	uint16_t free; /* head of the free places, cap: none */
	struct slot {
		void *ctx; /* NULL: free */
		uint16_t round; /* moves at each use, so a late answer misses */
		uint16_t next; /* free place after this one */
	} slots[];
};

/* Never 0: the low half is the slot's place counted from one. */
static uint32_t
ticket_of(const struct pending *p, uint16_t i)
{
	return (uint32_t)p->slots[i].round << 16 | (i + 1u);
}

struct pending *
pending_new(uint16_t cap)
{
	struct pending *p = mem_zalloc(sizeof(*p) + cap * sizeof(p->slots[0]));
	uint16_t i;

	p->cap = cap;
	for (i = 0; i < cap; i++)
		p->slots[i].next = (uint16_t)(i + 1);
	return p;
}

void
pending_free(struct pending *p)
{
	free(p);
}

uint32_t
pending_park(struct pending *p, void *ctx)
{
	uint16_t i = p->free;

	assert(ctx != NULL);
	if (i == p->cap)
		return 0;
	p->free = p->slots[i].next;
	p->slots[i].ctx = ctx;
	p->slots[i].round++;
	return ticket_of(p, i);
}

void *
pending_take(struct pending *p, uint32_t ticket)
{
	uint16_t i = (uint16_t)((ticket & 0xffff) - 1);
	void *ctx;

	if (i >= p->cap || ticket_of(p, i) != ticket)
		return NULL;
	ctx = p->slots[i].ctx;
	if (ctx == NULL)
		return NULL;
	p->slots[i].ctx = NULL;
	p->slots[i].next = p->free;
	p->free = i;
	return ctx;
}

#include "daemon/spooler/parcel.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

#define STEP 16
#define LARGEST 1024 /* more comes from the heap */
#define CHUNK (1u << 20)

struct piece {
	SLIST_ENTRY(piece) next;
};

struct chunk {
	SLIST_ENTRY(chunk) next;
	_Alignas(max_align_t) char octets[];
};

struct parcels {
	SLIST_HEAD(piece_list, piece) free[LARGEST / STEP + 1]; /* by size */
	SLIST_HEAD(chunk_list, chunk) chunks;
	size_t used; /* octets of the first chunk */
	size_t live;
};

struct parcels *
parcels_new(void)
{
	return mem_zalloc(sizeof(struct parcels));
}

static size_t
class_of(size_t size)
{
	return (size + STEP - 1) / STEP;
}

static void *
cut(struct parcels *p, size_t size)
{
	struct chunk *c = SLIST_FIRST(&p->chunks);

	if (c == NULL || CHUNK - p->used < size) {
		c = mem_zalloc(sizeof(*c) + CHUNK);
		SLIST_INSERT_HEAD(&p->chunks, c, next);
		p->used = 0;
	}
	p->used += size;
	return c->octets + p->used - size;
}

void *
parcels_take(struct parcels *p, size_t size)
{
	size_t k = class_of(size);
	struct piece *piece;

	if (size > LARGEST)
		return mem_zalloc(size);
	p->live++;
	piece = SLIST_FIRST(&p->free[k]);
	if (piece == NULL)
		return cut(p, k * STEP);
	SLIST_REMOVE_HEAD(&p->free[k], next);
	memset(piece, 0, k * STEP);
	return piece;
}

static void
free_all(struct parcels *p)
{
	struct chunk *c;

	while ((c = SLIST_FIRST(&p->chunks)) != NULL) {
		SLIST_REMOVE_HEAD(&p->chunks, next);
		free(c);
	}
	memset(p, 0, sizeof(*p));
}

void
parcels_free(struct parcels *p)
{
	free_all(p);
	free(p);
}

void
parcels_put(struct parcels *p, void *memory, size_t size)
{
	struct piece *piece = memory;

	if (size > LARGEST) {
		free(memory);
		return;
	}
	SLIST_INSERT_HEAD(&p->free[class_of(size)], piece, next);
	/* One chunk stays: the next message would only ask for it again. */
	if (--p->live == 0 && SLIST_NEXT(SLIST_FIRST(&p->chunks), next) != NULL)
		free_all(p);
}

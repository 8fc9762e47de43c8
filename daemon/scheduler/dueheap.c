#include "daemon/scheduler/dueheap.h"

#include <string.h>

static struct duenode *
node(const struct dueheap *h, uint32_t i)
{
	return chunks_at(&h->nodes, i);
}

static void
set(struct dueheap *h, uint32_t i, struct duenode n)
{
	char *place = slab_at(h->slab, n.place);

	*node(h, i) = n;
	memcpy(place + h->position, &i, sizeof(i));
}

static void
sift_up(struct dueheap *h, uint32_t i, struct duenode n)
{
	uint32_t parent;

	for (; i > 0; i = parent) {
		parent = (i - 1) / 2;
		if (node(h, parent)->due <= n.due)
			break;
		set(h, i, *node(h, parent));
	}
	set(h, i, n);
}

static void
sift_down(struct dueheap *h, uint32_t i, struct duenode n)
{
	uint32_t child;

	for (; (child = 2 * i + 1) < h->count; i = child) {
		if (child + 1 < h->count &&
		    node(h, child + 1)->due < node(h, child)->due)
			child++;
		if (n.due <= node(h, child)->due)
			break;
		set(h, i, *node(h, child));
	}
	set(h, i, n);
}

void
dueheap_init(struct dueheap *h, const struct slab *slab, size_t position)
{
	memset(h, 0, sizeof(*h));
	h->slab = slab;
	h->position = position;
	h->nodes.size = sizeof(struct duenode);
}

void
dueheap_free(struct dueheap *h)
{
	chunks_free(&h->nodes);
}

void
dueheap_append(struct dueheap *h, uint32_t place, uint32_t due)
{
	const struct duenode n = { .due = due, .place = place };

	chunks_fit(&h->nodes, h->count + 1);
	set(h, h->count++, n);
}

void
dueheap_order(struct dueheap *h)
{
	uint32_t i;

	for (i = h->count / 2; i > 0; i--)
		sift_down(h, i - 1, *node(h, i - 1));
}

void
dueheap_push(struct dueheap *h, uint32_t place, uint32_t due)
{
	const struct duenode n = { .due = due, .place = place };

	chunks_fit(&h->nodes, h->count + 1);
	sift_up(h, h->count++, n);
}

void
dueheap_del(struct dueheap *h, uint32_t i)
{
	struct duenode last = *node(h, --h->count);

	if (i < h->count) {
		if (i > 0 && last.due < node(h, (i - 1) / 2)->due)
			sift_up(h, i, last);
		else
			sift_down(h, i, last);
	}
	chunks_fit(&h->nodes, h->count);
}

const struct duenode *
dueheap_first(const struct dueheap *h)
{
	return h->count == 0 ? NULL : node(h, 0);
}

void
dueheap_clamp(struct dueheap *h, uint32_t due)
{
	uint32_t i;

	for (i = 0; i < h->count; i++)
		if (node(h, i)->due > due)
			node(h, i)->due = due;
}

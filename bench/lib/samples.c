#include "bench/lib/samples.h"

#include <stdlib.h>

#include "lib/base/mem.h"

void
samples_add(struct samples *p, uint64_t us)
{
	if (p->n == p->room) {
		p->room = p->room > 0 ? p->room * 2 : 4096;
		p->v = mem_rearray(p->v, p->room, sizeof(*p->v));
	}
	p->v[p->n++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void
samples_sort(struct samples *p)
{
	if (p->n > 0)
		qsort(p->v, p->n, sizeof(*p->v), compare);
}

uint32_t
samples_percentile(const struct samples *p, unsigned percent)
{
	return p->n > 0 ? p->v[(p->n - 1) * percent / 100] : 0;
}

void
samples_free(struct samples *p)
{
	free(p->v);
	p->v = NULL;
	p->n = p->room = 0;
}

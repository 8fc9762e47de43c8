#include "lib/cli/cost.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/proto/record.h"

#define OPERATION_MAX 96
#define SUB 16 /* buckets of an octave */
#define BUCKETS (SUB * 40)

struct operation {
	char name[OPERATION_MAX];
	uint64_t calls, total, most;
	uint32_t buckets[BUCKETS];
};

struct cost {
	struct operation *ops[COST_OPERATIONS];
	size_t n;
	uint64_t total;
};

struct cost *
cost_new(void)
{
	return mem_zalloc(sizeof(struct cost));
}

void
cost_free(struct cost *c)
{
	if (c == NULL)
		return;
	while (c->n > 0)
		free(c->ops[--c->n]);
	free(c);
}

/* Values below SUB have a bucket each; above, SUB buckets an octave. */
static unsigned
bucket_of(uint64_t v)
{
	unsigned shift = 0, b;

	while (v >> shift >= 2 * SUB)
		shift++;
	b = shift * SUB + (unsigned)(v >> shift);
	return b < BUCKETS ? b : BUCKETS - 1;
}

static uint64_t
bucket_top(unsigned b)
{
	unsigned shift = b < 2 * SUB ? 0 : b / SUB - 1;

	return ((uint64_t)(b - shift * SUB + 1) << shift) - 1;
}

static uint64_t
percentile(const struct operation *o, unsigned percent)
{
	uint64_t want = (o->calls * percent + 99) / 100, seen = 0;
	unsigned b;

	for (b = 0; b < BUCKETS; b++) {
		seen += o->buckets[b];
		if (seen >= want)
			break;
	}
	return bucket_top(b) < o->most ? bucket_top(b) : o->most;
}

static struct operation *
find(struct cost *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (strcmp(c->ops[i]->name, name) == 0)
			return c->ops[i];
	if (c->n >= COST_OPERATIONS - 1 && strcmp(name, "other") != 0)
		return find(c, "other");
	c->ops[c->n] = mem_zalloc(sizeof(*c->ops[0]));
	strlcpy(c->ops[c->n]->name, name, sizeof(c->ops[0]->name));
	return c->ops[c->n++];
}

int
cost_add(struct cost *c, const char *line)
{
	struct operation *o;
	char name[OPERATION_MAX] = "", word[OPERATION_MAX];
	const char *value;
	uint64_t us = 0;
	bool known = false;
	size_t len;

	for (; *line != '\0'; line += len + (line[len] == ' ')) {
		len = strcspn(line, " ");
		if (len >= sizeof(word))
			continue;
		memcpy(word, line, len);
		word[len] = '\0';
		value = strchr(word, '=');
		if (value == NULL || strncmp(word, "trace=", 6) == 0 ||
		    strncmp(word, "profile=", 8) == 0)
			continue;
		if (strncmp(word, "us=", 3) == 0) {
			known = text_number(value + 1, UINT64_MAX >> 1, &us);
			continue;
		}
		if (name[0] != '\0')
			strlcat(name, " ", sizeof(name));
		strlcat(name, value + 1, sizeof(name));
	}
	if (!known)
		return -1;
	o = find(c, name[0] != '\0' ? name : "?");
	o->calls++;
	o->total += us;
	c->total += us;
	if (us > o->most)
		o->most = us;
	o->buckets[bucket_of(us)]++;
	return 0;
}

static int
by_total(const void *a, const void *b)
{
	const struct operation *x = *(struct operation *const *)a;
	const struct operation *y = *(struct operation *const *)b;

	if (x->total != y->total)
		return x->total < y->total ? 1 : -1;
	return strcmp(x->name, y->name);
}

void
cost_each(struct cost *c, void (*fn)(void *arg, const void *record, size_t len),
    void *arg)
{
	struct buf *b = buf_new(4096);
	const struct operation *o;
	size_t i;

	if (c->n > 0)
		qsort(c->ops, c->n, sizeof(c->ops[0]), by_total);
	for (i = 0; i < c->n; i++) {
		o = c->ops[i];
		record_begin(b, "cost");
		record_str(b, "operation", o->name);
		record_u64(b, "permille",
		    c->total == 0 ? 0 : o->total * 1000 / c->total);
		record_u64(b, "total_us", o->total);
		record_u64(b, "calls", o->calls);
		record_u64(b, "avg_us", o->total / o->calls);
		record_u64(b, "p99_us", percentile(o, 99));
		record_u64(b, "max_us", o->most);
		fn(arg, buf_data(b), buf_len(b));
		buf_reset(b);
	}
	buf_free(b);
}

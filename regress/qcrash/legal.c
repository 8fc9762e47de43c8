#include "regress/qcrash/legal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "regress/qcrash/image.h"

#define SUBSETS_OF 12 /* all of them up to so many */
#define PAIRS 300 /* a moment and round */
#define RANDOM 48

struct legal {
	const struct disk *d;
	uint32_t *carried[MODELS]; /* micro: the event whose flush took it */
	uint32_t micros;
	uint64_t random;

	const uint32_t *p;
	size_t n;
	uint32_t at;
	uint8_t *chosen, *given;
	double part; /* of the choices that is given */
	bool stop;
	bool (*fn)(void *, const uint8_t *, bool, const char *);
	void *ctx;
};

const char *const legal_models[MODELS] = { "ordered", "xfs", "btrfs", "weak" };

static bool
is_name(const struct micro *m)
{
	return m->kind == MICRO_ADD || m->kind == MICRO_DEL;
}

/* What the flush that ended with event e carries of names and sizes. */
static void
carry(struct legal *l, uint32_t e)
{
	const struct event *ev = disk_event(l->d, e);
	const struct micro *m;
	uint32_t i, last = 0, node = DISK_NONE;
	bool any = false;

	for (i = 0; i < l->micros; i++) {
		m = disk_micro(l->d, i);
		if (m->durable != e)
			continue;
		if (m->kind != MICRO_DATA) {
			any = true;
			last = i;
		}
		if (!is_name(m))
			node = m->node;
	}
	for (i = 0; i < l->micros; i++) {
		m = disk_micro(l->d, i);
		if (m->op >= ev->begun || m->kind == MICRO_DATA)
			continue;
		/* The file's own names. */
		if (is_name(m) && m->node == node) {
			if (l->carried[MODEL_XFS][i] > e)
				l->carried[MODEL_XFS][i] = e;
			if (l->carried[MODEL_BTRFS][i] > e)
				l->carried[MODEL_BTRFS][i] = e;
			if (i > last)
				last = i;
			any = true;
		}
	}
	for (i = 0; any && i <= last; i++)
		if (disk_micro(l->d, i)->kind != MICRO_DATA &&
		    l->carried[MODEL_ORDERED][i] > e)
			l->carried[MODEL_ORDERED][i] = e;
}

struct legal *
legal_new(const struct disk *d, uint64_t seed)
{
	struct legal *l = mem_zalloc(sizeof(*l));
	uint32_t i, e;
	int model;

	l->d = d;
	l->random = seed;
	for (e = 0; e < disk_events(d); e++)
		l->micros += disk_event(d, e)->count;
	for (model = 0; model < MODELS; model++) {
		l->carried[model] = mem_zarray(l->micros + 1, 4);
		for (i = 0; i < l->micros; i++)
			l->carried[model][i] = DISK_NEVER;
	}
	for (e = 0; e < disk_events(d); e++)
		if (disk_event(d, e)->r->call == QTRACE_SYNCED &&
		    disk_event(d, e)->r->error == 0)
			carry(l, e);
	return l;
}

void
legal_free(struct legal *l)
{
	int model;

	if (l == NULL)
		return;
	for (model = 0; model < MODELS; model++)
		free(l->carried[model]);
	free(l->chosen);
	free(l->given);
	free(l);
}

static uint64_t
dice(struct legal *l)
{
	l->random += UINT64_C(0x9e3779b97f4a7c15);
	return hash_mix(l->random, 77);
}

/* Whether the next choice is left out. */
static bool
skip(struct legal *l)
{
	return l->stop ||
	    (l->part < 1 && (double)(dice(l) % 65536) >= l->part * 65536);
}

static const struct micro *
micro(const struct legal *l, size_t i)
{
	return disk_micro(l->d, l->p[i]);
}

static void
set_all(struct legal *l, uint8_t value)
{
	memset(l->chosen, value, l->n);
}

/* A rename's new name stays wherever its old one goes. */
static void
give(struct legal *l, bool garbage, const char *how)
{
	size_t i, j;

	if (l->stop)
		return;
	memcpy(l->given, l->chosen, l->n);
	for (i = 0; i < l->n; i++) {
		if (!l->given[i] || micro(l, i)->partner == DISK_NONE)
			continue;
		for (j = i; j-- > 0;)
			if (l->p[j] == micro(l, i)->partner)
				l->given[j] = 1;
	}
	l->stop = !l->fn(l->ctx, l->given, garbage, how);
}

/* Chooses or drops what belongs to one file or name. */
static void
set_like(struct legal *l, size_t like, uint8_t value, bool data_only)
{
	const struct micro *m = micro(l, like), *o;
	size_t i;

	for (i = 0; i < l->n; i++) {
		o = micro(l, i);
		if (is_name(m) ? i == like
			       : o->node == m->node && !is_name(o) &&
			    (!data_only || o->kind == MICRO_DATA))
			l->chosen[i] = value;
	}
}

static bool
first_of_node(const struct legal *l, size_t i)
{
	size_t j;

	if (is_name(micro(l, i)))
		return true;
	for (j = 0; j < i; j++)
		if (!is_name(micro(l, j)) &&
		    micro(l, j)->node == micro(l, i)->node)
			return false;
	return true;
}

/* By files and names. */
static void
weak_files(struct legal *l)
{
	size_t i;

	if (!skip(l)) {
		set_all(l, 0);
		give(l, false, "none");
		set_all(l, 1);
		give(l, false, "all");
	}
	if (!skip(l)) {
		for (i = 0; i < l->n; i++)
			l->chosen[i] = micro(l, i)->kind != MICRO_DATA;
		give(l, false, "no data");
		give(l, true, "no data, garbage");
	}
	if (!skip(l)) {
		for (i = 0; i < l->n; i++)
			l->chosen[i] = !is_name(micro(l, i));
		give(l, false, "no names");
		for (i = 0; i < l->n; i++)
			l->chosen[i] = is_name(micro(l, i));
		give(l, false, "names alone");
	}
	for (i = 0; i < l->n; i++) {
		if (skip(l) || !first_of_node(l, i))
			continue;
		set_all(l, 1);
		set_like(l, i, 0, false);
		give(l, false, "without one file or name");
		set_all(l, 0);
		set_like(l, i, 1, false);
		give(l, false, "one file or name");
		if (is_name(micro(l, i)))
			continue;
		set_all(l, 1);
		set_like(l, i, 0, true);
		give(l, false, "without one file's data");
		give(l, true, "one file garbage");
	}
}

static void
weak_singles(struct legal *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (skip(l))
			continue;
		set_all(l, 0);
		l->chosen[i] = 1;
		give(l, false, "one");
		set_all(l, 1);
		l->chosen[i] = 0;
		give(l, false, "all but one");
		give(l, true, "all but one, garbage");
		set_all(l, 0);
		memset(l->chosen, 1, i + 1);
		give(l, false, "a prefix");
	}
	/* Calls as a whole. */
	for (i = 0; i < l->n; i++) {
		size_t j;

		if (skip(l))
			continue;
		if (i > 0 && micro(l, i)->op == micro(l, i - 1)->op)
			continue;
		set_all(l, 1);
		for (j = i; j < l->n && micro(l, j)->op == micro(l, i)->op; j++)
			l->chosen[j] = 0;
		give(l, false, "without one call");
	}
}

static void
weak_torn(struct legal *l)
{
	size_t i, last = l->n, begin;

	for (i = 0; i < l->n; i++)
		if (micro(l, i)->kind == MICRO_DATA)
			last = i;
	if (last == l->n)
		return;
	for (begin = last;
	     begin > 0 && micro(l, begin - 1)->op == micro(l, last)->op;)
		begin--;
	for (i = begin; i <= last; i++) {
		if (skip(l))
			continue;
		set_all(l, 1);
		memset(l->chosen + i, 0, last + 1 - i);
		give(l, false, "the last write torn");
		give(l, true, "the last write torn, garbage");
		set_all(l, 1);
		memset(l->chosen + begin, 0, i + 1 - begin);
		give(l, false, "the last write's end alone");
	}
}

static void
weak_subsets(struct legal *l)
{
	uint32_t mask;
	size_t i;

	if (l->n == 0 || l->n > SUBSETS_OF)
		return;
	for (mask = 0; mask < 1u << l->n; mask++) {
		if (skip(l))
			continue;
		for (i = 0; i < l->n; i++)
			l->chosen[i] = mask >> i & 1;
		give(l, false, "a subset");
	}
}

static void
weak_pairs(struct legal *l)
{
	size_t i, j, all = l->n * (l->n - 1) / 2, k;
	bool every = all <= PAIRS;

	if (l->n < 2)
		return;
	for (i = 0; every && i < l->n; i++) {
		for (j = i + 1; j < l->n; j++) {
			if (skip(l))
				continue;
			set_all(l, 0);
			l->chosen[i] = l->chosen[j] = 1;
			give(l, false, "a pair");
			set_all(l, 1);
			l->chosen[i] = l->chosen[j] = 0;
			give(l, false, "all but a pair");
		}
	}
	for (k = 0; !every && k < PAIRS / 2; k++) {
		if (skip(l))
			continue;
		i = dice(l) % l->n;
		j = dice(l) % l->n;
		set_all(l, 0);
		l->chosen[i] = l->chosen[j] = 1;
		give(l, false, "a pair");
		set_all(l, 1);
		l->chosen[i] = l->chosen[j] = 0;
		give(l, false, "all but a pair");
	}
}

static void
weak_random(struct legal *l)
{
	unsigned k, of;
	size_t i, j;

	for (k = 0; k < RANDOM; k++) {
		if (skip(l))
			continue;
		of = (unsigned[]){ 1, 4, 7 }[k % 3];
		for (i = 0; i < l->n; i++)
			l->chosen[i] = dice(l) % 8 < of;
		if (k % 2 == 1) {
			/* Whole files and calls go together. */
			for (i = 0; i < l->n; i++)
				for (j = 0; j < i; j++)
					if (micro(l, j)->op ==
						micro(l, i)->op ||
					    (!is_name(micro(l, i)) &&
						!is_name(micro(l, j)) &&
						micro(l, j)->node ==
						    micro(l, i)->node)) {
						l->chosen[i] = l->chosen[j];
						break;
					}
		}
		give(l, k % 5 == 0, "at random");
	}
}

/* Fresh data goes with its file's size; what was written in place comes in
 * some mixture. */
static void
with_data(struct legal *l, unsigned mixture)
{
	const struct micro *m, *o;
	uint64_t size;
	size_t i, j;

	for (i = 0; i < l->n; i++) {
		m = micro(l, i);
		if (m->kind != MICRO_DATA)
			continue;
		if (!m->fresh) {
			l->chosen[i] = mixture == 0 ? 0
			    : mixture == 1          ? 1
					   : dice(l) % 4 >= mixture - 1;
			continue;
		}
		size = 0;
		for (j = 0; j < l->n; j++) {
			o = micro(l, j);
			if (o->kind == MICRO_SIZE && o->node == m->node &&
			    l->chosen[j] && o->size > size)
				size = o->size;
		}
		l->chosen[i] = (uint64_t)m->sector * DISK_SECTOR < size;
	}
}

static void
metadata_prefixes(struct legal *l, enum model model, unsigned round)
{
	size_t end, i, j;

	for (end = 0; end <= l->n; end++) {
		if (skip(l))
			continue;
		if (end > 0 && micro(l, end - 1)->kind == MICRO_DATA)
			continue;
		/* A rename is one. */
		if (end < l->n && micro(l, end)->partner != DISK_NONE)
			continue;
		for (i = 0; i < l->n; i++)
			l->chosen[i] = micro(l, i)->kind != MICRO_DATA &&
			    (i < end || l->carried[model][l->p[i]] <= l->at);
		if (round > 0) {
			with_data(l, 2 + round % 3);
			give(l, false, "a prefix, a mixture in place");
			continue;
		}
		with_data(l, 0);
		give(l, false, "a prefix, nothing in place");
		with_data(l, 1);
		give(l, false, "a prefix");
		for (j = 0; j < end; j++) {
			if (micro(l, j)->kind != MICRO_SIZE || skip(l))
				continue;
			set_like(l, j, 0, true);
			give(l, false, "a prefix, a tail of zeros");
			if (l->carried[model][l->p[j]] > l->at) {
				set_like(l, j, 0, false);
				give(l, false, "a prefix, not allocated");
			}
			for (i = 0; i < l->n; i++)
				if (micro(l, i)->kind != MICRO_DATA)
					l->chosen[i] = i < end ||
					    l->carried[model][l->p[i]] <= l->at;
			with_data(l, 1);
		}
	}
}

static void
moments(struct legal *l, unsigned round)
{
	size_t end, i;

	for (end = 0; end <= l->n; end++) {
		if (skip(l))
			continue;
		if (end > 0 && end < l->n &&
		    micro(l, end)->op == micro(l, end - 1)->op)
			continue;
		for (i = 0; i < l->n; i++)
			l->chosen[i] = i < end ||
			    l->carried[MODEL_BTRFS][l->p[i]] <= l->at;
		give(l, false, "a moment");
		for (i = 0; i < l->n; i++)
			if (micro(l, i)->kind == MICRO_DATA &&
			    !micro(l, i)->fresh)
				l->chosen[i] = dice(l) % 4 >= round % 4;
		give(l, false, "a moment, the journal ahead or behind");
		for (i = 0; i < end; i++) {
			if (micro(l, i)->partner == DISK_NONE || skip(l))
				continue;
			l->chosen[i] = 0;
			give(l, false, "a moment, both names");
			l->chosen[i] = 1;
		}
	}
}

static void
weak(struct legal *l, unsigned round)
{
	switch (round) {
	case 0:
		weak_files(l);
		break;
	case 1:
		weak_singles(l);
		break;
	case 2:
		weak_torn(l);
		weak_subsets(l);
		break;
	case 3:
		weak_pairs(l);
		break;
	default:
		weak_random(l);
	}
}

/* About how many choices there are. */
static double
supply(enum model model, unsigned round, size_t n)
{
	double all = (double)n + 1;

	if (model != MODEL_WEAK)
		return all * 3;
	switch (round) {
	case 0:
		return all * 2;
	case 1:
		return all * 5;
	case 2:
		return n <= SUBSETS_OF ? (double)(1u << n) : 24;
	case 3:
		return n > 24 ? PAIRS : all * all / 2;
	default:
		return RANDOM;
	}
}

void
legal_each(struct legal *l, enum model model, unsigned round, uint32_t at,
    const uint32_t *pending, size_t n, double wanted,
    bool (*fn)(void *ctx, const uint8_t *chosen, bool garbage, const char *how),
    void *ctx)
{
	l->p = pending;
	l->n = n;
	l->at = at;
	l->fn = fn;
	l->ctx = ctx;
	l->stop = false;
	l->part = wanted / supply(model, round, n);
	l->chosen = mem_rearray(l->chosen, n + 1, 1);
	l->given = mem_rearray(l->given, n + 1, 1);
	if (model == MODEL_WEAK)
		weak(l, round);
	else if (model == MODEL_BTRFS)
		moments(l, round);
	else
		metadata_prefixes(l, model, round);
}

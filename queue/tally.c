#include "queue/tally.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/hmap.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"

/* A slot is an evpid; with recipient number 0, see the message's row. */
struct tally {
	uint64_t *slots; /* 0: free */
	size_t size; /* a power of two */
	size_t count;
	struct hmap *rows;
};

struct row {
	uint32_t live;
	uint32_t words;
	uint64_t *bits;
};

#define FIRST 64

struct tally *
tally_new(void)
{
	struct tally *t = mem_zalloc(sizeof(*t));

	t->size = FIRST;
	t->slots = mem_zarray(t->size, sizeof(*t->slots));
	t->rows = hmap_new();
	return t;
}

static void
row_free(struct row *r)
{
	free(r->bits);
	free(r);
}

void
tally_free(struct tally *t)
{
	struct row *r;
	size_t at;

	if (t == NULL)
		return;
	HMAP_FOREACH(r, t->rows, at)
		row_free(r);
	hmap_free(t->rows);
	free(t->slots);
	free(t);
}

static size_t
home(const struct tally *t, uint64_t msgid)
{
	/* Message ids are random, but not all of them ours: mix. */
	return (size_t)((msgid * UINT64_C(0x9e3779b97f4a7c15)) >> 20) &
	    (t->size - 1);
}

static size_t
find(const struct tally *t, uint64_t msgid)
{
	size_t i = home(t, msgid);

	while (t->slots[i] != 0 && ident_msgid(t->slots[i]) != msgid)
		i = (i + 1) & (t->size - 1);
	return i;
}

static void
resize(struct tally *t, size_t size)
{
	uint64_t *old = t->slots;
	size_t i, n = t->size;

	t->slots = mem_zarray(size, sizeof(*t->slots));
	t->size = size;
	for (i = 0; i < n; i++)
		if (old[i] != 0)
			t->slots[find(t, ident_msgid(old[i]))] = old[i];
	free(old);
}

static void
row_set(struct row *r, unsigned rcpt)
{
	uint32_t words = rcpt / 64 + 1;

	if (words > r->words) {
		r->bits = mem_rearray(r->bits, words, sizeof(*r->bits));
		memset(r->bits + r->words, 0,
		    (words - r->words) * sizeof(*r->bits));
		r->words = words;
	}
	r->bits[rcpt / 64] |= UINT64_C(1) << rcpt % 64;
	r->live++;
}

static bool
row_has(const struct row *r, unsigned rcpt)
{
	return rcpt / 64 < r->words &&
	    (r->bits[rcpt / 64] >> rcpt % 64 & 1) != 0;
}

bool
tally_has(const struct tally *t, uint64_t evpid)
{
	uint64_t slot = t->slots[find(t, ident_msgid(evpid))];

	if (slot == 0 || ident_rcpt(slot) != 0)
		return slot != 0 && slot == evpid;
	return row_has(
	    hmap_get(t->rows, ident_msgid(evpid)), ident_rcpt(evpid));
}

bool
tally_add(struct tally *t, uint64_t evpid)
{
	uint64_t msgid = ident_msgid(evpid);
	struct row *r;
	size_t i;

	if (tally_has(t, evpid))
		return false;
	if ((t->count + 1) * 4 > t->size * 3)
		resize(t, t->size * 2);
	i = find(t, msgid);
	if (t->slots[i] == 0) {
		t->slots[i] = evpid;
		t->count++;
		return true;
	}
	if (ident_rcpt(t->slots[i]) != 0) {
		r = mem_zalloc(sizeof(*r));
		hmap_put(t->rows, msgid, r);
		row_set(r, ident_rcpt(t->slots[i]));
		t->slots[i] = ident_evpid(msgid, 0);
	} else
		r = hmap_get(t->rows, msgid);
	row_set(r, ident_rcpt(evpid));
	return true;
}

static void
remove_slot(struct tally *t, size_t hole)
{
	size_t mask = t->size - 1, i;

	for (i = (hole + 1) & mask; t->slots[i] != 0; i = (i + 1) & mask) {
		if (((i - home(t, ident_msgid(t->slots[i]))) & mask) >=
		    ((i - hole) & mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole] = 0;
	t->count--;
	if (t->size > FIRST && t->count * 8 < t->size)
		resize(t, t->size / 2);
}

bool
tally_del(struct tally *t, uint64_t evpid)
{
	uint64_t msgid = ident_msgid(evpid);
	unsigned rcpt = ident_rcpt(evpid), i;
	struct row *r;
	size_t slot;

	if (!tally_has(t, evpid))
		return false;
	slot = find(t, msgid);
	if (ident_rcpt(t->slots[slot]) != 0) {
		remove_slot(t, slot);
		return true;
	}
	r = hmap_get(t->rows, msgid);
	r->bits[rcpt / 64] &= ~(UINT64_C(1) << rcpt % 64);
	if (--r->live > 1)
		return true;
	for (i = 0; i < r->words; i++)
		if (r->bits[i] != 0)
			t->slots[slot] = ident_evpid(msgid,
			    i * 64 + (unsigned)__builtin_ctzll(r->bits[i]));
	hmap_del(t->rows, msgid);
	row_free(r);
	return true;
}

unsigned
tally_count(const struct tally *t, uint64_t msgid)
{
	uint64_t slot = t->slots[find(t, msgid)];
	struct row *r;

	if (slot == 0 || ident_rcpt(slot) != 0)
		return slot != 0;
	r = hmap_get(t->rows, msgid);
	return r->live;
}

uint64_t
tally_messages(const struct tally *t)
{
	return t->count;
}

uint64_t
tally_next(const struct tally *t, size_t *at)
{
	while (*at < t->size) {
		uint64_t id = t->slots[(*at)++];

		if (id != 0 && ident_rcpt(id) != 0)
			return id;
	}
	return 0;
}

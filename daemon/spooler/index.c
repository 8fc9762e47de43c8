#include "daemon/spooler/index.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/spooler/parcel.h"
#include "lib/base/hmap.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"

/* A string that many entries share. */
struct atom {
	struct atom *chain; /* others of the same hash */
	uint32_t refs;
	char text[];
};

struct index {
	TAILQ_HEAD(entries, entry) entries;
	TAILQ_HEAD(walks, index_walk) walks;
	struct entry **slots; /* chains of entries, by message id */
	size_t size; /* a power of two */
	size_t count;
	struct hmap *atoms;
	struct parcels *parcels; /* of the entries */
};

#define SLOTS_FIRST 1024
#define RCPT_SAME 0x8000u /* in rcpt_len: the destination is the same */

struct index *
index_new(void)
{
	struct index *ix = mem_zalloc(sizeof(*ix));

	TAILQ_INIT(&ix->entries);
	TAILQ_INIT(&ix->walks);
	ix->size = SLOTS_FIRST;
	ix->slots = mem_zarray(ix->size, sizeof(*ix->slots));
	ix->atoms = hmap_new();
	ix->parcels = parcels_new();
	return ix;
}

static const char *
atom_get(struct index *ix, const char *text)
{
	struct atom *a, *first;
	size_t len;
	uint64_t h;

	if (text == NULL || *text == '\0')
		return "";
	len = strlen(text);
	h = hmap_hash(text, len);
	first = hmap_get(ix->atoms, h);
	for (a = first; a != NULL; a = a->chain) {
		if (strcmp(a->text, text) == 0) {
			a->refs++;
			return a->text;
		}
	}
	a = mem_zalloc(sizeof(*a) + len + 1);
	memcpy(a->text, text, len + 1);
	a->refs = 1;
	a->chain = first;
	hmap_put(ix->atoms, h, a);
	return a->text;
}

static void
atom_drop(struct index *ix, const char *text)
{
	struct atom *a, **at, *first;
	uint64_t h;

	if (text == NULL || *text == '\0')
		return;
	a = (struct atom *)((uintptr_t)text - offsetof(struct atom, text));
	if (--a->refs > 0)
		return;
	h = hmap_hash(text, strlen(text));
	first = hmap_get(ix->atoms, h);
	for (at = &first; *at != a; at = &(*at)->chain)
		;
	*at = a->chain;
	if (first == NULL)
		hmap_del(ix->atoms, h);
	else
		hmap_put(ix->atoms, h, first);
	free(a);
}

/* Message ids are random, so their own bits serve as the hash. */
static struct entry **
slot_of(const struct index *ix, uint64_t msgid)
{
	return &ix->slots[msgid & (ix->size - 1)];
}

static void
grow(struct index *ix)
{
	struct entry **old = ix->slots, *en, *next, **slot;
	size_t i, n = ix->size;

	ix->size *= 2;
	ix->slots = mem_zarray(ix->size, sizeof(*ix->slots));
	for (i = 0; i < n; i++) {
		for (en = old[i]; en != NULL; en = next) {
			next = en->chain;
			slot = slot_of(ix, ident_msgid(en->evpid));
			en->chain = *slot;
			*slot = en;
		}
	}
	free(old);
}

static void
insert(struct index *ix, struct entry *en)
{
	struct entry **slot;

	if (ix->count >= ix->size)
		grow(ix);
	slot = slot_of(ix, ident_msgid(en->evpid));
	en->chain = *slot;
	*slot = en;
	TAILQ_INSERT_TAIL(&ix->entries, en, order);
	ix->count++;
}

static uint32_t
seconds(int64_t t)
{
	return t < 0 ? 0 : t > UINT32_MAX ? UINT32_MAX : (uint32_t)t;
}

static size_t
octets_of(size_t rlen, size_t dlen)
{
	return sizeof(struct entry) + rlen + 1 + (dlen > 0 ? dlen + 1 : 0);
}

static struct entry *
make(struct index *ix, uint64_t evpid, const char *recipient,
    const char *destination)
{
	size_t rlen = strlen(recipient), dlen = strlen(destination);
	struct entry *en;

	if (strcmp(recipient, destination) == 0)
		dlen = 0;
	en = parcels_take(ix->parcels, octets_of(rlen, dlen));
	en->evpid = evpid;
	en->rcpt_len = (uint16_t)rlen;
	memcpy(en->text, recipient, rlen + 1);
	if (dlen > 0)
		memcpy(en->text + rlen + 1, destination, dlen + 1);
	else
		en->rcpt_len |= RCPT_SAME;
	return en;
}

void
index_update(struct index *ix, struct entry *en, const struct envelope *e)
{
	const char *error = atom_get(ix, e->error);

	atom_drop(ix, en->error);
	en->error = error;
	en->excused = false;
	en->expires = seconds(e->expires);
	en->last_try = seconds(e->last_try);
	en->next_try = seconds(e->next_try);
	en->generation = e->generation;
	en->tries = e->tries > UINT16_MAX ? UINT16_MAX : (uint16_t)e->tries;
	en->flags &= (uint8_t) ~(ENTRY_HELD | ENTRY_FAILED);
	if (e->state == ENVELOPE_HELD)
		en->flags |= ENTRY_HELD;
	if (e->state == ENVELOPE_FAILED)
		en->flags |= ENTRY_FAILED;
}

struct entry *
index_add(struct index *ix, const struct envelope *e, uint64_t size)
{
	struct entry *en = index_find(ix, e->id);
	const char *rcpt = e->recipient == NULL ? "" : e->recipient;

	if (en != NULL)
		index_remove(ix, en);
	en = make(
	    ix, e->id, rcpt, e->destination == NULL ? rcpt : e->destination);
	en->sender = atom_get(ix, e->sender);
	en->action = atom_get(ix, e->action);
	en->error = "";
	en->arrived = seconds(e->arrived);
	en->size = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
	en->kind = (uint8_t)e->kind;
	insert(ix, en);
	index_update(ix, en, e);
	return en;
}

bool
index_excuse(struct index *ix, struct entry *en, const char *reason)
{
	const char *error;

	en->excused = true;
	if (strcmp(en->error, reason) == 0)
		return false;
	error = atom_get(ix, reason);
	atom_drop(ix, en->error);
	en->error = error;
	return true;
}

void
index_tried(struct index *ix, struct entry *en)
{
	if (!en->excused)
		return;
	atom_drop(ix, en->error);
	en->error = "";
	en->excused = false;
}

struct entry *
index_add_broken(struct index *ix, uint64_t evpid, const char *reason)
{
	struct entry *en = index_find(ix, evpid);

	if (en != NULL)
		index_remove(ix, en);
	en = make(ix, evpid, "", "");
	en->sender = "";
	en->action = "";
	en->error = atom_get(ix, reason);
	en->flags = ENTRY_BROKEN;
	insert(ix, en);
	return en;
}

struct entry *
index_add_locked(struct index *ix, uint64_t evpid, uint64_t size,
    int64_t arrived, const char *reason)
{
	struct entry *en = index_add_broken(ix, evpid, reason);

	en->flags |= ENTRY_LOCKED;
	en->size = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
	en->arrived = seconds(arrived);
	return en;
}

void
index_remove(struct index *ix, struct entry *en)
{
	struct entry **at = slot_of(ix, ident_msgid(en->evpid));
	struct index_walk *w;
	size_t dlen;

	TAILQ_FOREACH(w, &ix->walks, link)
		if (w->next == en)
			w->next = TAILQ_NEXT(en, order);
	while (*at != en)
		at = &(*at)->chain;
	*at = en->chain;
	TAILQ_REMOVE(&ix->entries, en, order);
	ix->count--;
	atom_drop(ix, en->sender);
	atom_drop(ix, en->action);
	atom_drop(ix, en->error);
	dlen = en->rcpt_len & RCPT_SAME ? 0 : strlen(entry_destination(en));
	parcels_put(
	    ix->parcels, en, octets_of(en->rcpt_len & ~RCPT_SAME, dlen));
}

struct entry *
index_find(const struct index *ix, uint64_t evpid)
{
	struct entry *en = *slot_of(ix, ident_msgid(evpid));

	while (en != NULL && en->evpid != evpid)
		en = en->chain;
	return en;
}

struct entry *
index_of_message(const struct index *ix, uint64_t msgid, unsigned from)
{
	struct entry *en, *best = NULL;

	for (en = *slot_of(ix, msgid); en != NULL; en = en->chain) {
		if (ident_msgid(en->evpid) != msgid ||
		    ident_rcpt(en->evpid) < from)
			continue;
		if (best == NULL || en->evpid < best->evpid)
			best = en;
	}
	return best;
}

struct entry *
index_sibling(const struct index *ix, uint64_t msgid, const struct entry *en)
{
	struct entry *at = en == NULL ? *slot_of(ix, msgid) : en->chain;

	while (at != NULL && ident_msgid(at->evpid) != msgid)
		at = at->chain;
	return at;
}

bool
index_any(const struct index *ix, uint64_t msgid, enum entry_flag flag)
{
	const struct entry *en = NULL;

	while ((en = index_sibling(ix, msgid, en)) != NULL)
		if (en->flags & flag)
			return true;
	return false;
}

void
index_free(struct index *ix)
{
	struct entry *en;

	while ((en = TAILQ_FIRST(&ix->entries)) != NULL)
		index_remove(ix, en);
	parcels_free(ix->parcels);
	hmap_free(ix->atoms);
	free(ix->slots);
	free(ix);
}

size_t
index_count(const struct index *ix)
{
	return ix->count;
}

const char *
entry_recipient(const struct entry *en)
{
	return en->text;
}

const char *
entry_destination(const struct entry *en)
{
	if (en->rcpt_len & RCPT_SAME)
		return en->text;
	return en->text + en->rcpt_len + 1;
}

void
index_walk_start(struct index *ix, struct index_walk *w)
{
	w->next = TAILQ_FIRST(&ix->entries);
	TAILQ_INSERT_TAIL(&ix->walks, w, link);
}

struct entry *
index_walk_next(struct index *ix, struct index_walk *w)
{
	struct entry *en = w->next;

	(void)ix;
	if (en != NULL)
		w->next = TAILQ_NEXT(en, order);
	return en;
}

void
index_walk_end(struct index *ix, struct index_walk *w)
{
	TAILQ_REMOVE(&ix->walks, w, link);
}

static int
match_message(struct index *ix, uint64_t msgid, int max,
    void (*fn)(void *, struct entry *), void *ctx)
{
	struct entry *en;
	unsigned from = 0;
	int n = 0;

	while ((en = index_of_message(ix, msgid, from)) != NULL && n <= max) {
		from = ident_rcpt(en->evpid) + 1;
		if (n++ < max)
			fn(ctx, en);
		if (from > IDENT_RCPT_MAX)
			break;
	}
	return n;
}

static int
match_prefix(struct index *ix, const char *text, int max,
    void (*fn)(void *, struct entry *), void *ctx)
{
	size_t len = strlen(text);
	char id[IDENT_TEXT_MAX];
	struct entry *en;
	int n = 0;

	TAILQ_FOREACH(en, &ix->entries, order) {
		ident_evpid_text(id, en->evpid);
		if (strncmp(id, text, len) != 0)
			continue;
		if (n++ == max)
			break;
		fn(ctx, en);
	}
	return n;
}

int
index_match(struct index *ix, const char *text, int max,
    void (*fn)(void *, struct entry *), void *ctx)
{
	size_t len = strlen(text);
	struct entry *en;
	uint64_t id;

	if (ident_evpid_parse(text, &id)) {
		en = index_find(ix, id);
		if (en == NULL)
			return 0;
		fn(ctx, en);
		return 1;
	}
	if (ident_msgid_parse(text, &id))
		return match_message(ix, id, max, fn, ctx);
	if (len < 6 || len > IDENT_EVPID_DIGITS ||
	    strspn(text, "0123456789abcdef") != len)
		return -1;
	return match_prefix(ix, text, max, fn, ctx);
}

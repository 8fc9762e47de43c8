#include "regress/qcrash/image.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

#define GARBAGE 0xa5

struct blocks {
	uint8_t (*data)[IMAGE_SECTOR];
	uint64_t *hash;
	uint32_t count, room;
	uint32_t *table; /* by hash: number + 1 */
	uint32_t slots;
};

uint64_t
hash_mix(uint64_t a, uint64_t b)
{
	uint64_t z = (a ^ UINT64_C(0x9e3779b97f4a7c15)) +
	    b * UINT64_C(0xd6e8feb86659fd93);

	z = (z ^ z >> 32) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 29) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 32;
}

static uint64_t
hash_octets(const uint8_t *p, size_t len)
{
	uint64_t h = len, word;
	size_t i, n;

	for (i = 0; i < len; i += 8) {
		word = 0;
		n = len - i < 8 ? len - i : 8;
		memcpy(&word, p + i, n);
		h = hash_mix(h, word);
	}
	return h;
}

static void
rehash(struct blocks *b)
{
	uint32_t i, at;

	free(b->table);
	b->slots = b->slots == 0 ? 4096 : b->slots * 2;
	b->table = mem_zarray(b->slots, sizeof(*b->table));
	for (i = 0; i < b->count; i++) {
		at = (uint32_t)b->hash[i] & (b->slots - 1);
		while (b->table[at] != 0)
			at = (at + 1) & (b->slots - 1);
		b->table[at] = i + 1;
	}
}

static uint32_t
append(struct blocks *b, const uint8_t data[IMAGE_SECTOR], uint64_t hash)
{
	if (b->count == b->room) {
		b->room = b->room == 0 ? 1024 : b->room * 2;
		b->data = mem_rearray(b->data, b->room, IMAGE_SECTOR);
		b->hash = mem_rearray(b->hash, b->room, sizeof(*b->hash));
	}
	memcpy(b->data[b->count], data, IMAGE_SECTOR);
	b->hash[b->count] = hash;
	return b->count++;
}

struct blocks *
blocks_new(void)
{
	struct blocks *b = mem_zalloc(sizeof(*b));
	uint8_t data[IMAGE_SECTOR];

	memset(data, 0, sizeof(data));
	(void)append(b, data, hash_octets(data, sizeof(data)));
	memset(data, GARBAGE, sizeof(data));
	(void)append(b, data, hash_octets(data, sizeof(data)));
	rehash(b);
	return b;
}

void
blocks_free(struct blocks *b)
{
	if (b == NULL)
		return;
	free(b->data);
	free(b->hash);
	free(b->table);
	free(b);
}

uint32_t
blocks_number(struct blocks *b, const uint8_t data[IMAGE_SECTOR])
{
	uint64_t hash = hash_octets(data, IMAGE_SECTOR);
	uint32_t at, i;

	if (b->count * 2 > b->slots)
		rehash(b);
	at = (uint32_t)hash & (b->slots - 1);
	for (; (i = b->table[at]) != 0; at = (at + 1) & (b->slots - 1))
		if (b->hash[i - 1] == hash &&
		    memcmp(b->data[i - 1], data, IMAGE_SECTOR) == 0)
			return i - 1;
	b->table[at] = append(b, data, hash) + 1;
	return b->table[at] - 1;
}

const uint8_t *
blocks_data(const struct blocks *b, uint32_t number)
{
	return b->data[number];
}

uint64_t
blocks_hash(const struct blocks *b, uint32_t number, size_t len, bool garbage)
{
	if (number == BLOCK_NONE && !garbage)
		number = BLOCK_ZERO;
	return len == IMAGE_SECTOR ? b->hash[number]
				   : hash_octets(b->data[number], len);
}

void
image_clear(struct image *im)
{
	uint32_t i;

	for (i = 0; i < im->count; i++)
		free(im->nodes[i].block);
	free(im->nodes);
	free(im->entry);
	memset(im, 0, sizeof(*im));
}

void
image_names(struct image *im, uint32_t names)
{
	if (names <= im->names)
		return;
	im->entry = mem_rearray(im->entry, names, sizeof(*im->entry));
	memset(
	    im->entry + im->names, 0, (names - im->names) * sizeof(*im->entry));
	im->names = names;
}

uint32_t
image_node(struct image *im, bool dir, uint16_t mode)
{
	struct node *n;

	im->nodes = mem_rearray(im->nodes, im->count + 1, sizeof(*im->nodes));
	n = &im->nodes[im->count];
	memset(n, 0, sizeof(*n));
	n->dir = dir;
	n->mode = mode;
	return im->count++;
}

void
image_copy(struct image *to, const struct image *from)
{
	uint32_t i;

	image_clear(to);
	image_names(to, from->names);
	if (from->names > 0)
		memcpy(
		    to->entry, from->entry, from->names * sizeof(*from->entry));
	to->nodes = mem_zarray(from->count, sizeof(*from->nodes));
	to->count = from->count;
	for (i = 0; i < from->count; i++) {
		const struct node *n = &from->nodes[i];

		to->nodes[i] = *n;
		to->nodes[i].block =
		    mem_zarray(n->sectors + 1, sizeof(*n->block));
		if (n->sectors > 0)
			memcpy(to->nodes[i].block, n->block,
			    n->sectors * sizeof(*n->block));
	}
}

uint32_t
image_get(const struct node *n, uint32_t sector)
{
	return sector < n->sectors ? n->block[sector] : BLOCK_NONE;
}

void
image_set(struct node *n, uint32_t sector, uint32_t block)
{
	if (sector >= n->sectors) {
		n->block = mem_rearray(n->block, sector + 1, sizeof(*n->block));
		while (n->sectors <= sector)
			n->block[n->sectors++] = BLOCK_NONE;
	}
	n->block[sector] = block;
}

/*
 * image - a tree in memory: names, files, sectors
 *
 * Sectors are numbers of a table of contents that all images of a disk share.
 */
#ifndef REGRESS_QCRASH_IMAGE_H
#define REGRESS_QCRASH_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_SECTOR 512u
#define BLOCK_ZERO 0u /* the content of zeros */
#define BLOCK_NONE 1u /* never written: zeros, or whatever the disk held */

/* Contents of sectors, each once. */
struct blocks;

struct blocks *blocks_new(void);
void blocks_free(struct blocks *b); /* NULL is accepted */
uint32_t blocks_number(struct blocks *b, const uint8_t data[IMAGE_SECTOR]);
const uint8_t *blocks_data(const struct blocks *b, uint32_t number);
/* A hash of the first len octets. */
uint64_t blocks_hash(
    const struct blocks *b, uint32_t number, size_t len, bool garbage);

uint64_t hash_mix(uint64_t a, uint64_t b);

struct node {
	bool dir;
	uint16_t mode;
	uint64_t size;
	uint32_t *block;
	uint32_t sectors; /* in block */
};

struct image {
	struct node *nodes;
	uint32_t count;
	uint32_t *entry; /* by name: the node + 1, 0 for none */
	uint32_t names;
};

void image_clear(struct image *im);
void image_copy(struct image *to, const struct image *from);
void image_names(struct image *im, uint32_t names); /* at least so many */
uint32_t image_node(struct image *im, bool dir, uint16_t mode); /* makes one */
/* BLOCK_NONE beyond what was ever written. */
uint32_t image_get(const struct node *n, uint32_t sector);
void image_set(struct node *n, uint32_t sector, uint32_t block);

#endif

/*
 * disk_inside - the disk as its own two files see it
 */
#ifndef REGRESS_QCRASH_DISK_INSIDE_H
#define REGRESS_QCRASH_DISK_INSIDE_H

#include "regress/qcrash/disk.h"
#include "regress/qcrash/image.h"

struct undo {
	enum micro_kind kind;
	uint32_t target, sector; /* node and sector, or name */
	uint64_t old;
};

struct binding {
	uint64_t inode;
	uint32_t node;
};

struct disk {
	struct blocks *blocks;
	struct image live; /* all calls in their order */
	struct image base; /* before the log */
	struct image work; /* what is durable, then what is chosen */
	char **names; /* 0 is the root, "" */
	uint32_t *parents; /* always of a lower number */
	uint64_t *hashes; /* of names */
	uint32_t name_count;
	struct micro *micros;
	uint32_t micro_count, micro_room;
	struct event *events;
	uint32_t event_count, event_room;
	struct binding *bindings;
	size_t binding_count;
	uint32_t stood; /* events whose durable ones are in work */
	struct undo *undone;
	size_t undo_count, undo_room;
	bool *reach; /* names, for the hash */
	bool *named; /* nodes, for what is pending */
	char why[160];
};

/* Makes it, and its parents, when it is new. */
uint32_t disk_intern(struct disk *d, const char *name);

/* Which file an inode of the log is; DISK_NONE: not known yet. */
void disk_bind(struct disk *d, uint64_t inode, uint32_t node);
uint32_t disk_bound(const struct disk *d, uint64_t inode);

#endif

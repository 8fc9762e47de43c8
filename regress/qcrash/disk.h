/*
 * disk - what a log of calls did, cut into what a power cut may separate
 *
 * A call becomes micro-operations: one per sector of 512 octets that it wrote,
 * one for a file's size, one for a name that came or went. Each is pending
 * from its call until a flush that began later has ended well; a flush that
 * failed makes nothing durable, nor does a later one of the same pages. A
 * state of the disk is what was durable at a moment and any choice of what
 * was pending then.
 */
#ifndef REGRESS_QCRASH_DISK_H
#define REGRESS_QCRASH_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "regress/qcrash/qtrace.h"

#define DISK_SECTOR 512u
#define DISK_NEVER UINT32_MAX
#define DISK_NONE UINT32_MAX

enum micro_kind {
	MICRO_DATA, /* a sector of a file has this content */
	MICRO_SIZE,
	MICRO_ADD, /* a name is that of this file or directory */
	MICRO_DEL
};

struct micro {
	enum micro_kind kind;
	uint32_t op; /* the event it belongs to */
	uint32_t node;
	uint32_t name; /* ADD, DEL */
	uint32_t sector, block; /* DATA */
	uint64_t size; /* SIZE */
	uint32_t partner; /* a rename's DEL: its ADD; else DISK_NONE */
	uint32_t durable; /* the event that made it so; DISK_NEVER */
	bool fresh; /* DATA beyond what the file had when last flushed */
	bool doomed; /* a flush of it failed */
};

/* A mark of the program, or any other record, in the order of the log. */
struct event {
	const struct qtrace_record *r;
	const char *name;
	uint32_t first, count; /* its micro-operations */
	uint32_t begun; /* of a SYNCED: the event of its SYNC */
};

struct disk;

struct disk *disk_new(void);
void disk_free(struct disk *d); /* NULL is accepted */
/* Takes a tree as it is, all of it durable. -1 with errno. */
int disk_base(struct disk *d, const char *dir);
/* Takes a log of what happened to it then; NULL or why it does not fit. */
const char *disk_record(struct disk *d, const struct qtrace_log *log);
/* Holds what the log says against the tree as it is now. */
const char *disk_compare(const struct disk *d, const char *dir);

uint32_t disk_events(const struct disk *d);
const struct event *disk_event(const struct disk *d, uint32_t i);
const struct micro *disk_micro(const struct disk *d, uint32_t i);
const char *disk_name(const struct disk *d, uint32_t name);
uint32_t disk_parent(const struct disk *d, uint32_t name);

/*
 * Stands at the moment after event at; what is pending then is written to
 * pending, in its order, at most most of it. Returns how many; whether there
 * were more is told by *over. Moments go upwards from a rewind.
 */
void disk_rewind(struct disk *d);
size_t disk_stand(
    struct disk *d, uint32_t at, uint32_t *pending, size_t most, bool *over);

/* Chooses among what is pending; the hash of tree and contents. garbage: what
 * was allocated and never written is not zeros. disk_undo() goes back. */
uint64_t disk_choose(struct disk *d, const uint32_t *pending, size_t n,
    const uint8_t *chosen, bool garbage);
void disk_undo(struct disk *d);

/* Makes the chosen state below dir, which holds an earlier one or nothing.
 * -1 with errno. */
int disk_make(const struct disk *d, const char *dir, bool garbage);

/* A directory of ours in which there is surely nothing; on a tmpfs that needs
 * no opening, elsewhere it says no. */
bool disk_bare(int dirfd, const char *name);

/* Empties all directories below dir of their files. */
int disk_wipe(const char *dir);

#endif

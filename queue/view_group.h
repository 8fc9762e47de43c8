/*
 * view_group - what one bucket holds, between its reading and its showing
 */
#ifndef QUEUE_VIEW_GROUP_H
#define QUEUE_VIEW_GROUP_H

#include <sys/types.h>

#include "queue/view_inside.h"

struct view_item {
	uint64_t id; /* evpid; of a message with recipient 0 */
	ino_t ino;
	int odd; /* errno of what its type forbids; 0: none */
	struct view_file file;
	size_t at, len; /* of an envelope: its text */
	struct message m; /* of a message, when its head was read */
	char kid[KEYRING_KID + 1];
};

struct view_bucket {
	struct view *v;
	unsigned number;
	const struct view_range *range;
	unsigned want;
	const struct view_visitor *to;
	void *part;
	int dir; /* -1: cannot be read */
	struct view_item *items;
	size_t count, room;
	char *text;
	size_t text_len, text_room;
	char *file; /* as it is stored */
	struct buf *clear;
	uint64_t *again; /* ids at a second look; sorted */
	size_t agains;
	bool looked_again;
	unsigned looks; /* after the second one */
};

/* Tells the visitor; name NULL: that of id, "": the bucket itself. */
void view_bucket_odd(struct view_bucket *b, enum view_odd odd, const char *name,
    const char *reason, uint64_t id);
/* Whether an id, of a message with recipient 0, is asked for. */
bool view_bucket_asked(const struct view_bucket *b, uint64_t id);
/* Whether there is a file with such an id now, a while later. */
bool view_bucket_still(struct view_bucket *b, uint64_t lo, uint64_t hi);
/* Whether it is worth another look: the next answer is one of a while later. */
bool view_bucket_moves(struct view_bucket *b);

/* view_group: files and the journal, message by message. */
void view_group_show(struct view_bucket *b);

#endif

/*
 * walk - what one bucket of the tree holds, as a worker found it
 *
 * Reads the names, then every message's head and every envelope's text. It
 * judges each file by itself; what the journal has to say about them is the
 * loader's business.
 */
#ifndef QUEUE_WALK_H
#define QUEUE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/crew.h"
#include "queue/keyring.h"
#include "queue/queue.h"

struct found {
	uint64_t id; /* evpid; of a message with recipient number 0 */
	uint64_t inode;
	enum queue_status status;
	const char *reason; /* static; NULL when all is well */
	uint64_t size; /* of a message: its body */
	int64_t arrived; /* of a message */
	char kid[KEYRING_KID + 1]; /* that it lacks, when QUEUE_LOCKED */
	uint32_t at, len; /* of an envelope: its text */
	bool rebuilt; /* torn, and made anew from the record */
};

struct walk {
	struct job job;
	unsigned bucket;
	uint64_t only; /* this message alone; 0: all */
	int error; /* the bucket cannot be read */
	int dir; /* while it is read */
	struct found *found; /* by id, so each message leads its envelopes */
	size_t count, room;
	char *odd; /* names that have no business there, each with its NUL */
	size_t odd_len;
	char *text;
	size_t text_len, text_room;
	char *file; /* room for what one file holds */
	struct buf *clear;
	struct keyring *keys;
	void *ctx; /* the caller's */
};

/* finish is for the caller to set; it frees with walk_free(). */
struct walk *walk_new(struct queue *q, unsigned bucket, uint64_t only);
void walk_free(struct walk *w);

#endif

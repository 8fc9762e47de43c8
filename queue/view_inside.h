/*
 * view_inside - a view as its own files see it
 */
#ifndef QUEUE_VIEW_INSIDE_H
#define QUEUE_VIEW_INSIDE_H

#include <stdatomic.h>

#include "lib/base/hmap.h"
#include "queue/codec.h"
#include "queue/message.h"
#include "queue/ring.h"
#include "queue/view.h"

/* What the journal says of one envelope. */
struct view_leaf {
	uint16_t rcpt;
	bool done;
	bool image; /* else it is the record's */
	enum view_status status;
	const char *reason;
	char kid[KEYRING_KID + 1];
	char *text; /* clear; NULL: done, or not to be had */
	size_t len;
};

/* What the journal says of one message. */
struct view_entry {
	uint64_t msgid;
	bool put; /* it holds the message itself */
	enum view_where where; /* of it */
	enum view_status status;
	char why[96]; /* when it is not whole */
	char kid[KEYRING_KID + 1];
	struct message m;
	uint64_t seq; /* of its put, the first time */
	unsigned slot;
	uint64_t at; /* of the message's head in the slot's file */
	uint64_t stored;
	struct view_leaf *leaf;
	unsigned leaves, room;
};

/* A verb for many that is not carried out. */
struct view_bulk {
	struct view_bulk *next;
	uint64_t id;
	char verb[32];
	bool all;
	unsigned parts, here;
	bool whole; /* all parts were seen, of one copy */
	bool *seen; /* which */
	uint64_t seq;
	/* Sorted in the end: those meant, or with all those not meant. */
	uint64_t *ids;
	size_t n, room;
};

struct view {
	struct layout layout;
	const struct keyring *keys;
	unsigned jobs;
	bool busy; /* somebody holds the lock: files may change */
	atomic_uint waited; /* ms, for what the daemon is at, by all threads */
	struct ring *ring; /* NULL: there is no journal */
	struct hmap *entries; /* by msgid */
	/* The same by bucket, each sorted by msgid. */
	struct view_entry **in[LAYOUT_BUCKETS];
	size_t count[LAYOUT_BUCKETS];
	struct view_bulk *bulks;
	struct view_journal journal;
};

/* view_journal */
int view_journal_read(struct view *v, char *err, size_t errlen);
void view_journal_free(struct view *v);
const char *view_journal_verb(
    const struct view *v, uint64_t evpid, const struct view_entry *e);
struct view_leaf *view_entry_leaf(const struct view_entry *e, unsigned rcpt);

/* view_bucket */
struct view_range {
	uint64_t lo, hi; /* evpids; all: 0 and UINT64_MAX */
};
void view_bucket_read(struct view *v, unsigned bucket,
    const struct view_range *range, unsigned want,
    const struct view_visitor *to, void *part);
/* Opens a file of the spool for reading, checked as layout does. */
int view_open_file(
    const struct view *v, int dir, const char *name, off_t *size);

/* Why a reader has no clear stream for us; VIEW_WHOLE when it has. */
enum view_status view_codec_status(const struct codec_reader *r);
/* Its record, which the caller frees; NULL: it cannot be had. */
char *view_codec_record(struct codec_reader *r, size_t *len);

#endif

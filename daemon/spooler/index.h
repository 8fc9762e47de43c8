/*
 * index - every live envelope in the spooler's memory, for listing and steering
 *
 * One allocation an envelope with its recipient's text behind it; senders,
 * actions and errors are shared. Kept in the order of arrival here, found by
 * id. About 140 octets an envelope.
 */
#ifndef DAEMON_SPOOLER_INDEX_H
#define DAEMON_SPOOLER_INDEX_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/mail/envelope.h"

struct index;

enum entry_flag {
	ENTRY_HELD = 1, /* by an operator */
	ENTRY_DIRTY = 2, /* differs from its image: verbs.c makes a new one */
	ENTRY_INFLIGHT = 4,
	ENTRY_FAILED = 8, /* waits for its bounce */
	ENTRY_BROKEN = 16, /* cannot be read: listed, never tried */
	ENTRY_NO_ACTION = 32, /* names an action the configuration lacks */
	ENTRY_REMOVED = 64, /* by an operator; its done is being written */
	ENTRY_LOCKED = 128 /* lacks its key: broken, until the key comes */
};

struct entry {
	uint64_t evpid;
	TAILQ_ENTRY(entry) order;
	struct entry *chain; /* next in its hash slot */
	const char *sender, *action, *error; /* shared */
	uint32_t arrived, expires, last_try, next_try; /* seconds */
	uint32_t size; /* of the message */
	uint32_t generation;
	uint16_t tries;
	uint16_t rcpt_len;
	uint8_t kind; /* enum envelope_kind */
	uint8_t flags; /* enum entry_flag */
	bool excused; /* error says why it is not tried now, and stands here
		       * alone; else it is the envelope's own */
	char text[]; /* recipient, NUL; destination, NUL when it differs */
};

struct index *index_new(void);
void index_free(struct index *ix);

/* Adds an envelope; when it is there already, what is there is replaced.
 * Returns the entry, which lives until index_remove(). */
struct entry *index_add(
    struct index *ix, const struct envelope *e, uint64_t size);
/* Takes over what an attempt or a verb changed. */
void index_update(struct index *ix, struct entry *en, const struct envelope *e);
/* Why it is not tried now, for the listing, in place of its last error; false:
 * that is known. It stands until the envelope is given out. */
bool index_excuse(struct index *ix, struct entry *en, const char *reason);
void index_tried(struct index *ix, struct entry *en);
/* One that cannot be read: only the id and a reason. */
struct entry *index_add_broken(
    struct index *ix, uint64_t evpid, const char *reason);
/* One that lacks its key. Recipient number 0: a message whose envelopes are not
 * known. */
struct entry *index_add_locked(struct index *ix, uint64_t evpid, uint64_t size,
    int64_t arrived, const char *reason);
void index_remove(struct index *ix, struct entry *en);

struct entry *index_find(const struct index *ix, uint64_t evpid);
/* The first envelope of the message at or above the recipient number, by
 * number; NULL when there is none. O(recipients). */
struct entry *index_of_message(
    const struct index *ix, uint64_t msgid, unsigned from);
/* All envelopes of the message in no order: the one after en, the first after
 * NULL. Take the next before en is removed. */
struct entry *index_sibling(
    const struct index *ix, uint64_t msgid, const struct entry *en);
/* Whether an envelope of the message has this flag. */
bool index_any(const struct index *ix, uint64_t msgid, enum entry_flag flag);
size_t index_count(const struct index *ix);

const char *entry_recipient(const struct entry *en);
const char *entry_destination(const struct entry *en);

/*
 * A walk over all entries in their order that lives across turns: removal of
 * the next entry moves it on. New entries are met at the end.
 */
struct index_walk {
	struct entry *next;
	TAILQ_ENTRY(index_walk) link;
};
void index_walk_start(struct index *ix, struct index_walk *w);
struct entry *index_walk_next(struct index *ix, struct index_walk *w);
void index_walk_end(struct index *ix, struct index_walk *w);

/*
 * The entries whose ids begin with these hex digits: calls fn for each, at
 * most max. 16 digits name an envelope, 12 a message; a shorter prefix (6 or
 * more) is looked up by a walk. Returns how many there were, max + 1 for more;
 * -1 when text is no id.
 */
int index_match(struct index *ix, const char *text, int max,
    void (*fn)(void *ctx, struct entry *en), void *ctx);

#endif

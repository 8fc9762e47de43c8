/*
 * inside - the queue as its own files see it
 *
 * Everything here belongs to the caller's thread. Threads get jobs (crew) and
 * drafts (commit) and give them back.
 */
#ifndef QUEUE_INSIDE_H
#define QUEUE_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/base/buf.h"
#include "lib/base/hmap.h"
#include "queue/anew.h"
#include "queue/cache.h"
#include "queue/codec.h"
#include "queue/commit.h"
#include "queue/crew.h"
#include "queue/finished.h"
#include "queue/layout.h"
#include "queue/message.h"
#include "queue/queue.h"
#include "queue/ring.h"
#include "queue/shelf.h"
#include "queue/tally.h"
#include "queue/trouble.h"

/* Bytes that a job, a draft and the index share. Counted in the caller's
 * thread only. */
struct blob {
	unsigned refs;
	size_t len;
	char data[];
};

struct blob *blob_new(size_t len);
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b); /* NULL is accepted */

/* How what is written now is stored, and the keys that open the rest. Taken
 * in the caller's thread for a job, which keeps it while the ring changes. */
struct form {
	struct keyring *keys; /* or NULL */
	struct codec_form codec;
};

/* One envelope that is not simply what its file says. */
struct leaf {
	uint16_t rcpt;
	bool file; /* there is, or may be, a file of it */
	bool dirty; /* text is newer than the file */
	bool done;
	bool force; /* the file's odd text is to be overwritten */
	bool image; /* its text has a record of its own */
	bool locked; /* blob is an image that cannot be opened, as it stands */
	bool edited; /* a person's text stands in the file; ours stays here */
	bool again; /* its file is not to be relied on: another is made */
	uint32_t seen; /* crc32c of the file's text that discover read */
	unsigned waits; /* images on their way */
	uint8_t backed; /* meanwhile: whether the journal has what a torn file
			 * would lose; 2: since the file job began */
	struct blob *blob; /* NULL: the text is in the file only */
	uint32_t off, len;
};

enum source {
	IN_MEMORY,
	IN_JOURNAL,
	IN_INCOMING,
	IN_FILE
};

TAILQ_HEAD(entries, entry);

/* A message that is not simply what its files say. */
struct entry {
	TAILQ_ENTRY(entry) due;
	struct entries *list; /* it stands in, or NULL */
	uint64_t due_at;
	struct message m;
	struct leaf *leaf;
	unsigned leaves, room;
	unsigned pending; /* drafts on their way */
	unsigned images; /* of them */
	int pin, pin_next; /* slots whose records it still needs; -1 */
	enum source source;
	struct blob *head, *record, *body; /* IN_MEMORY; else NULL. The head
					    * also IN_INCOMING */
	uint64_t stored; /* octets of the message as it is stored */
	uint64_t seq; /* of its put, the first time; 0: not here */
	unsigned slot; /* of the put's record */
	uint64_t at;
	bool busy; /* a file job runs */
	bool again; /* the message's file is not to be relied on */
	bool anew; /* a checkpoint waits until it is written again */
	uint8_t awaited; /* file jobs that a sync waits for */
	bool put; /* its message record is in memory or journal */
	bool replayed; /* not merged with the walk yet */
	bool found; /* by replay, at some time */
	bool unknown; /* its bucket could not be read, or a record of it not
		       * be opened: left as it is */
	bool locked; /* its put cannot be opened: who its envelopes are is
		      * not known */
	char kid[KEYRING_KID + 1]; /* which it lacks then */
	uint32_t cause; /* why it waits in retry; 0: it does not */
	uint64_t reserved; /* blocks settling will need */
};

struct found;
struct load;
struct unlock;
struct walk;
struct bulk;
LIST_HEAD(bulks, bulk);

enum checkpoint_state {
	CHECKPOINT_IDLE,
	CHECKPOINT_SYNC,
	CHECKPOINT_MARK
};

/* What a round of sync waits for. */
enum exact_state {
	EXACT_IDLE,
	EXACT_BULKS,
	EXACT_FILES,
	EXACT_FLUSH
};

struct syncer {
	STAILQ_ENTRY(syncer) link;
	bool begun; /* its round has begun */
	void (*cb)(void *, enum queue_status);
	void *ctx;
};

struct queue {
	struct layout layout;
	struct ring *ring;
	struct crew *crew;
	struct committer *committer;

	struct keyring *keys; /* or NULL */
	int compression;
	bool seal;
	struct hmap *locks; /* struct lock by evpid, that of a put by 0000 */
	struct unlock *unlock; /* locked files are tried with another ring */
	bool unlock_again;
	struct shelf *shelf; /* readers between two pieces of a body */
	struct cache *cache; /* texts of envelopes that are in files */

	size_t large, put_max, body_cap;
	unsigned settle_ms, reserve_percent;
	bool sync_files;
	unsigned workers; /* once it is loaded */
	uint64_t segment_size;

	struct tally *tally;
	struct hmap *entries; /* by msgid */
	struct hmap *txns; /* open ones, by msgid */
	struct entries soon, later, retry;
	struct entries unseen; /* unknown ones: their bucket is not readable */
	unsigned jobs; /* file jobs on their way */
	uint64_t taken_at; /* ms: mail was last committed */
	unsigned pins[RING_SLOTS];
	uint64_t last_seq; /* flushed and answered */
	uint64_t now; /* monotonic ms, read once a turn */

	uint64_t body_bytes;
	void (*relief)(void *ctx);
	void *relief_ctx;
	bool starved; /* somebody waits for relief */

	struct queue_loader loader;
	bool has_loader;
	struct load *load; /* NULL: not loading */
	struct entries replayed[LAYOUT_BUCKETS]; /* not merged yet */
	bool loaded;

	struct bulks bulks;

	unsigned forwarding; /* messages */
	uint64_t forward_limit; /* what was in use below this is moved on */
	uint64_t forward_seq; /* last_seq when the round began */
	uint64_t forward_records; /* written for it */

	enum checkpoint_state checkpoint;
	uint64_t low; /* of the last mark */
	uint64_t low_next; /* of the one being made */
	uint64_t work_since; /* ms of the first unmarked work; 0: none */
	bool filed; /* files changed since the last sync began */
	uint64_t checkpoint_after; /* ms: not before, after a failure */
	int flush_error; /* of the last sync; 0: it went well */
	struct buf *removed; /* ids whose names went since the last one */
	enum anew_state anew;
	struct anew *anew_run; /* what was read; or NULL */
	uint64_t anew_at; /* ms: when it is tried again */
	unsigned anew_tries; /* in a row */
	unsigned anew_waits; /* entries it waits for */
	bool renewing;
	STAILQ_HEAD(syncer_list, syncer) syncers;
	enum exact_state exact;
	unsigned awaited; /* entries it waits for */
	struct buf *touched; /* evpids written since, with sync_files */

	struct buf *finished; /* lines for state/finished */
	bool finished_busy;
	uint64_t finished_since;

	uint64_t room_checked; /* ms */
	uint64_t blocks_free, blocks_all, inodes_free, inodes_all;
	uint64_t block_size;
	uint64_t reserved_blocks, reserved_inodes;
	bool full;

	bool closing;
	struct queue_stats stats;
	struct trouble *trouble;
	uint64_t aside_counted; /* ms: when the files in corrupt/ were */
	bool aside_counting;
	int journal_error; /* 0: it works */
	bool probing; /* a mark is written to see whether it works again */
	uint64_t probe_at; /* ms */
	unsigned retries; /* that may begin now */
	uint64_t retries_at; /* ms: when they were counted */
	char open_alarm[256]; /* found at the start */
	char open_note[96]; /* where an unfinished write was kept */
};

/* entry */
struct entry *entry_get(const struct queue *q, uint64_t msgid);
/* Of a message that is in files, unless there is an entry. */
struct entry *entry_make(struct queue *q, uint64_t msgid);
struct leaf *entry_leaf(const struct entry *e, unsigned rcpt);
struct leaf *entry_leaf_make(struct entry *e, unsigned rcpt);
void leaf_text(struct leaf *l, struct blob *b, size_t off, size_t len);
void entry_pin(struct queue *q, struct entry *e, unsigned slot);
void entry_unpin(struct queue *q, struct entry *e);
void entry_free(struct queue *q, struct entry *e);
void entry_drop_body(struct queue *q, struct entry *e);
/* Decides what is next for it: a list, a file job, or its end. */
void entry_consider(struct queue *q, struct entry *e);
bool entry_finished(const struct queue *q, const struct entry *e);
/* Counts those that are not in files as they stand now. */
void entry_await_all(struct queue *q);
/* A file job has ended; it is not tried again soon when it failed. */
void entry_came(struct queue *q, struct entry *e, bool good);

/* filing */
/* The ms at which what is due then is written, with what falls due soon after
 * it: each alarm costs two threads a turn. */
uint64_t filing_alarm(const struct queue *q, uint64_t due);
void filing_turn(struct queue *q); /* starts the file jobs that are due */
/* When the next is due; 0: none. */
uint64_t filing_next(const struct queue *q);

/* change */
void change_finish(struct queue *q, uint64_t evpid, const char *outcome,
    size_t len, unsigned slot);
void change_answered(struct queue *q, const struct draft *d);
/* A finished envelope was brought back. */
void change_back(struct queue *q, uint64_t evpid);
/* The journal has a done that state/finished may lack. */
void change_replayed(
    struct queue *q, uint64_t evpid, const char *outcome, size_t len);
/* Runs cb from a later queue_turn(); NULL is accepted. */
void change_answer_later(struct queue *q, void (*cb)(void *, enum queue_status),
    void *ctx, enum queue_status status);
void finished_turn(struct queue *q);
/* Appends what state/finished says of it. */
void finished_line(struct queue *q, struct buf *to, uint64_t evpid,
    const char *outcome, size_t len);
/* Makes another file of state/finished, with these lines behind; takes them. */
void finished_anew(struct queue *q, char *lines, size_t len);

/* keys */
void form_take(const struct queue *q, struct form *f);
void form_copy(struct form *to, const struct form *from);
void form_drop(struct form *f);
/* An envelope (or, by recipient 0, a message whose envelopes are not known)
 * lacks a key. */
void lock_add(struct queue *q, uint64_t evpid, const char *kid);
void lock_del(struct queue *q, uint64_t evpid);
bool lock_has(const struct queue *q, uint64_t evpid);
bool entry_is_locked(const struct entry *e); /* what the journal has of it */
void keys_loaded(struct queue *q); /* the walk has ended */
void keys_free(struct queue *q);

/* room */
bool room_for(struct queue *q, uint64_t octets, uint64_t files);
void room_reserve(struct queue *q, struct entry *e);
void room_release(struct queue *q, struct entry *e);

/* accept */
void accept_relieve(struct queue *q);
bool accept_hungry(const struct queue *q); /* over the cap for bodies */

/* restore */
int restore(struct queue *q, char *err, size_t errlen);

/* Each envelope carries its own check line: a record of which one does not fit
 * is not to be sent by. */
bool restore_record_fits(const char *record, size_t len);
/* The envelopes of a put's record. */
/* False: it is damaged. */
bool restore_record(struct entry *e, const char *record, size_t len);

/* aside */
void aside_anomaly(struct queue *q, const char *name, const char *reason);
void aside_file(struct queue *q, uint64_t id, const char *reason);
void aside_count(struct queue *q); /* corrupt/, now and then */

/* load */
/* As queue_discover(), of what may have been finished before. */
void discover_back(struct queue *q, uint64_t msgid,
    void (*cb)(void *ctx, enum queue_status, unsigned found), void *ctx);
void load_new(struct queue *q); /* from here on nothing is forgotten */
unsigned load_turn(struct queue *q, unsigned most);
void load_free(struct queue *q);
/* One envelope joins the living. */
void load_report(struct queue *q, uint64_t evpid, enum queue_status status,
    const char *text, size_t len, uint64_t size, const char *reason);
/* A message that only files know of: found[0..n) is all that is there. */
unsigned load_files(
    struct queue *q, struct walk *w, const struct found *found, size_t n);

/* bulk */
void bulk_replay(
    struct queue *q, const char *text, size_t len, uint64_t seq, unsigned slot);
void bulk_report(struct queue *q); /* to the loader */
void bulk_committed(struct queue *q, uint64_t msgid);
void bulk_replayed_put(struct queue *q, uint64_t msgid, uint64_t seq);
/* Writes those anew whose record pins the segment that begins at low. */
void bulk_carry(struct queue *q, uint64_t low);
void bulk_free_all(struct queue *q);
/* Remembers those that are under way; whether one of them still is. */
void bulk_await(struct queue *q);
bool bulk_awaited(const struct queue *q);

/* forward */
/* The same for messages that do not get into files. */
void forward_turn(struct queue *q, uint64_t low);

/* exact */
void exact_turn(struct queue *q);
/* True when what a round waits for is the flush that begins now. */
bool exact_ready(struct queue *q, uint64_t low);
void exact_flushed(struct queue *q, bool good);
void exact_fail(struct queue *q); /* all of them */

/* checkpoint */
void checkpoint_turn(struct queue *q);
uint64_t checkpoint_next(const struct queue *q);
void checkpoint_touch(struct queue *q, uint64_t evpid);
bool checkpoint_idle(struct queue *q); /* nothing left to mark */

#endif

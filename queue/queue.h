/*
 * queue - the spool of spool.5 as a library
 *
 * One process opens a spool at a time (LOCK). The caller's thread is never
 * blocked by the disk: a committer thread writes and flushes the journal, a
 * few workers read, settle and unlink files. Results come back in the caller's
 * thread, from queue_turn(), when queue_fd() is readable. Envelope texts are
 * those of lib/mail/envelope; the library stores and returns them whole.
 *
 * Nothing found in a spool is fatal. Whatever cannot be done answers with a
 * status, is logged once, and shows in queue_stats().
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct keyring;
struct queue;
struct queue_txn;

enum queue_status {
	QUEUE_OK,
	QUEUE_GONE, /* no such envelope or message (any more) */
	QUEUE_FULL, /* blocks, inodes, journal or memory below the reserve */
	QUEUE_UNAVAILABLE, /* there, but cannot be read: mode, type, I/O */
	QUEUE_DAMAGED, /* read, but torn, edited or broken */
	QUEUE_FAILED, /* the disk refused: nothing was promised */
	QUEUE_LOCKED /* whole, but sealed by a key that is not at hand */
};

struct queue_options {
	const char *path;
	uint64_t journal_size; /* 0: the smaller of 128 MiB and 1/16 of the
				* file system */
	unsigned segments; /* 0: 8 */
	size_t large; /* bodies over this go through incoming/; 0: 256 KiB */
	unsigned settle_ms; /* 0: 1000; UINT_MAX: at once */
	size_t body_cap; /* memory for bodies; 0: 64 MiB */
	size_t cache; /* memory for envelopes read from files; 0: 8 MiB */
	unsigned workers; /* 0: 4 until it is loaded, then 2 */
	unsigned reserve_percent; /* of blocks and inodes; 0: 2, UINT_MAX:
				   * none */
	bool sync_files; /* flush each file and bucket at a checkpoint */
	int compression; /* level of zstd, 1 to 19; 0: none */
	bool seal; /* by the active key of keys */
	struct keyring *keys; /* opens what is sealed; a reference is taken */
	/* For a caller that opens as root and drops later: what is made is
	 * handed to them, and only theirs is trusted. 0: the caller's own. */
	uid_t owner;
	gid_t group;
};

/*
 * Opens the spool, making it when the directory is empty or missing: takes the
 * lock, scans the journal, opens a fresh segment. Does not walk the tree. On
 * failure NULL, with a sentence in err (for the lock: the owner's pid).
 */
struct queue *queue_open(
    const struct queue_options *o, char *err, size_t errlen);

int queue_fd(const struct queue *q);
void queue_turn(struct queue *q); /* runs callbacks, at most 256 a call */
/* Settles for at most ms, stops the threads, frees. What is not in files by
 * then stays in the journal. Callbacks that are due run before it returns. */
void queue_close(struct queue *q, unsigned ms);

/*
 * Loading: reports every live envelope once, from the journal and from files,
 * bucket by bucket, and ends with loaded(). All run inside queue_turn(). text
 * is lent for the call. size is that of the message body. With status
 * QUEUE_DAMAGED text holds what there is and reason says why; an envelope that
 * cannot be read at all comes with evpid and no text.
 */
struct queue_loader {
	void (*envelope)(void *ctx, uint64_t evpid, enum queue_status status,
	    const char *text, size_t len, uint64_t size, const char *reason);
	/* A file or directory that is no envelope we can use: reported once. */
	void (*anomaly)(void *ctx, const char *name, const char *reason);
	/* A bulk verb that was accepted and not finished before the stop:
	 * reported before the first envelope. */
	void (*bulk)(void *ctx, uint64_t bulk, const char *verb, bool all,
	    const uint64_t *evpids, size_t n);
	void (*loaded)(void *ctx);
	void *ctx;
	/* Sealed by a key that is not at hand, kept as it is; recipient number
	 * 0 is a message whose envelopes are not known. When the key comes,
	 * envelope() reports all of it. NULL: envelope() is told. */
	void (*locked)(void *ctx, uint64_t evpid, uint64_t size,
	    int64_t arrived, const char *reason);
};
void queue_load(struct queue *q, const struct queue_loader *l);

/* Another ring, NULL for none: what is written from now on is sealed by its
 * active key, if anything is to be sealed. What was locked and can be opened
 * now is reported through the loader again. */
void queue_rekey(struct queue *q, struct keyring *keys);
/* How what comes from now on is stored. False, and nothing changes: it is to be
 * sealed, and no key is active. */
bool queue_restyle(struct queue *q, int compression, bool seal);

/* A transaction: one message and its envelopes. */

/* NULL when nothing may be taken now; *why says QUEUE_FULL or QUEUE_FAILED. */
struct queue_txn *queue_begin(struct queue *q, enum queue_status *why);
uint64_t queue_txn_id(const struct queue_txn *t); /* the message id */
/* Appends body bytes (CRLF line ends), in memory or towards incoming/. False:
 * the caller should stop its client until queue_relief() is called. */
bool queue_write(struct queue_txn *t, const void *data, size_t len);
uint64_t queue_txn_size(const struct queue_txn *t);
void queue_abort(struct queue_txn *t); /* leaves nothing behind */

struct queue_text {
	uint64_t evpid; /* of the transaction's message id */
	const char *text;
	size_t len;
};

/*
 * Ends the transaction; t is gone. Texts are copied. ends lists envelopes of
 * other messages that are finished by this very act (a bounce ends the
 * failures it reports). cb runs once the journal is flushed, or has failed:
 * with QUEUE_OK the message is durable.
 */
void queue_commit(struct queue_txn *t, const struct queue_text *envelopes,
    size_t n, const uint64_t *ends, size_t nends,
    void (*cb)(void *ctx, enum queue_status), void *ctx);

/* Runs when queue_write() may go on after having said false. */
void queue_relief(struct queue *q, void (*fn)(void *ctx), void *ctx);

/*
 * Changes. Without cb they are written in this turn and flushed with the next
 * group, within a second; with cb they are flushed before it runs. cb may be
 * NULL. text is copied.
 */
void queue_image(struct queue *q, uint64_t evpid, const char *text, size_t len,
    void (*cb)(void *ctx, enum queue_status), void *ctx);
/* The envelope is finished: delivered, bounced or removed. When it was the
 * last of its message, message and files go. outcome is one line for the
 * journal and for state/finished. Needs no envelope text. */
void queue_done(struct queue *q, uint64_t evpid, const char *outcome,
    void (*cb)(void *ctx, enum queue_status), void *ctx);
/*
 * One verb ("hold", "release", "remove", ...) for many, durable before cb runs,
 * which gets a number for it. The caller then makes images or dones of it at
 * leisure and calls queue_bulk_done(); after a crash in between, loading
 * reports it again. all: every envelope committed so far. Ids are kept as they
 * are given: recipient number 0 may mean something to the caller.
 */
void queue_bulk(struct queue *q, const char *verb, bool all,
    const uint64_t *evpids, size_t n,
    void (*cb)(void *ctx, enum queue_status, uint64_t bulk), void *ctx);
void queue_bulk_done(struct queue *q, uint64_t bulk);
/* True when the envelope was committed before the bulk (for all). */
bool queue_bulk_covers(struct queue *q, uint64_t bulk, uint64_t evpid);

/* Reading: from memory when it is there, else from its file by a worker. cb
 * runs in queue_turn() or, from memory, before the call returns. */

void queue_envelope(struct queue *q, uint64_t evpid,
    void (*cb)(void *ctx, enum queue_status, const char *text, size_t len),
    void *ctx);
/*
 * The same, but what a person has in the file now, whatever memory or journal
 * say: for discover. *differs tells whether it is not what we wrote last.
 */
void queue_envelope_file(struct queue *q, uint64_t evpid,
    void (*cb)(void *ctx, enum queue_status, const char *text, size_t len,
	bool differs),
    void *ctx);
/* At most max (up to 64 KiB) octets of the body from offset; total is the
 * whole body's size. Readers go from front to back. */
void queue_body(struct queue *q, uint64_t msgid, uint64_t offset, size_t max,
    void (*cb)(void *ctx, enum queue_status, const uint8_t *data, size_t len,
	uint64_t total),
    void *ctx);

/* Looks for files of this message that appeared since loading (an admin put
 * them there) and reports them through the loader of queue_load(). */
void queue_discover(struct queue *q, uint64_t msgid,
    void (*cb)(void *ctx, enum queue_status, unsigned found), void *ctx);

/*
 * The message of this envelope is gone: it goes to corrupt/, and is done. With
 * its message it can be brought back.
 */
void queue_lost(struct queue *q, uint64_t evpid);

/* An envelope that was brought back. hold: it was made anew, or finished
 * before: it is not to be sent before somebody says so. */
struct queue_back {
	uint64_t evpid;
	bool hold;
};
/*
 * Brings an envelope, or with recipient number 0 a message and its envelopes,
 * back from corrupt/. They are reported through the loader before cb runs. why
 * says what was not brought back, "" when all was. QUEUE_GONE: there is
 * nothing of it; QUEUE_DAMAGED: nothing that reads well.
 */
void queue_uncorrupt(struct queue *q, uint64_t id,
    void (*cb)(void *ctx, enum queue_status, const struct queue_back *back,
	size_t n, const char *why),
    void *ctx);

/* Files say exactly what the journal says when cb runs (smtpctl sync). */
void queue_sync(
    struct queue *q, void (*cb)(void *ctx, enum queue_status), void *ctx);

/* Small state files under state/: whole-file, durable. get copies at most
 * size - 1 octets, any NUL among them as '?', and a NUL; -1 with errno.
 * Blocking: start-up and rare operator's verbs only. */
int queue_state_put(struct queue *q, const char *name, const char *text);
int queue_state_get(struct queue *q, const char *name, char *text, size_t size);
/* The same as put by a worker: error is an errno, or 0 once it is durable. One
 * at a time of one name. text is copied. */
void queue_state_write(struct queue *q, const char *name, const char *text,
    void (*cb)(void *ctx, int error), void *ctx);

struct queue_stats {
	uint64_t messages; /* live */
	uint64_t commits, groups, flushes; /* since open */
	uint64_t body_bytes; /* in memory now */
	uint64_t cached_bytes; /* of envelopes that were read from files */
	uint64_t hits, misses; /* reads from memory, from files */
	uint64_t settled, unlinked;
	uint64_t journal_size, journal_used;
	uint64_t anomalies;
	uint64_t corrupt; /* files in corrupt/, without their reasons */
	uint64_t flush_us_p50, flush_us_p99, flush_us_max; /* so far */
	unsigned free_blocks_percent, free_inodes_percent;
	bool full; /* below the reserve */
	uint64_t locked; /* envelopes, or messages whose envelopes are
			  * unknown, that lack a key */
	char locked_kid[17]; /* one such key; "" */
	char alarm[256]; /* "" or why something needs a person */
};
void queue_stats(struct queue *q, struct queue_stats *s);

/* Called after each operation with its name and cost, from any thread, while
 * set; for smtpctl profile queue. */
void queue_profile(
    struct queue *q, void (*fn)(const char *operation, uint64_t us));

#endif

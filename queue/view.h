/*
 * view - a spool for tools: read as it is, never touched
 *
 * Takes no lock, makes, renames, unlinks and changes nothing, so it works on a
 * spool at rest and beside a running daemon, whose snapshot it then is: the
 * journal as it stood at view_open(), laid over the files as they are met.
 * Only what is asked for is read. Nothing found in a spool is fatal: what
 * cannot be read comes with a status and a reason.
 *
 * A walk goes bucket by bucket with several threads. What a bucket holds goes
 * to a part, which belongs to one thread at a time; parts end in the order of
 * the buckets, in the caller's thread. So a caller needs no lock.
 */
#ifndef QUEUE_VIEW_H
#define QUEUE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/keyring.h"
#include "queue/layout.h"

struct codec_reader;
struct view;

enum view_status {
	VIEW_WHOLE,
	VIEW_GONE, /* of a message: it has envelopes, but is not there */
	VIEW_LOCKED, /* sealed by a kid that the ring lacks: no damage */
	VIEW_UNAVAILABLE, /* mode, owner, type, links, I/O */
	VIEW_TORN, /* cut short */
	VIEW_EDITED, /* its check does not fit: edited or damaged */
	VIEW_BROKEN, /* cannot be understood */
	VIEW_STATUSES
};

enum view_where {
	VIEW_NOWHERE,
	VIEW_FILE,
	VIEW_JOURNAL,
	VIEW_INCOMING, /* a large message before it is settled */
	VIEW_RECORD /* an envelope made anew from its message's record */
};

/* What a file alone says, whatever the journal says. */
struct view_file {
	bool there;
	bool read; /* else status is VIEW_WHOLE by courtesy */
	enum view_status status;
	const char *reason; /* NULL when whole */
	uint64_t stored; /* octets of the file; 0 when it was not opened */
};

/* Pointers are lent for the call. */
struct view_message {
	uint64_t msgid;
	enum view_status status;
	const char *reason; /* NULL when whole */
	enum view_where where;
	struct view_file file;
	/* With VIEW_HEADS: */
	const char *codec; /* "plain" ... */
	char kid[KEYRING_KID + 1]; /* "" when not sealed */
	int64_t arrived;
	uint64_t size; /* octets of the body */
	uint64_t record;
	uint64_t stored; /* octets it takes, head included */
	unsigned envelopes; /* live ones */
	char why[96]; /* room for a reason */
};

struct view_envelope {
	uint64_t evpid; /* with recipient 0: of a message in the journal whose
			 * recipients cannot be known without its key */
	enum view_status status;
	const char *reason;
	enum view_where where; /* its text is from */
	struct view_file file;
	char kid[KEYRING_KID + 1];
	const char *text; /* clear; NULL: there is none to be had */
	size_t len;
	/* A verb the daemon has taken and not carried out yet ("hold",
	 * "release", "remove"); NULL: none. */
	const char *verb;
	const struct view_message *message;
};

enum view_odd {
	VIEW_ODD_NAME, /* no name of ours */
	VIEW_ODD_BUCKET, /* ours, in another's bucket */
	VIEW_ODD_MESSAGE, /* without any envelope */
	VIEW_ODD_ENVELOPE, /* without its message */
	VIEW_ODD_DIRECTORY, /* missing or not readable */
	VIEW_ODD_SCRAP, /* in incoming/, and no record refers to it: being
			 * received, or left by a crash */
	VIEW_ODDS
};

struct view_anomaly {
	enum view_odd odd;
	const char *name; /* relative to the spool */
	const char *reason;
	uint64_t id; /* evpid, of a message with recipient 0; 0: none */
};

struct view_visitor {
	/* Runs in a worker. Without it there is one part, ctx, and all runs in
	 * the caller's thread. */
	void *(*begin)(void *ctx, unsigned bucket);
	/* Each may be NULL. A message comes before its envelopes, which come in
	 * their order. */
	void (*message)(void *part, const struct view_message *m);
	void (*envelope)(void *part, const struct view_envelope *e);
	void (*anomaly)(void *part, const struct view_anomaly *a);
	/* In the caller's thread. False: enough. */
	bool (*end)(void *ctx, void *part);
	void *ctx;
};

/* What a walk reads; without any of them names only. */
#define VIEW_TEXTS 1u /* of envelopes */
#define VIEW_HEADS 2u /* of messages */
#define VIEW_BOTH 4u /* files also where the journal has the truth */

struct view_options {
	const char *path;
	const struct keyring *keys; /* lent while it is open; NULL: none */
	unsigned jobs; /* threads; 0: one a processor, at most 8 */
};

/* NULL with a sentence in err. */
struct view *view_open(const struct view_options *o, char *err, size_t errlen);
void view_close(struct view *v); /* NULL is accepted */

/* All of the spool. -1 when the visitor had enough. */
int view_walk(struct view *v, const struct view_visitor *to, unsigned want);
/* The envelopes (and their messages) with lo <= evpid <= hi, which must be of
 * one bucket; opens nothing else. */
void view_find(struct view *v, uint64_t lo, uint64_t hi,
    const struct view_visitor *to, unsigned want);

/*
 * The stream of one message, wherever it stands. NULL with m->status and a
 * reason when it cannot be had, which is known for a message that can be opened
 * when its last octets are read.
 */
struct view_stream;
struct view_stream *view_stream_open(
    struct view *v, uint64_t msgid, struct view_message *m);
/* Its record, which the caller frees; NULL: view_stream_why(). */
char *view_stream_record(struct view_stream *s, size_t *len);
/* The next octets of the body; 0 at its end, -1 with view_stream_why(). */
ssize_t view_stream_read(struct view_stream *s, void *data, size_t len);
const char *view_stream_why(const struct view_stream *s);
/* For what a view has no word for. */
struct codec_reader *view_stream_codec(struct view_stream *s);
void view_stream_close(struct view_stream *s); /* NULL is accepted */

/* What is stored of it, as it is: an fd, which the caller closes, and where in
 * it. id is an evpid, of a message with recipient 0. -1 with errno; ENOENT also
 * for an envelope that only the journal has. */
int view_raw(struct view *v, uint64_t id, uint64_t *at, uint64_t *len);

struct view_journal {
	uint64_t size, used; /* octets of the ring, and of segments in use */
	unsigned segments;
	/* Records that matter: the journal knows of them, files may not. */
	uint64_t puts, images, dones, bulks;
	char alarm[256]; /* "" or what is wrong with it */
};
const struct view_journal *view_journal(const struct view *v);
/* True when files say all that the journal says. */
bool view_settled(const struct view *v);
/* The journal has the truth about this envelope or, with recipient number 0,
 * this message: what its file holds does not matter. Any thread. */
bool view_covers(const struct view *v, uint64_t evpid);
/* It has something to say about the message or one of its envelopes. */
bool view_mentions(const struct view *v, uint64_t msgid);

const struct layout *view_layout(const struct view *v);
const char *view_status_name(enum view_status s);
const char *view_odd_name(enum view_odd odd);

#endif

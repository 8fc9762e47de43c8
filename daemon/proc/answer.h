/*
 * answer - the role's side of a question from control (daemon/edge/query.h)
 *
 * A role lists what it answers. Its function gets an open answer, sends rows,
 * and ends it, at once or later. STATUS and STATS are answered here for every
 * role, from what it registered.
 */
#ifndef DAEMON_PROC_ANSWER_H
#define DAEMON_PROC_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/edge/query.h"
#include "daemon/proc/proc.h"

struct answer;
struct answers; /* all that are open in this role */

struct answer_entry {
	enum query_what what;
	/* args: q->n strings by unpack_str(), and q itself, lent for the call;
	 * -1 when they do not decode. The answer must be ended by somebody,
	 * once. */
	int (*fn)(void *arg, struct answer *a, const struct query_ask *q,
	    struct unpack *args);
};

/* In configure() or start(). The table is lent for good. */
void answer_register(
    struct proc *p, const struct answer_entry *entries, size_t n, void *arg);
/* Fields this role adds to its STATUS row; NULL: none. */
void answer_status(
    struct proc *p, void (*fn)(void *arg, struct buf *row), void *arg);
/* A number shown by STATS as role.name; the value is read when asked. */
void answer_counter(struct proc *p, const char *name, const uint64_t *value);
/* Brings such values up to date; called before they are read. */
void answer_count(struct proc *p, void (*fn)(void *arg), void *arg);

/* A row: fill the lent buffer with record_begin() and fields, then send. */
struct buf *answer_row(struct answer *a);
void answer_send(struct answer *a);
/* True once QUERY_SLICE octets of rows wait to be taken: stop, and go on when
 * fn is called. fn NULL: this answer never stops by itself. */
bool answer_full(const struct answer *a);
void answer_on_more(struct answer *a, void (*fn)(void *ctx, struct answer *a),
    void (*gone)(void *ctx), void *ctx);
/* The last word; a is gone. status is an exit code (lib/cli/exitcode.h). */
void answer_end(struct answer *a, int status, uint32_t done, uint32_t skipped,
    const char *text);

/* For proc: opens the answers of a role over its control peer. */
struct answers *answers_new(enum role role, struct peer *control);

#endif

/*
 * dialogue - one mail transaction with a remote host, pure
 *
 * Commands go out as far as the host allows: with PIPELINING (RFC 2920) as many
 * recipients at a time as the owner wants to risk, else one command by one.
 * Each reply belongs to the oldest command that was not answered. The body
 * follows DATA, or in chunks where the host takes them (RFC 3030). Outcomes of
 * recipients are told as soon as they are known; by LMTP (RFC 2033) each has
 * its own reply to the body.
 */
#ifndef DAEMON_MTA_DIALOGUE_H
#define DAEMON_MTA_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/edge/carry.h"
#include "daemon/mta/reply.h"
#include "daemon/mta/transaction.h"
#include "lib/base/buf.h"

/* Which reply gave an outcome. */
enum conn_phase {
	CONN_PHASE_MAIL,
	CONN_PHASE_RCPT,
	CONN_PHASE_DATA,
	CONN_PHASE_BODY,
	CONN_PHASE_LOST /* none: the connection was lost, or the body was */
};

enum dialogue_next {
	DIALOGUE_GO_ON, /* put what may be sent, and wait */
	DIALOGUE_BODY, /* send the body: with its dot, or in chunks */
	DIALOGUE_NO_BODY, /* 354 without a recipient: send the dot alone */
	DIALOGUE_DONE, /* the host is ready for another transaction */
	DIALOGUE_RESET, /* likewise, after RSET */
	DIALOGUE_CLOSE /* 421, or beyond understanding */
};

/* i counts the recipients of the transaction. */
struct dialogue_ops {
	void (*accepted)(void *arg, unsigned i);
	/* False: carry no further, for now the owner has had enough. */
	bool (*settle)(void *arg, unsigned i, enum carry_result result,
	    enum conn_phase phase, const char *status);
};

struct dialogue_way {
	struct reply_ehlo host; /* what it can */
	bool lmtp;
	unsigned window; /* RCPT without replies, at most; 0: any number */
};

struct dialogue {
	struct transaction *t;
	struct dialogue_way way;
	const struct dialogue_ops *ops;
	void *arg;
	unsigned rcpts; /* that were or will be put: the first ones */
	unsigned sent; /* commands put: MAIL, RCPT..., DATA */
	unsigned answered;
	unsigned accepted; /* recipients */
	unsigned next; /* LMTP: whose reply to the body is looked for next */
	unsigned chunks, chunks_answered; /* put; of them */
	bool chunking; /* BDAT instead of DATA */
	bool last; /* the last chunk has been put */
	bool failed; /* a chunk was refused: the others' replies are read */
	bool refused; /* MAIL was: what follows is of no interest */
	bool stopped; /* settle() said so */
	bool body; /* the reply to the body is waited for */
	bool empty; /* there is no body: nobody was accepted */
	bool heard; /* any reply to this transaction */
};

/* t is lent until the dialogue is over. False when its message is larger than
 * the host takes: all recipients are settled, nothing was sent. */
bool dialogue_begin(struct dialogue *d, struct transaction *t,
    const struct dialogue_way *way, const struct dialogue_ops *ops, void *arg);

/* Appends the commands that may be sent now. */
void dialogue_put(struct dialogue *d, struct buf *out);
/* All commands were put: the body's turn comes next, or it is its turn. */
bool dialogue_body_near(const struct dialogue *d);
/* So many chunks have been put, last: all of them. */
void dialogue_chunks(struct dialogue *d, unsigned n, bool last);
/* Another chunk may be put. */
bool dialogue_may_chunk(const struct dialogue *d);

enum dialogue_next dialogue_take(struct dialogue *d, const struct reply *r);
/* The next good reply is the last one: the whole body must have left. */
bool dialogue_final(const struct dialogue *d);

/* Settles all that are open alike: the connection was lost, say. Those that go
 * in another transaction stay as they are. */
void dialogue_fail(struct dialogue *d, enum carry_result result,
    enum conn_phase phase, const char *status);
/* Recipients a dialogue_fail() would settle. */
unsigned dialogue_open(const struct dialogue *d);

/* What is waited for, in words: "RCPT TO", "the end of the message". */
const char *dialogue_phase(const struct dialogue *d);
bool dialogue_waits_data(const struct dialogue *d); /* for the reply to it */

#endif

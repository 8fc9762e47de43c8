/*
 * dialogue - one mail transaction with a remote host, pure
 *
 * Commands go out as far as the host allows: all at once with PIPELINING (RFC
 * 2920), else one by one. Each reply belongs to the oldest command that was
 * not answered. Outcomes of recipients are told as soon as they are known.
 */
#ifndef DAEMON_MTA_DIALOGUE_H
#define DAEMON_MTA_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/edge/carry.h"
#include "daemon/mta/reply.h"
#include "daemon/mta/transaction.h"
#include "lib/base/buf.h"

enum dialogue_next {
	DIALOGUE_GO_ON, /* put what may be sent, and wait */
	DIALOGUE_BODY, /* 354: send the body and the dot */
	DIALOGUE_NO_BODY, /* 354 without a recipient: send the dot alone */
	DIALOGUE_DONE, /* the host is ready for another transaction */
	DIALOGUE_RESET, /* likewise, after RSET */
	DIALOGUE_CLOSE /* 421, or beyond understanding */
};

/* i counts the recipients of the transaction. */
typedef void dialogue_settle(
    void *arg, unsigned i, enum carry_result result, const char *status);

struct dialogue {
	struct transaction *t;
	struct reply_ehlo host;
	unsigned sent; /* commands put: MAIL, RCPT..., DATA */
	unsigned answered;
	unsigned accepted; /* recipients */
	bool refused; /* MAIL was: what follows is of no interest */
	bool body; /* the reply to the body is waited for */
	bool empty; /* there is no body: nobody was accepted */
	bool heard; /* any reply to this transaction */
	dialogue_settle *settle;
	void *arg;
};

/* t is lent until the dialogue is over. False when its message is larger than
 * the host takes: all recipients are settled, nothing was sent. */
bool dialogue_begin(struct dialogue *d, struct transaction *t,
    const struct reply_ehlo *host, dialogue_settle *settle, void *arg);

/* Appends the commands that may be sent now. */
void dialogue_put(struct dialogue *d, struct buf *out);
bool dialogue_data_sent(const struct dialogue *d);

enum dialogue_next dialogue_take(struct dialogue *d, const struct reply *r);

/* Settles all that are open alike: the connection was lost, say. */
void dialogue_fail(
    struct dialogue *d, enum carry_result result, const char *status);

/* What is waited for, in words: "RCPT TO", "the end of the message". */
const char *dialogue_phase(const struct dialogue *d);

#endif

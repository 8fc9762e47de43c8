/*
 * txn - one mail transaction, from MAIL to the reply after the final dot
 *
 * Asks lookup about each recipient, several at a time, and hands envelopes and
 * text to the spooler. Until the commit has been asked for, freeing it leaves
 * nothing behind; from then on it lives until the spooler has answered, even
 * when its session is gone. At most INTAKE_PIECE octets of text and one chunk
 * of input are held.
 */
#ifndef DAEMON_SMTP_TXN_H
#define DAEMON_SMTP_TXN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/smtp/desk.h"
#include "lib/mail/addr.h"

#define TXN_ASKS 16 /* recipients in question at a time */
#define TXN_ENVELOPES 10000 /* of one message, after expansion */
#define TXN_RECEIVED 100 /* fields; more mean a loop (RFC 5321 6.3) */

struct txn;

extern const struct desk_events txn_events;

/* The session's side; lent to the transaction. */
struct txn_client {
	uint32_t session;
	const char *address; /* 192.0.2.14 */
	const char *literal; /* [192.0.2.14] */
	const char *helo;
	const char *host; /* ours */
	const char *from; /* the from: of envelopes */
	bool esmtp;
	bool local; /* submitted on this very host */
	void (*wake)(void *arg); /* something has been answered */
	void *arg;
};

struct txn *txn_new(
    struct desk *d, const struct txn_client *client, const struct addr *sender);
void txn_free(struct txn *t); /* NULL is accepted */

/* The spooler has not said yet whether it takes a message. */
bool txn_opening(const struct txn *t);
/* Why not, as a reply; NULL when it does. */
const char *txn_trouble(const struct txn *t);

/* Asks about a recipient. */
void txn_rcpt(struct txn *t, const struct addr *recipient);
/* The reply to the next RCPT in order, lent until the transaction goes on;
 * NULL when there is none yet. */
const char *txn_reply(struct txn *t);
unsigned txn_asking(const struct txn *t); /* RCPTs without a reply */
unsigned txn_accepted(const struct txn *t);

/* DATA: begins the text. Many envelopes are sent now, 64 a call, and true comes
 * when all are; a few go with the text. */
bool txn_start(struct txn *t, int64_t now);
/* Text, unstuffed. More than limit octets are refused. */
void txn_text(struct txn *t, const void *text, size_t len, uint64_t limit);
/* Sends what fills a piece. False when that must wait for credit. */
bool txn_flush(struct txn *t);
/* The message is refused with reply (static): nothing of it is kept. The first
 * reason stays. */
void txn_refuse(struct txn *t, const char *reply);
const char *txn_refusal(const struct txn *t); /* NULL: none */
/* The text has ended: sends the rest and asks for the commit. False when that
 * must wait for credit. */
bool txn_commit(struct txn *t);
bool txn_done(const struct txn *t, enum intake_status *status);

uint64_t txn_msgid(const struct txn *t);
uint64_t txn_size(const struct txn *t); /* of the text that came */

#endif

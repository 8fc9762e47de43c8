/*
 * transaction - recipients of one message that leave in one SMTP transaction
 *
 * Grows while it waits in the queue of its relay, up to TRANSACTION_RCPTS;
 * each recipient gets exactly one outcome, and the transaction is over when
 * none is left open.
 */
#ifndef DAEMON_MTA_TRANSACTION_H
#define DAEMON_MTA_TRANSACTION_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#define TRANSACTION_RCPTS 100

struct choice;
struct domain;
struct relay;

enum transaction_state {
	TRANSACTION_OPEN,
	TRANSACTION_ACCEPTED, /* by the reply to its RCPT */
	TRANSACTION_SPARED, /* one too many for the host: not tried */
	TRANSACTION_SETTLED /* its outcome was told */
};

struct transaction_rcpt {
	uint64_t evpid;
	char *address; /* as sent, without angle brackets */
	int64_t arrived; /* wall clock */
	enum transaction_state state;
};

struct transaction {
	TAILQ_ENTRY(transaction) entry;
	struct relay *relay; /* NULL: its name is asked for */
	struct domain *domain; /* of the first recipient */
	struct choice *choice; /* how its action relays */
	unsigned nth; /* the alternative in use */
	unsigned left; /* alternatives that were not tried yet */
	bool tried; /* in an attempt before this one */
	unsigned returns; /* handed back with nothing settled */
	uint64_t msgid;
	uint64_t size; /* of the body */
	char *sender; /* "": the null reverse-path */
	unsigned n, room;
	unsigned open; /* not settled */
	struct transaction_rcpt *rcpts;
};

/* Owns no references: its owner drops domain and choice. */
struct transaction *transaction_new(
    uint64_t msgid, uint64_t size, const char *sender);
void transaction_free(struct transaction *t); /* NULL is accepted */

/* False when it is full. */
bool transaction_add(struct transaction *t, uint64_t evpid, const char *address,
    int64_t arrived);

/* Leaves what is open, as if it had not been tried. Returns how many. */
unsigned transaction_compact(struct transaction *t);

#endif

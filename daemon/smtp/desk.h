/*
 * desk - what the smtp role says to lookup and to the spooler, and hears
 *
 * It keeps the tickets of what was asked, and the one window of credit for
 * body octets that all transactions share. Who finds the window closed waits
 * in line and is woken in order.
 */
#ifndef DAEMON_SMTP_DESK_H
#define DAEMON_SMTP_DESK_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/edge/ask.h"
#include "daemon/edge/intake.h"
#include "daemon/proc/peer.h"

struct desk;

/* What comes back, each once for its question, with the asker's context. */
struct desk_events {
	/* Reads the targets; -1 when they do not decode. */
	int (*answered)(
	    void *ctx, const struct ask_answer *m, struct unpack *targets);
	void (*opened)(void *ctx, const struct intake_opened *m);
	void (*done)(void *ctx, enum intake_status status);
};

/* sessions: how many there may be, which sizes the tables of tickets. */
struct desk *desk_new(struct peer *lookup, struct peer *spooler,
    unsigned sessions, const struct desk_events *events);
void desk_free(struct desk *d);

/* Each returns a ticket, or 0 when too much is being asked already. ctx is
 * lent until the answer, or until it is forgotten. */
uint32_t desk_ask(struct desk *d, const char *client, const char *sender,
    const char *recipient, void *ctx);
uint32_t desk_open(struct desk *d, void *ctx);
uint32_t desk_commit(struct desk *d, uint64_t msgid, uint64_t size,
    uint16_t envelopes, void *ctx);

/* The answer no longer matters. What was opened meanwhile is aborted. */
void desk_forget_ask(struct desk *d, uint32_t ticket);
void desk_forget_open(struct desk *d, uint32_t ticket);

void desk_envelope(struct desk *d, uint64_t msgid, const struct buf *text);
/* At most desk_credit() octets and INTAKE_PIECE. */
void desk_body(struct desk *d, uint64_t msgid, const void *data, size_t len);
void desk_abort(struct desk *d, uint64_t msgid);

size_t desk_credit(const struct desk *d);
/* The spooler refused to open the last time. */
bool desk_refused(const struct desk *d);
/* So much is on its way to the spooler that envelopes should wait a little. */
bool desk_crowded(const struct desk *d);

/* Waiting for credit of one piece. fn runs once; the one that was woken calls
 * desk_next() when it has taken what it needs, or goes away. */
struct desk_wait {
	TAILQ_ENTRY(desk_wait) link;
	bool waiting;
	void (*fn)(void *arg);
	void *arg;
};
void desk_wait(struct desk *d, struct desk_wait *w);
void desk_unwait(struct desk *d, struct desk_wait *w);
void desk_next(struct desk *d);

/* Handlers; -1 for what does not decode. */
int desk_on_answer(struct desk *d, struct message *m);
int desk_on_opened(struct desk *d, struct message *m);
int desk_on_done(struct desk *d, struct message *m);
int desk_on_credit(struct desk *d, struct message *m);

#endif

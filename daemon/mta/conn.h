/*
 * conn - one SMTP session with a remote host
 *
 * Connects, greets, carries one transaction after the other, and takes its
 * leave. It knows nothing of queues and routes: its owner gives it work each
 * time it is ready, or lets it rest. Every wait has a deadline (RFC 5321
 * section 4.5.3.2). A conn frees itself after on_closed.
 */
#ifndef DAEMON_MTA_CONN_H
#define DAEMON_MTA_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/edge/carry.h"
#include "daemon/mta/host.h"
#include "daemon/mta/transaction.h"

struct event_base;
struct conn;

struct conn_ops {
	/* It can take a transaction: call conn_carry() or conn_rest() now. */
	void (*on_ready)(void *arg);
	void (*on_settle)(void *arg, const struct transaction *t, unsigned i,
	    enum carry_result result, const char *status);
	/* t is handed back: all of it is settled, or, when stale, nothing was
	 * tried, for the connection had died while it rested. */
	void (*on_over)(void *arg, struct transaction *t, bool stale);
	void (*on_want)(
	    void *arg, uint32_t stream, uint64_t msgid, uint64_t offset);
	/* It says QUIT: no work for it any more. */
	void (*on_leaving)(void *arg);
	/* It has ended. error: no session could be set up, and why. */
	void (*on_closed)(void *arg, const char *error);
};

struct conn_env { /* lent for good; the owner may change hostname */
	struct event_base *base;
	const char *hostname; /* for EHLO */
	uint32_t deadline_ms; /* 0, or the most of any deadline: for tests */
	const struct conn_ops *ops;
};

/* Never calls back before it has returned. host is lent. */
struct conn *conn_open(
    const struct conn_env *env, const struct host *host, void *arg);

/* stream names its body in on_want and conn_body(). t stays the owner's and is
 * lent until on_over. */
void conn_carry(struct conn *c, struct transaction *t, uint32_t stream);
/* Nothing to do: it quits after a while, unless it gets work. */
void conn_rest(struct conn *c);
void conn_body(struct conn *c, const struct carry_body *piece);

/* The whole message has been sent, only its reply is missing. */
bool conn_committing(const struct conn *c);
/* Closes at once. A transaction is handed back by on_over without outcomes. */
void conn_abort(struct conn *c);

#endif

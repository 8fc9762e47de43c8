/*
 * conn - one session with a remote host
 *
 * Connects, greets, puts TLS on, authenticates, carries one transaction after
 * the other, and takes its leave. It knows nothing of queues and routes: its
 * owner gives it work each time it is ready, or lets it rest. Every wait has a
 * deadline (RFC 5321 section 4.5.3.2). A conn frees itself after on_closed.
 */
#ifndef DAEMON_MTA_CONN_H
#define DAEMON_MTA_CONN_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stdint.h>

#include "daemon/edge/carry.h"
#include "daemon/mta/dialogue.h"
#include "daemon/mta/transaction.h"

struct conn;
struct event_base;
struct policy;
struct tlsa;

/* How a host is reached. All of it is copied, policy and tlsa by reference. */
struct conn_way {
	struct policy *policy;
	struct sockaddr_storage addr; /* AF_UNIX for LMTP over a path */
	socklen_t addrlen;
	struct sockaddr_storage source;
	socklen_t sourcelen; /* 0: the system chooses */
	const char *label; /* "mx.example.org [192.0.2.1]:2525": for logs */
	const char *name; /* of the host, to be verified; "" for a literal */
	const char *helo; /* said at EHLO */
	const struct tlsa *tlsa; /* NULL: DANE says nothing */
	bool in_clear; /* opportunistic TLS failed here lately: no STARTTLS,
			* unless it is a must */
	unsigned messages; /* transactions of one session: then QUIT */
	unsigned recipients; /* RCPT put before their replies are seen */
	uint32_t keepalive_ms;
};

/* Why a session ended, or never was. */
enum conn_end {
	CONN_END_QUIT, /* we said QUIT: full, or nothing to do for long */
	CONN_END_CONNECT, /* refused, timeout, unreachable */
	CONN_END_SOURCE, /* the source address cannot be had */
	CONN_END_REFUSED, /* the greeting or EHLO were answered 4xx or 5xx */
	CONN_END_TLS, /* required and not to be had, or not what it must be */
	CONN_END_TLS_TRY, /* opportunistic TLS failed: in clear it may go */
	CONN_END_AUTH, /* credentials refused, or no mechanism we have */
	CONN_END_LOST, /* closed, reset, timed out, nonsense */
	CONN_END_421, /* at any time but while it rests: that is LOST */
	CONN_ENDS
};

struct conn_closed {
	enum conn_end end;
	bool ready; /* it had got to on_ready */
	const char *status; /* "451 4.4.1 ...": for outcomes and for people */
};

struct conn_ops {
	/* It can take a transaction: conn_carry(), conn_rest() or conn_quit()
	 * now. */
	void (*on_ready)(void *arg);
	/* The RCPT of recipient i was. */
	void (*on_accepted)(void *arg, const struct transaction *t, unsigned i);
	/* The outcome of i, and which reply gave it. False: carry no further;
	 * the rest comes back by on_over, then the session says QUIT. */
	bool (*on_settle)(void *arg, const struct transaction *t, unsigned i,
	    enum carry_result result, enum conn_phase phase,
	    const char *status);
	/* t is handed back. Recipients that are not TRANSACTION_SETTLED were
	 * not tried: too many for the host, or after a false on_settle. stale:
	 * nothing at all was, the connection had died while it rested. */
	void (*on_over)(void *arg, struct transaction *t, bool stale);
	void (*on_want)(
	    void *arg, uint32_t stream, uint64_t msgid, uint64_t offset);
	/* It says QUIT: no work for it any more. */
	void (*on_leaving)(void *arg);
	void (*on_closed)(void *arg, const struct conn_closed *why);
};

struct conn_env { /* lent for good */
	struct event_base *base;
	uint32_t deadline_ms; /* 0, or the most of any deadline: for tests */
	const struct conn_ops *ops;
	struct dialer *dialer; /* connects unix sockets; NULL: we do */
	uint64_t *uncertain; /* counts recipients whose message was sent whole
			      * and whose reply never came; NULL: nobody does */
};

/* Never calls back before it has returned. */
struct conn *conn_open(
    const struct conn_env *env, const struct conn_way *way, void *arg);

/* stream names its body in on_want and conn_body(). t stays the owner's and is
 * lent until on_over. */
void conn_carry(struct conn *c, struct transaction *t, uint32_t stream);
/* Nothing to do: it quits after a while, unless it gets work. */
void conn_rest(struct conn *c);
/* While it is ready or rests: QUIT now. */
void conn_quit(struct conn *c);
void conn_body(struct conn *c, const struct carry_body *piece);

/* The whole message has been sent, only its reply is missing. */
bool conn_committing(const struct conn *c);
/* Closes at once. A transaction is handed back by on_over without outcomes. */
void conn_abort(struct conn *c);

struct conn_facts {
	uint32_t session; /* as the log has it */
	const char *state; /* "connect", "greet", "rest", "mail", "reset",
			    * "quit" */
	const char *phase; /* what is waited for: "RCPT TO" */
	const char *tls; /* "TLSv1.3 TLS_AES_256_GCM_SHA384 dane"; "": none */
	unsigned messages; /* transactions so far */
	uint64_t since_ms; /* mono_ms() when it was opened */
	uint64_t octets; /* of bodies, sent */
	uint64_t lost_after_dot; /* recipients, as in conn_env.uncertain */
};
/* Lent until the next turn. */
void conn_facts(const struct conn *c, struct conn_facts *f);

#endif

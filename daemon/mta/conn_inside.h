/*
 * conn_inside - what the two halves of conn know of each other
 *
 * conn.c has the life of a session, conn_mail.c the transaction under way.
 */
#ifndef DAEMON_MTA_CONN_INSIDE_H
#define DAEMON_MTA_CONN_INSIDE_H

#include "daemon/mta/body.h"
#include "daemon/mta/conn.h"
#include "daemon/mta/dialogue.h"
#include "daemon/mta/greeting.h"
#include "daemon/mta/reply.h"
#include "daemon/mta/tls.h"
#include "daemon/mta/wire.h"
#include "lib/base/buf.h"

struct event;

/* RFC 5321 section 4.5.3.2, in ms. */
#define WAIT_CONNECT 30000u
#define WAIT_COMMAND 300000u /* banner, EHLO, MAIL, RCPT */
#define WAIT_HANDSHAKE 120000u
#define WAIT_DATA 120000u
#define WAIT_BLOCK 180000u
#define WAIT_END 600000u
#define WAIT_RESET 30000u
#define WAIT_QUIT 5000u

enum conn_state {
	CONN_CONNECT,
	CONN_HANDSHAKE,
	CONN_GREET,
	CONN_REST,
	CONN_MAIL, /* a transaction is under way */
	CONN_RESET,
	CONN_QUIT,
	CONN_CLOSED
};

struct conn {
	const struct conn_env *env;
	struct conn_way way; /* its strings are ours */
	void *arg;
	enum conn_state state;
	uint32_t session; /* for the log */
	struct event *deadline;
	struct event *tail; /* for what cannot be done where it is noticed */
	struct wire *wire;
	struct buf *out;
	struct reply reply;
	struct greeting_want want;
	struct greeting greeting;
	char tls[TLS_TEXT_MAX]; /* "": in clear */
	bool ready; /* a session was set up */
	unsigned messages; /* transactions so far */
	uint64_t opened; /* ms */
	uint64_t uncertain; /* recipients */

	/* The transaction. */
	struct transaction *t; /* NULL: none */
	struct dialogue d;
	uint64_t begun; /* ms */
	uint32_t stream;
	struct body body;
};

void conn_wait(struct conn *c, uint32_t ms); /* at most, for what comes next */
void conn_flush(struct conn *c); /* sends what was put into out */
void conn_say(struct conn *c, const char *line);
void conn_say_quit(struct conn *c);
/* It can take a transaction, or has had enough of them. */
void conn_ready(struct conn *c);
void conn_hand_back(struct conn *c, bool stale);
/* Lost, late, or talking nonsense. */
void conn_broken(struct conn *c, const char *code, const char *why);
void conn_close(struct conn *c, enum conn_end end, const char *status);

/* A reply while a transaction is under way. */
void conn_mail_take(struct conn *c);
/* Asks for more of the body, where there is room for it. */
void conn_mail_go_on(struct conn *c);
uint32_t conn_mail_patience(const struct conn *c);
/* The host may have the whole message, only we shall never know. It is sent
 * again: better twice than not at all. */
bool conn_mail_uncertain(const struct conn *c);

#endif

/*
 * converse - what is said in a session: commands, replies, the text
 *
 * Works on input that has come, in small steps, and gathers replies; it never
 * reads, writes or waits by itself. sessions.c owns the connection, its times
 * and its end. struct session is shared by these two files and no others.
 */
#ifndef DAEMON_SMTP_CONVERSE_H
#define DAEMON_SMTP_CONVERSE_H

#include <netinet/in.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <stdbool.h>
#include <stdint.h>

#include "daemon/smtp/data.h"
#include "daemon/smtp/desk.h"
#include "daemon/smtp/sessions.h"
#include "daemon/smtp/txn.h"
#include "lib/base/buf.h"

struct bufferevent;
struct event;

#define CONVERSE_OUTPUT_MAX (16u * 1024) /* of replies; then commands wait */
#define CONVERSE_CHUNK (16u * 1024) /* of text, in one step */

enum phase {
	COMMANDS,
	MAIL_WAITS, /* for the spooler to take or refuse the message */
	ENVELOPES, /* are being sent; 354 follows */
	TEXT,
	TAIL, /* the text is complete; credit for its rest is awaited */
	COMMITTING,
	LINGERING, /* all is said; waits for the client to close */
	DEAD /* to be freed in its next turn */
};

struct session {
	TAILQ_ENTRY(session) link;
	struct sessions *all;
	struct bufferevent *bev;
	struct event *again, *timer;
	struct sockaddr_storage from;
	uint32_t id;
	enum phase phase;
	bool eof; /* the client has said all it has to say */
	bool skipping; /* the rest of a line that was refused */
	bool bad_line; /* one was refused before */
	bool stop_reading;

	char address[INET6_ADDRSTRLEN];
	char literal[INET6_ADDRSTRLEN + 8];
	unsigned port;
	char *host, *tag, *helo, *envelope_from;
	struct txn_client client;
	struct txn *txn;
	struct data data;
	struct desk_wait wait;
	bool woken; /* by the desk, and has to pass it on */
	struct buf *replies; /* of this turn; NULL: none */

	long pause; /* us; what a step leaves for converse_step() */
	const char *reason; /* why it ends */
	unsigned errors, rejects, junk; /* since the last message */
	unsigned messages;
	uint64_t octets; /* of all texts */
	uint64_t text; /* of this one */

	/* Times in ms; 0: not so. */
	uint64_t now; /* of this turn */
	uint64_t heard; /* the client's turn to speak began, or it spoke */
	uint64_t began; /* the text, or the lingering */
	uint64_t line; /* since when a command is not whole */
	uint64_t waits; /* since when the client waits for us */
	uint64_t stuck; /* since when output does not go */
	uint64_t armed; /* when the timer goes off */
};

/* Queues a reply line. */
void converse_reply(struct session *s, const char *line);
/* The last reply, and the reason for the log. */
void converse_send_away(
    struct session *s, const char *line, const char *reason);
/* Does the next thing. False when there is nothing to do before something
 * happens; then *pause is how long (us) to wait at most, or -1. */
bool converse_step(struct session *s, long *pause);
/* The client waits for us, not we for the client. */
bool converse_awaits_us(const struct session *s);
void converse_drop_txn(struct session *s);

#endif

/*
 * sessions - the clients' connections: commands in, replies out
 *
 * Replies are gathered and written once when nothing more can be done with the
 * input (RFC 2920). A turn handles at most 64 commands or 64 KiB of text. Every
 * wait has a deadline: idle, too slow, reads no replies, no answer from us.
 */
#ifndef DAEMON_SMTP_SESSIONS_H
#define DAEMON_SMTP_SESSIONS_H

#include <sys/queue.h>
#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conf/conf.h"
#include "daemon/net/rate.h"
#include "daemon/smtp/desk.h"

struct event_base;
struct session;

#define SESSIONS_LINE_SECONDS 60 /* for a command to come whole */
#define SESSIONS_ANSWER_SECONDS 300 /* for lookup and spooler */
#define SESSIONS_ERRORS 20 /* then the client is sent away */
#define SESSIONS_REJECTS 100 /* recipients, between two messages */
#define SESSIONS_JUNK 1000 /* commands that lead nowhere, likewise */

/* What the sessions of the role share. */
struct sessions {
	struct event_base *base;
	const struct conf *conf;
	struct desk *desk;
	struct rate *rate;
	TAILQ_HEAD(session_list, session) open;
	unsigned n;
	uint32_t last_id;
	bool paused; /* whoever comes is turned away */
	bool stopping; /* goodbye to everybody who can be sent away */
	void (*on_empty)(void *arg); /* the last one has gone; may be NULL */
	void *arg;
	struct {
		uint64_t sessions, turned_away, messages, recipients, rejected,
		    refused, octets, errors;
	} count;
};

/* Takes fd. host and tag are copied. */
void sessions_admit(struct sessions *all, int fd, const struct sockaddr *from,
    socklen_t len, const char *host, const char *tag);
/* Has every session look at all->stopping. */
void sessions_stop(struct sessions *all);

#endif

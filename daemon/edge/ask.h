/*
 * ask - smtp and spooler ask lookup where mail for a recipient goes
 *
 * One question per RCPT, one answer with the expanded targets. The spooler
 * asks for the recipients of its bounces.
 */
#ifndef DAEMON_EDGE_ASK_H
#define DAEMON_EDGE_ASK_H

#include "lib/mail/envelope.h"
#include "lib/proto/pack.h"

enum ask_type {
	ASK_RCPT = 0x0200,
	ASK_ANSWER
};

#define ASK_TARGETS 1000 /* of one recipient, after expansion */

struct ask_rcpt {
	uint32_t ticket;
	const char *client; /* address without brackets: 192.0.2.14; "local"
			     * for our own mail */
	const char *sender; /* "" for the null reverse-path */
	const char *recipient;
};

enum ask_verdict {
	ASK_ACCEPT,
	ASK_REJECT,
	ASK_TEMPFAIL,
	ASK_VERDICTS
};

struct ask_target {
	enum envelope_kind kind; /* RELAY or DELIVER */
	const char *action;
	const char *destination;
	uint32_t ttl; /* seconds */
};

struct ask_answer {
	uint32_t ticket;
	enum ask_verdict verdict;
	const char *reply; /* "550 5.1.1 ..." when not accepted */
	uint16_t n; /* targets that follow, read one by one */
};

void ask_rcpt_put(struct buf *b, const struct ask_rcpt *m);
int ask_rcpt_get(struct unpack *u, struct ask_rcpt *m);
void ask_answer_put(struct buf *b, const struct ask_answer *m);
/* Leaves the unpacker at the targets: call ask_target_get() m->n times, then
 * unpack_done(). */
int ask_answer_get(struct unpack *u, struct ask_answer *m);
void ask_target_put(struct buf *b, const struct ask_target *t);
int ask_target_get(struct unpack *u, struct ask_target *t);

#endif

/*
 * agent - mda has the parent start delivery agents as their users
 *
 * STARTED brings one end of a socket pair that is the agent's standard input
 * and standard error: the mda writes the message, shuts down its side, and
 * reads what the agent has to say. EXIT follows when it has ended. Agents are
 * programs of ours run by argument vector; there is no shell anywhere. They
 * are told the size, so that a message whose sender died is not delivered
 * short.
 */
#ifndef DAEMON_EDGE_AGENT_H
#define DAEMON_EDGE_AGENT_H

#include "lib/proto/pack.h"

enum agent_type {
	AGENT_RUN = 0x0700,
	AGENT_STARTED,
	AGENT_EXIT,
	AGENT_KILL
};

enum agent_kind {
	AGENT_MAILDIR,
	AGENT_MBOX,
	AGENT_KINDS
};

struct agent_run {
	uint32_t ticket;
	enum agent_kind kind;
	const char *user; /* system user; "": as the daemon itself */
	const char *path; /* with ~ for the user's home; mbox "": the system's
			   * mail spool */
	const char *sender; /* for the mbox separator and Return-Path */
	const char *recipient; /* Delivered-To */
	uint64_t size; /* octets of the message that will come */
};
struct agent_started { /* with a descriptor when error is "" */
	uint32_t ticket;
	const char *error; /* "5.1.1 no such user ann", "4.3.0 fork: ..." */
};
struct agent_exit {
	uint32_t ticket;
	int64_t status; /* as of waitpid() */
};
struct agent_kill { /* its time is up; asked again: without mercy */
	uint32_t ticket;
};

void agent_run_put(struct buf *b, const struct agent_run *m);
int agent_run_get(struct unpack *u, struct agent_run *m);
void agent_started_put(struct buf *b, const struct agent_started *m);
int agent_started_get(struct unpack *u, struct agent_started *m);
void agent_exit_put(struct buf *b, const struct agent_exit *m);
int agent_exit_get(struct unpack *u, struct agent_exit *m);
void agent_kill_put(struct buf *b, const struct agent_kill *m);
int agent_kill_get(struct unpack *u, struct agent_kill *m);

#endif

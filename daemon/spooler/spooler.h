/*
 * spooler - the only role that touches the spool, and the hub of the others
 *
 *   receive   smtp hands over messages           (edge/intake)
 *   release   what is due goes to its carrier    (edge/plan, edge/carry)
 *   settle    what became of it                  (edge/carry)
 *   notify    failures become bounces            (edge/ask)
 *   verbs     what operators want of envelopes   (edge/plan)
 *   report    what control asks                  (edge/query)
 *   keeping   pauses of parts of the outgoing mail (edge/carry)
 *   sealing   the key ring and the stored form   (edge/start)
 *   known     tells the scheduler                (edge/plan)
 *
 * They share this struct and do not call one another, but for known, index,
 * image, and notify_failed().
 */
#ifndef DAEMON_SPOOLER_SPOOLER_H
#define DAEMON_SPOOLER_SPOOLER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/conf/conf.h"
#include "daemon/proc/proc.h"
#include "daemon/spooler/index.h"
#include "queue/queue.h"

struct event;
struct keyring;
struct known;
struct notify;
struct receive;
struct release;
struct report;
struct keeping;
struct unusable;
struct verbs;

/* Counters shown by smtpctl show stats. */
struct spooler_counters {
	uint64_t received, envelopes; /* accepted from smtp */
	uint64_t delivered, deferred, failed, expired, removed;
	uint64_t bounces;
	uint64_t inflight;
	uint64_t alarms;
};

struct spooler {
	struct proc *proc;
	const struct conf *conf;
	struct queue *q;
	struct index *index;
	struct known *known;
	struct receive *receive;
	struct release *release;
	struct notify *notify;
	struct verbs *verbs;
	struct report *report;
	struct keeping *keeping;
	struct unusable *unusable;
	struct spooler_counters count;
	struct queue_stats stats; /* as of the last time they were asked for */
	struct event *quiet; /* when the heap is trimmed */
	uint64_t last_results; /* mono_ms of the queue's last answer */
	bool loaded; /* the walk at start is over */
	struct keyring *ring; /* in force; NULL: none */
	int compression; /* how new mail is stored */
	bool seal;
	char keys_alarm[256]; /* why the last reload's ring was refused; "" */
	bool paused_mta, paused_mda, paused_smtp;
};

extern const struct proc_role spooler_role;

#endif

/*
 * session - one SMTP client of the load generator, and what all have in common
 *
 * Sessions draw message numbers from one counter and leave at once, orderly
 * or by a deliberate cut; each recipient's fate goes into the books.
 */
#ifndef BENCH_LIB_SESSION_H
#define BENCH_LIB_SESSION_H

#include <sys/socket.h>

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/lib/note.h"
#include "bench/lib/samples.h"

enum fate {
	FATE_ACK, /* 250 after the final dot */
	FATE_REFUSED, /* refused, or broken off before the final dot */
	FATE_UNSURE, /* the dot went out, no answer came */
	FATES
};
extern const char *const fate_words[FATES];

struct session;

struct load {
	/* What is asked for. */
	const char *from, *to, *helo; /* %n %r %u %s are counters */
	char run[NOTE_RUN_MAX];
	uint64_t messages;
	unsigned sessions, recipients;
	unsigned per_session; /* messages a connection; 0: no limit */
	unsigned timeout; /* seconds for a reply */
	unsigned rate; /* messages a second, together; 0: no limit */
	unsigned seconds; /* begin no message after; 0: no limit */
	unsigned cut; /* percent of messages broken off */
	uint64_t size;
	bool pipelining, reconnect, prose;
	struct sockaddr_storage addr;
	socklen_t addrlen;
	FILE *acks; /* the books; NULL: none */

	/* What the sessions work with. */
	struct event_base *base;
	struct filler fillers[NOTE_FILLERS];
	uint64_t next; /* message number */
	uint64_t due; /* when the rate allows the next */
	unsigned live; /* sessions that are not over */
	bool stopping; /* finish messages, begin none */

	/* What came of it. */
	uint64_t messages_of[FATES], recipients_of[FATES];
	uint64_t refusals[600]; /* by reply code; 0: no SMTP reply */
	uint64_t cuts, drops, timeouts, connects, connect_failures;
	int connect_error; /* errno of the last one; 0: it was cut */
	uint64_t first_ack, last_ack; /* monotonic, microseconds */
	uint64_t worst_stall; /* microseconds waiting for one reply */
	struct samples connect, total, commit;
};

/* Connects at once; when all are over the loop is broken. */
struct session *session_new(struct load *l, unsigned number);
void session_free(struct session *s);

/* Gives up a session that has waited for a reply too long. */
void session_check(struct session *s, uint64_t now);

#endif

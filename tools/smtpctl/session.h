/*
 * session - one run of smtpctl: its options, the daemon, what is printed
 */
#ifndef TOOLS_SMTPCTL_SESSION_H
#define TOOLS_SMTPCTL_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cli/grammar.h"
#include "lib/cli/out.h"

/* Options that only some commands take. */
enum option_given {
	GIVEN_WHY = 1,
	GIVEN_FROM = 2,
	GIVEN_FOR = 4
};

struct options {
	const char *socket;
	const char *reason;
	bool json, sticky, help;
	bool why; /* show routes: what each waits for */
	const char *from; /* explain: the sender; NULL: the null one */
	int64_t pause; /* seconds a pause lasts; 0: until it is resumed */
	unsigned given; /* of enum option_given */
	uint64_t count; /* trace: lines; 0: no limit */
	int64_t seconds; /* trace: 0: no limit */
};

struct session {
	struct options o;
	const char *command; /* whole words, as the daemon knows them */
	enum out_form form; /* for people */
	struct ctl_client *client;
	struct out *out;
};

/* Prints an error line, and with -j its object; returns code. */
int session_fail(struct session *s, int code, const char *text);

/* Something to know about rows that were printed: to stderr, for people. */
void session_note(struct session *s, const char *text);

/* Connects, and makes s->out. 0 or an exit code, printed already. */
int session_open(struct session *s);
void session_close(struct session *s);

#endif

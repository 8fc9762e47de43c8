/*
 * verdict - how a delivery by the agent ended, for its exit code and stderr
 *
 * The text begins with an enhanced status code (RFC 3463) and is one line. The
 * first verdict stands: what goes wrong while cleaning up does not hide why.
 */
#ifndef DAEMON_AGENTS_VERDICT_H
#define DAEMON_AGENTS_VERDICT_H

/* The sysexits the agent uses. */
enum verdict_code {
	VERDICT_OK = 0,
	VERDICT_USAGE = 64,
	VERDICT_DATAERR = 65, /* the message cannot be delivered: a loop */
	VERDICT_CANTCREAT = 73, /* the place can never be a mailbox */
	VERDICT_TEMPFAIL = 75
};

#define VERDICT_TEXT_MAX 512

struct verdict {
	enum verdict_code code;
	char text[VERDICT_TEXT_MAX];
};

/* All return -1, to be handed on at once. */
int verdict_set(struct verdict *v, enum verdict_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* From an errno of the file system: "4.2.2 over quota: write PATH". */
int verdict_errno(
    struct verdict *v, int error, const char *what, const char *path);

#endif

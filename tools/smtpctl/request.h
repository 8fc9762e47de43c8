/*
 * request - commands that are asked and answered
 */
#ifndef TOOLS_SMTPCTL_REQUEST_H
#define TOOLS_SMTPCTL_REQUEST_H

#include "tools/smtpctl/words.h"

/* Of all requests of one command. */
struct request_sums {
	int status;
	uint64_t done, skipped;
	char text[1024];
};

/* Asks the daemon and shows what comes; many ids are sent in batches. */
int request_run(
    struct session *s, const struct action *a, int argc, char *const argv[]);

/* Its parts. */

/* NULL when the arguments are the ids that the command takes; else err. */
const char *request_check(
    enum ids ids, int argc, char *const argv[], char *err, size_t size);

/* What becomes of a row; -1: it is malformed. */
typedef int (*request_row)(
    struct session *s, void *arg, const void *record, size_t len);
/* Reads until the end. 0, or an exit code, printed already. */
int request_answer(struct session *s, struct request_sums *sum, bool first,
    request_row row, void *arg);
/* Prints the end; returns the exit code. */
int request_finish(
    struct session *s, const struct action *a, const struct request_sums *sum);

#endif

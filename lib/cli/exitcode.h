/*
 * exitcode - how every tool of ours ends (sysexits, and four of our own)
 */
#ifndef LIB_CLI_EXITCODE_H
#define LIB_CLI_EXITCODE_H

enum exitcode {
	EXIT_DONE = 0,
	EXIT_NOMATCH = 1, /* valid, and matched nothing */
	EXIT_PARTIAL = 2, /* some done, some skipped */
	EXIT_REFUSED = 3, /* a guard stopped it */
	EXIT_USAGE = 64,
	EXIT_DATAERR = 65,
	EXIT_NOINPUT = 66, /* id or file not found */
	EXIT_UNAVAILABLE = 69, /* the daemon is not running */
	EXIT_SOFTWARE = 70,
	EXIT_CANTCREAT = 73,
	EXIT_IOERR = 74,
	EXIT_TEMPFAIL = 75,
	EXIT_PROTOCOL = 76, /* versions differ */
	EXIT_NOPERM = 77,
	EXIT_CONFIG = 78
};

/* "EX_TEMPFAIL" and so on, for messages. */
const char *exitcode_name(enum exitcode code);

#endif

/*
 * log - one line per event, for people and for grep
 *
 * A line is key=value words, ids first. In the foreground it goes to stderr
 * with a time stamp, else to syslog, facility mail. Remote text is passed
 * through text_quote() before it gets here. Trace lines are apart from
 * verbosity: each belongs to a subsystem that is switched at run time.
 */
#ifndef LIB_BASE_LOG_H
#define LIB_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERR, /* someone must act */
	LOG_LEVEL_WARN, /* we coped */
	LOG_LEVEL_INFO, /* an envelope's or a connection's life */
	LOG_LEVEL_DEBUG
};

#define LOG_LINE_MAX 2048 /* longer lines are cut */

/* program is kept, not copied. The level is INFO until told otherwise. */
void log_open(const char *program, bool foreground);
void log_set_level(enum log_level level);
const char *log_program(void); /* as given to log_open(): the role's name */

void log_err(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Logs an error and exits 1: for role start-up, mem.c, proc.c and peer.c. */
_Noreturn void fatal(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/* What can be traced; the names are those of smtpctl trace. */
enum trace_sub {
	TRACE_IMSG,
	TRACE_IO,
	TRACE_SMTP,
	TRACE_MTA,
	TRACE_MDA,
	TRACE_BOUNCE,
	TRACE_SCHEDULER,
	TRACE_LOOKUP,
	TRACE_EXPAND,
	TRACE_RULES,
	TRACE_TABLES,
	TRACE_QUEUE,
	TRACE_STAT,
	TRACE_PROFILE_IMSG, /* profile imsg */
	TRACE_PROFILE_QUEUE, /* profile queue */
	TRACE_SUBS
};

/* NULL for a number that is none of them; -1 for an unknown name. */
const char *trace_name(enum trace_sub sub);
int trace_by_name(const char *name);

void trace_set(uint32_t mask); /* bit n: subsystem n is on */
bool trace_on(enum trace_sub sub);
/* Does nothing while its subsystem is off. */
void trace(enum trace_sub sub, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Lines also go to this function, without a line end. */
void trace_hook(
    void (*fn)(void *arg, enum trace_sub sub, const char *line), void *arg);

#endif

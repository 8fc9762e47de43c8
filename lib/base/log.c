#include "lib/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static struct {
	const char *program;
	bool foreground;
	enum log_level level;
	uint32_t traced;
	void (*hook)(void *, enum trace_sub, const char *);
	void *hook_arg;
} state = { "smtpd", true, LOG_LEVEL_INFO, 0, NULL, NULL };

static const char *const trace_names[TRACE_SUBS] = {
	[TRACE_IMSG] = "imsg",
	[TRACE_IO] = "io",
	[TRACE_SMTP] = "smtp",
	[TRACE_MTA] = "mta",
	[TRACE_MDA] = "mda",
	[TRACE_BOUNCE] = "bounce",
	[TRACE_SCHEDULER] = "scheduler",
	[TRACE_LOOKUP] = "lookup",
	[TRACE_EXPAND] = "expand",
	[TRACE_RULES] = "rules",
	[TRACE_TABLES] = "tables",
	[TRACE_QUEUE] = "queue",
	[TRACE_STAT] = "stat",
	[TRACE_PROFILE_IMSG] = "profile-imsg",
	[TRACE_PROFILE_QUEUE] = "profile-queue",
};

void
log_open(const char *program, bool foreground)
{
	state.program = program;
	state.foreground = foreground;
	if (!foreground)
		openlog("smtpd", LOG_PID | LOG_NDELAY, LOG_MAIL);
	tzset();
}

void
log_set_level(enum log_level level)
{
	state.level = level;
}

const char *
log_program(void)
{
	return state.program;
}

/* One write per line, so that lines of several processes never mix. */
static void
to_stderr(const char *line)
{
	char out[LOG_LINE_MAX + 128], when[32];
	struct timespec now;
	struct tm tm;
	int n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(out, sizeof(out), "%s.%03ldZ %s[%ld]: %s\n", when,
	    now.tv_nsec / 1000000, state.program, (long)getpid(), line);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(out)) {
		n = sizeof(out) - 1;
		out[n - 1] = '\n';
	}
	if (write(STDERR_FILENO, out, (size_t)n) == -1)
		return; /* nobody is left to tell */
}

static void
emit(enum log_level level, const char *line)
{
	static const int priority[] = { LOG_ERR, LOG_WARNING, LOG_INFO,
		LOG_DEBUG };

	if (state.foreground)
		to_stderr(line);
	else
		syslog(priority[level], "%s: %s", state.program, line);
}

static void
vemit(enum log_level level, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];

	if (level > state.level)
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	emit(level, line);
}

void
log_err(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vemit(LOG_LEVEL_ERR, fmt, ap);
	va_end(ap);
}

void
log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vemit(LOG_LEVEL_WARN, fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vemit(LOG_LEVEL_INFO, fmt, ap);
	va_end(ap);
}

void
log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vemit(LOG_LEVEL_DEBUG, fmt, ap);
	va_end(ap);
}

void
fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vemit(LOG_LEVEL_ERR, fmt, ap);
	va_end(ap);
	exit(1);
}

const char *
trace_name(enum trace_sub sub)
{
	return sub < TRACE_SUBS ? trace_names[sub] : NULL;
}

int
trace_by_name(const char *name)
{
	int i;

	if (strcmp(name, "transfer") == 0)
		return TRACE_MTA;
	for (i = 0; i < TRACE_SUBS; i++)
		if (strcmp(name, trace_names[i]) == 0)
			return i;
	return -1;
}

void
trace_set(uint32_t mask)
{
	state.traced = mask;
}

bool
trace_on(enum trace_sub sub)
{
	return (state.traced & (UINT32_C(1) << sub)) != 0;
}

void
trace(enum trace_sub sub, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	va_list ap;
	int n;

	if (!trace_on(sub))
		return;
	n = snprintf(line, sizeof(line), "trace=%s ", trace_names[sub]);
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	emit(LOG_LEVEL_DEBUG, line);
	if (state.hook != NULL)
		state.hook(state.hook_arg, sub, line);
}

void
trace_hook(void (*fn)(void *, enum trace_sub, const char *), void *arg)
{
	state.hook = fn;
	state.hook_arg = arg;
}

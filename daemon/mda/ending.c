#include "daemon/mda/ending.h"

#include <sys/wait.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/base/text.h"
#include "lib/mail/status.h"

static const int permanent[] = { EX_USAGE, EX_DATAERR, EX_NOUSER, EX_NOHOST,
	EX_CANTCREAT, EX_NOPERM };

static bool
is_permanent(int code)
{
	size_t i;

	for (i = 0; i < sizeof(permanent) / sizeof(permanent[0]); i++)
		if (permanent[i] == code)
			return true;
	return false;
}

/* The exit code decides the class; an enhanced code of another one is not
 * believed. */
static void
compose(struct ending *e, bool never, const char *said)
{
	char line[ENDING_STATUS_MAX - 32], code[STATUS_ENHANCED_MAX];
	struct status s;
	size_t n;

	n = strcspn(said, "\r\n");
	if (n >= sizeof(line))
		n = sizeof(line) - 1;
	memcpy(line, said, n);
	line[n] = '\0';
	status_parse(&s, line);
	if (s.klass != (never ? 5u : 4u))
		snprintf(code, sizeof(code), "%s", never ? "5.3.0" : "4.3.0");
	else
		status_enhanced(code, &s);
	e->result = never ? CARRY_NEVER : CARRY_LATER;
	n = (size_t)snprintf(e->status, sizeof(e->status), "%s %s ",
	    never ? "550" : "451", code);
	text_printable(e->status + n, sizeof(e->status) - n, s.text);
}

void
ending_of_exit(
    struct ending *e, int64_t status, const char *said, const char *agent)
{
	int st = (int)status, code;
	char line[128];

	if (WIFSIGNALED(st)) {
		snprintf(line, sizeof(line), "4.3.0 %s was ended by signal %d",
		    agent, WTERMSIG(st));
		compose(e, false, line);
		return;
	}
	code = WIFEXITED(st) ? WEXITSTATUS(st) : EX_SOFTWARE;
	if (code == EX_OK) {
		e->result = CARRY_DONE;
		snprintf(e->status, sizeof(e->status),
		    "250 2.0.0 delivered to %s", agent);
		return;
	}
	if (*said == '\0') {
		snprintf(
		    line, sizeof(line), "%s ended with code %d", agent, code);
		said = line;
	}
	compose(e, is_permanent(code), said);
}

void
ending_of_start(struct ending *e, const char *error)
{
	compose(e, error[0] == '5' && error[1] == '.', error);
}

void
ending_of_reply(struct ending *e, const char *reply)
{
	e->result = *reply == '2' ? CARRY_DONE
	    : *reply == '5'       ? CARRY_NEVER
				  : CARRY_LATER;
	snprintf(e->status, sizeof(e->status), "%s", reply);
}

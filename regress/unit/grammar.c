/* Command words: whole, shortened, ambiguous, unknown, with wrong arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cli/grammar.h"

static const struct grammar_command table[] = {
	{ "show queue", "[ID...]", 0, GRAMMAR_MANY, "envelopes", NULL, NULL },
	{ "show status", "", 0, 0, "the daemon", NULL, NULL },
	{ "show stats", "", 0, 0, "counters", NULL, NULL },
	{ "show message", "ID", 1, 1, "a message", NULL, NULL },
	{ "pause envelope", "ID...", 1, GRAMMAR_MANY, "hold", "Kept.", NULL },
	{ "pause mta", "", 0, 0, "no relaying", NULL, NULL },
	{ "pause mda", "", 0, 0, "no delivery", NULL, NULL },
	{ "profile imsg", "", 0, 0, "messages", NULL, NULL },
	{ "schedule", "ID...|all", 1, GRAMMAR_MANY, "now", NULL, NULL },
	{ "stop", "", 0, 0, "end", NULL, NULL },
	{ "trace", "SUB...", 1, 3, "lines", NULL, NULL },
	{ "log brief", "", 0, 0, "less", NULL, NULL },
};
#define N (sizeof(table) / sizeof(table[0]))

static const struct {
	const char *line;
	const char *want; /* words, or the reason */
	int used; /* -1: no command */
} cases[] = {
	{ "show queue", "show queue", 2 },
	{ "sh q", "show queue", 2 },
	{ "show queue a b", "show queue", 2 },
	{ "s q", "'s' may be show, schedule, stop", -1 },
	{ "show sta", "'sta' may be status, stats", -1 },
	{ "show stat", "'stat' may be status, stats", -1 },
	{ "show stats", "show stats", 2 },
	{ "pa e x", "pause envelope", 2 },
	{ "p", "'p' may be pause, profile", -1 },
	{ "pause m", "'m' may be mta, mda", -1 },
	{ "pause", "pause what? one of: envelope, mta, mda", -1 },
	{ "",
	    "a command is missing; one of: show, pause, profile, schedule, "
	    "stop, trace, log",
	    -1 },
	{ "shwo queue", "unknown command 'shwo'; did you mean show", -1 },
	{ "bogus",
	    "unknown command 'bogus'; one of: show, pause, profile, "
	    "schedule, stop, trace, log",
	    -1 },
	{ "show quue", "unknown command after show: 'quue'; did you mean queue",
	    -1 },
	{ "queue", "unknown command 'queue'; did you mean show queue", -1 },
	{ "xyzzyxy",
	    "unknown command 'xyzzyxy'; one of: show, pause, profile, "
	    "schedule, stop, trace, log",
	    -1 },
	{ "stop now", "stop takes no argument, but got 'now'", -1 },
	{ "show message",
	    "too few arguments to show message: usage: show message ID", -1 },
	{ "show message a b",
	    "too many arguments to show message: usage: show message ID", -1 },
	{ "trace a b c", "trace", 1 },
	{ "trace a b c d", "too many arguments to trace: usage: trace SUB...",
	    -1 },
	{ "tr mta", "trace", 1 },
	{ "sc all", "schedule", 1 },
	{ "sto\033[J", "unknown command 'sto\\x1b[J'; did you mean stop", -1 },
};

static int
split(char *line, char *argv[8])
{
	int n = 0;

	for (line = strtok(line, " "); line != NULL && n < 8;
	     line = strtok(NULL, " "))
		argv[n++] = line;
	return n;
}

static void
lines(void **state)
{
	const struct grammar_command *c;
	struct buf *why = buf_new(4096);
	char line[128], *argv[8];
	int argc, used;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(line, sizeof(line), "%s", cases[i].line);
		argc = split(line, argv);
		buf_reset(why);
		used = -1;
		c = grammar_find(table, N, argc, argv, &used, why);
		if (c == NULL)
			used = -1;
		if (used != cases[i].used ||
		    strcmp(c != NULL ? c->words : buf_text(why),
			cases[i].want) != 0)
			fail_msg("'%s': used %d, %s", cases[i].line, used,
			    c != NULL ? c->words : buf_text(why));
	}
	buf_free(why);
}

static void
choices(void **state)
{
	static const char *const names[] = { "mta", "mda", "smtp", "lookup" };
	static const struct {
		const char *word;
		int want;
		const char *why;
	} of[] = {
		{ "mta", 0, "" },
		{ "l", 3, "" },
		{ "m", -1, "'m' may be mta, mda" },
		{ "mat", -1, "unknown subsystem 'mat'; did you mean mta, mda" },
		{ "zzzzzzzz", -1,
		    "unknown subsystem 'zzzzzzzz'; one of: mta mda smtp "
		    "lookup" },
		{ "", -1, "unknown subsystem ''; one of: mta mda smtp lookup" },
	};
	struct buf *why = buf_new(4096);
	size_t i;
	int got;

	(void)state;
	for (i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		buf_reset(why);
		got = grammar_choose(names, 4, "subsystem", of[i].word, why);
		if (got != of[i].want || strcmp(buf_text(why), of[i].why) != 0)
			fail_msg(
			    "'%s': %d, %s", of[i].word, got, buf_text(why));
	}
	buf_free(why);
}

static void
help_is_made_of_the_table(void **state)
{
	struct buf *out = buf_new(65536);

	(void)state;
	grammar_help(table, N, "pause", out);
	assert_string_equal(buf_text(out),
	    "  pause envelope ID...             hold\n"
	    "  pause mta                        no relaying\n"
	    "  pause mda                        no delivery\n");
	buf_reset(out);
	grammar_explain(&table[4], "smtpctl", out);
	assert_string_equal(buf_text(out),
	    "usage: smtpctl pause envelope ID...\nhold\n\nKept.\n");
	buf_free(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(choices),
		cmocka_unit_test(help_is_made_of_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

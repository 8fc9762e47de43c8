/*
 * smtpd-agent - delivers one message to one mailbox
 *
 * smtpd-agent maildir|mbox PATH SENDER RECIPIENT [SIZE]
 *
 * Run by the daemon as the recipient's user, with the message (CRLF lines, SIZE
 * octets of it) on standard input. Nothing of it goes through a shell. Exits
 * with a sysexits code and, unless that is 0, one line on standard error that
 * begins with an enhanced status code.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/agents/letter.h"
#include "daemon/agents/maildir.h"
#include "daemon/agents/mbox.h"
#include "daemon/agents/verdict.h"
#include "lib/base/text.h"

static const struct {
	const char *name;
	int (*deliver)(const char *path, const char *home, struct letter *l,
	    struct verdict *v);
} kinds[] = {
	{ "maildir", maildir_deliver },
	{ "mbox", mbox_deliver },
};

static void
on_term(int sig)
{
	(void)sig; /* it ends a wait; letter.c sees that */
}

/* SIGTERM must not leave half a message behind: it is looked at between steps
 * only. */
static void
set_signals(void)
{
	struct sigaction sa = { .sa_handler = on_term };
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
	sigaction(SIGXFSZ, &sa, NULL);
}

/* What is written into a header must stay on its line. */
static bool
address_ok(const char *s)
{
	if (strlen(s) >= LETTER_ADDRESS_MAX)
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static int
run(int argc, char *argv[], struct verdict *v)
{
	struct letter l;
	size_t i;

	if (argc < 5 || argc > 6 || !address_ok(argv[3]) ||
	    !address_ok(argv[4]))
		return verdict_set(v, VERDICT_USAGE,
		    "5.3.5 usage: smtpd-agent maildir|mbox PATH SENDER "
		    "RECIPIENT [SIZE]");
	letter_init(&l, STDIN_FILENO, argv[3], argv[4]);
	l.sized = argc == 6;
	if (l.sized && !text_number(argv[5], INT64_MAX, &l.size))
		return verdict_set(
		    v, VERDICT_USAGE, "5.3.5 not a size: %s", argv[5]);
	if (*argv[2] == '\0')
		return verdict_set(v, VERDICT_USAGE, "5.3.5 PATH is empty");
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			return kinds[i].deliver(argv[2], getenv("HOME"), &l, v);
	return verdict_set(
	    v, VERDICT_USAGE, "5.3.5 neither maildir nor mbox: %s", argv[1]);
}

int
main(int argc, char *argv[])
{
	struct verdict v = { VERDICT_OK, "" };
	char line[VERDICT_TEXT_MAX + 1];

	umask(077);
	set_signals();
	if (run(argc, argv, &v) == -1) {
		text_printable(line, VERDICT_TEXT_MAX, v.text);
		strcat(line, "\n");
		if (write(STDERR_FILENO, line, strlen(line)) == -1)
			return (int)v.code; /* there is nobody to tell */
	}
	return (int)v.code;
}

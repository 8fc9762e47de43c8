#include "tools/smtpctl/complete.h"

#include <stdio.h>
#include <string.h>

#include "lib/cli/exitcode.h"

static const char options[] =
    "--socket --json --help --count --duration --on --reason --why --from "
    "--for --version";

static size_t
first_len(const char *command)
{
	return strcspn(command, " ");
}

/* Whether an earlier command begins with the same word. */
static bool
seen(size_t i)
{
	size_t k, len = first_len(words[i].words);

	for (k = 0; k < i; k++)
		if (first_len(words[k].words) == len &&
		    strncmp(words[k].words, words[i].words, len) == 0)
			return true;
	return false;
}

/* The second words behind that of command i, with a space before each. */
static void
put_second(FILE *to, size_t i)
{
	size_t k, len = first_len(words[i].words);

	for (k = i; k < nwords; k++)
		if (first_len(words[k].words) == len &&
		    strncmp(words[k].words, words[i].words, len) == 0 &&
		    words[k].words[len] == ' ')
			fprintf(to, " %s", words[k].words + len + 1);
}

static void
for_bash(FILE *to)
{
	size_t i, len;

	fputs("_smtpctl()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words=\n"
	      "\tcase $COMP_CWORD:${COMP_WORDS[1]} in\n\t1:*) words=\"",
	    to);
	for (i = 0; i < nwords; i++)
		if (!seen(i))
			fprintf(to, " %.*s", (int)first_len(words[i].words),
			    words[i].words);
	fputs("\" ;;\n", to);
	for (i = 0; i < nwords; i++) {
		len = first_len(words[i].words);
		if (seen(i) || words[i].words[len] == '\0')
			continue;
		fprintf(to, "\t2:%.*s) words=\"", (int)len, words[i].words);
		put_second(to, i);
		fputs("\" ;;\n", to);
	}
	fprintf(to,
	    "\tesac\n\tcase $cur in -*) words=\"%s\" ;; esac\n"
	    "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
	    "complete -F _smtpctl smtpctl\n",
	    options);
}

/* It reads what is written for bash. */
static void
for_zsh(FILE *to)
{
	fputs("autoload -U +X compinit bashcompinit\n"
	      "compinit\nbashcompinit\n",
	    to);
	for_bash(to);
}

static void
for_fish(FILE *to)
{
	size_t i, len;

	fputs("complete -c smtpctl -f\n", to);
	for (i = 0; i < nwords; i++) {
		len = first_len(words[i].words);
		if (!seen(i))
			fprintf(to,
			    "complete -c smtpctl -n __fish_use_subcommand -a "
			    "%.*s\n",
			    (int)len, words[i].words);
		if (words[i].words[len] == ' ')
			fprintf(to,
			    "complete -c smtpctl -n "
			    "'__fish_seen_subcommand_from %.*s' -a %s -d "
			    "'%s'\n",
			    (int)len, words[i].words, words[i].words + len + 1,
			    words[i].about);
	}
}

int
complete_run(
    struct session *s, const struct action *a, int argc, char *const argv[])
{
	static const struct {
		const char *shell;
		void (*put)(FILE *to);
	} shells[] = {
		{ "bash", for_bash },
		{ "zsh", for_zsh },
		{ "fish", for_fish },
	};
	size_t i;

	(void)a;
	(void)argc;
	for (i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(argv[0], shells[i].shell) != 0)
			continue;
		shells[i].put(stdout);
		return EXIT_DONE;
	}
	return session_fail(
	    s, EXIT_USAGE, "completion is for bash, zsh or fish");
}

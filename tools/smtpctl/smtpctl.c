/*
 * smtpctl - sees and steers the daemon and its queue (smtpctl.8)
 *
 * Finds the command, has its action run, and ends with its exit code. All
 * knowledge of mail is the daemon's.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "lib/base/version.h"
#include "lib/cli/exitcode.h"
#include "lib/proto/ctl.h"
#include "tools/smtpctl/words.h"

#define OUT_BUFFER (256u * 1024)
#define REASON_MAX 200
#define PAUSE_MAX INT64_C(31449600) /* seconds: 52 weeks */

static const char synopsis[] =
    "usage: smtpctl [-j] [-s SOCKET] COMMAND [ARGUMENT...]\n";

static void
print_help(FILE *to, const char *topic)
{
	struct buf *b = buf_new(64 * 1024);

	buf_puts(b, synopsis);
	grammar_help(words, nwords, topic, b);
	if (topic == NULL)
		buf_puts(b,
		    "Words may be shortened. COMMAND --help tells more; "
		    "-j prints JSON lines.\n");
	fwrite(buf_data(b), 1, buf_len(b), to);
	buf_free(b);
}

static int
explain(const struct grammar_command *c)
{
	struct buf *b = buf_new(64 * 1024);

	grammar_explain(c, "smtpctl", b);
	fwrite(buf_data(b), 1, buf_len(b), stdout);
	buf_free(b);
	return EXIT_DONE;
}

static int
usage_error(struct session *s, const char *text)
{
	return session_fail(s, EXIT_USAGE, text);
}

enum {
	OPT_ON = 256,
	OPT_REASON,
	OPT_WHY,
	OPT_FROM,
	OPT_FOR,
	OPT_VERSION
};

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "count", required_argument, NULL, 'c' },
	{ "duration", required_argument, NULL, 'd' },
	{ "on", no_argument, NULL, OPT_ON },
	{ "reason", required_argument, NULL, OPT_REASON },
	{ "why", no_argument, NULL, OPT_WHY },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "for", required_argument, NULL, OPT_FOR },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* Those that only some commands take. */
static int
take_special(struct session *s, int opt)
{
	switch (opt) {
	case OPT_WHY:
		s->o.why = true;
		s->o.given |= GIVEN_WHY;
		return -1;
	case OPT_FROM:
		s->o.from = optarg;
		s->o.given |= GIVEN_FROM;
		return -1;
	default:
		s->o.given |= GIVEN_FOR;
		if (text_span_parse(optarg, &s->o.pause) && s->o.pause > 0 &&
		    s->o.pause <= PAUSE_MAX)
			return -1;
		return usage_error(
		    s, "--for takes a time up to 52w: 30m, 2h, 1d12h");
	}
}

/* An option that would do nothing is said, not ignored: a pause that was to
 * end by itself must not last for ever. */
static int
check_options(struct session *s, const struct action *a)
{
	static const struct {
		unsigned bit;
		const char *text;
	} options[] = {
		{ GIVEN_WHY, "--why is for show routes and show relays" },
		{ GIVEN_FROM, "--from is for explain" },
		{ GIVEN_FOR,
		    "--for is for pause route, pause source and pause relay" },
	};
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if ((s->o.given & options[i].bit & ~a->takes) != 0)
			return usage_error(s, options[i].text);
	return EXIT_DONE;
}

/* -1, or the exit code with which all is over. */
static int
take_option(struct session *s, int opt)
{
	switch (opt) {
	case 's':
		s->o.socket = optarg;
		return -1;
	case 'j':
		s->o.json = true;
		return -1;
	case 'h':
		s->o.help = true;
		return -1;
	case 'c':
		if (text_number(optarg, UINT64_MAX >> 1, &s->o.count) &&
		    s->o.count > 0)
			return -1;
		return usage_error(s, "-c takes a number of lines");
	case 'd':
		if (text_span_parse(optarg, &s->o.seconds) && s->o.seconds > 0)
			return -1;
		return usage_error(s, "-d takes a time: 30s, 5m, 1h");
	case OPT_ON:
		s->o.sticky = true;
		return -1;
	case OPT_REASON:
		s->o.reason = optarg;
		if (strlen(optarg) <= REASON_MAX)
			return -1;
		return usage_error(s, "the reason is too long: at most 200");
	case OPT_WHY:
	case OPT_FROM:
	case OPT_FOR:
		return take_special(s, opt);
	case OPT_VERSION:
		printf("smtpctl (spoolkit %s)\n", SPOOLKIT_VERSION);
		return EXIT_DONE;
	default:
		fputs(synopsis, stderr); /* getopt has named the option */
		return EXIT_USAGE;
	}
}

static int
help(struct session *s, int argc, char *const argv[])
{
	const struct grammar_command *c;
	struct buf *why = buf_new(4096);
	size_t i;
	int used = 0, code = EXIT_DONE;

	if (argc == 0) {
		print_help(stdout, NULL);
		goto out;
	}
	c = grammar_words(words, nwords, argc, argv, &used, why);
	if (c != NULL) {
		explain(c);
		goto out;
	}
	/* The first word alone: what it begins. */
	for (i = 0; i < nwords; i++)
		if (strncmp(words[i].words, argv[0], strlen(argv[0])) == 0)
			break;
	if (i < nwords && argc == 1)
		print_help(stdout, argv[0]);
	else
		code = usage_error(s, buf_text(why));
out:
	buf_free(why);
	return code;
}

static int
run(struct session *s, int argc, char *const argv[])
{
	const struct grammar_command *c;
	const struct action *a;
	struct buf *why = buf_new(4096);
	int used = 0, code;

	if (argc == 0 && !s->o.help) {
		print_help(stderr, NULL);
		buf_free(why);
		return EXIT_USAGE;
	}
	if (argc == 0 || s->o.help) {
		buf_free(why);
		return help(s, argc, argv);
	}
	c = grammar_find(words, nwords, argc, argv, &used, why);
	if (c == NULL) {
		code = usage_error(s, buf_text(why));
	} else if (c->bound == NULL) {
		code = help(s, argc - used, argv + used);
	} else {
		a = c->bound;
		s->command = c->words;
		s->form = a->form;
		code = check_options(s, a);
		if (code == EXIT_DONE)
			code = a->run(s, a, argc - used, argv + used);
	}
	buf_free(why);
	return code;
}

static char *mailq_words[] = { "mailq", NULL };

int
main(int argc, char *argv[])
{
	struct session s = { .o = { .reason = "" } };
	const char *env = getenv("SMTPD_CONTROL"), *base;
	int opt, code = -1;

	mono_open_test_clock(); /* ages as the daemon under test sees them */
	setvbuf(stdout, NULL, _IOFBF, OUT_BUFFER);
	s.o.socket = env != NULL && env[0] != '\0' ? env : CTL_SOCKET;
	while (code == -1 &&
	    (opt = getopt_long(argc, argv, "s:jhc:d:", long_options, NULL)) !=
		-1)
		code = take_option(&s, opt);
	base =
	    strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
	if (code == -1 && strcmp(base, "mailq") == 0 && optind == argc)
		code = run(&s, 1, mailq_words);
	else if (code == -1)
		code = run(&s, argc - optind, argv + optind);
	if (fflush(stdout) == EOF && code == EXIT_DONE) {
		fprintf(stderr, "smtpctl: EX_IOERR: writing failed\n");
		code = EXIT_IOERR;
	}
	session_close(&s);
	return code;
}

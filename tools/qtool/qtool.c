/*
 * qtool - works on a spool, with or without its daemon (qtool.8)
 *
 * Finds the command, has its action run, and ends with its exit code.
 */
#include "tools/qtool/qtool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "lib/base/version.h"
#include "lib/cli/terminal.h"
#include "queue/lock.h"
#include "tools/qtool/commands.h"
#include "tools/qtool/settings.h"

#define OUT_BUFFER (256u * 1024)
#define JOBS_MAX 64
#define HELP_MAX (64u * 1024)

static const char synopsis[] =
    "usage: qtool [-jqv] [-d SPOOL] [-c CONF] [--keyring FILE]\n"
    "           [--passphrase-file FILE] [--jobs N] COMMAND [ARGUMENT...]\n";

enum {
	OPT_KEYRING = QTOOL_OPTION_LAST,
	OPT_PASSPHRASE,
	OPT_JOBS,
	OPT_VERSION
};

#define LETTERS "jqvhd:c:"
static const struct option everywhere[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "dir", required_argument, NULL, 'd' },
	{ "conf", required_argument, NULL, 'c' },
	{ "keyring", required_argument, NULL, OPT_KEYRING },
	{ "passphrase-file", required_argument, NULL, OPT_PASSPHRASE },
	{ "jobs", required_argument, NULL, OPT_JOBS },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

void
qtool_begin(struct qtool *t, enum out_form form)
{
	static char host[256];
	struct out_options o = { .form = t->o.json ? OUT_JSON : form,
		.wide = t->wide,
		.to = stdout,
		.width = terminal_width(),
		.now = t->now,
		.host = host,
		.command = t->command != NULL ? t->command->words : "",
		.selector = t->selector };

	if (gethostname(host, sizeof(host) - 1) == -1)
		host[0] = '\0';
	t->out = out_new(&o);
}

int
qtool_end(struct qtool *t, int code, uint64_t done, uint64_t skipped,
    const char *text)
{
	struct out_end end = {
		.status = code, .done = done, .skipped = skipped, .text = text
	};

	out_finish(t->out, &end);
	return code;
}

int
qtool_fail(struct qtool *t, int code, const char *fmt, ...)
{
	struct out_end end = { .status = code };
	char text[1024], clean[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	end.text = text;
	if (t->o.json) {
		if (t->out == NULL)
			qtool_begin(t, OUT_JSON);
		out_finish(t->out, &end);
	}
	fflush(stdout);
	fprintf(stderr, "qtool: %s: %s\n", exitcode_name((enum exitcode)code),
	    text_printable(clean, sizeof(clean), text));
	return code;
}

void
qtool_note(struct qtool *t, const char *fmt, ...)
{
	char text[1024], clean[2048];
	va_list ap;

	if (t->o.quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fflush(stdout);
	fprintf(
	    stderr, "qtool: %s\n", text_printable(clean, sizeof(clean), text));
}

int
qtool_spool(struct qtool *t)
{
	char err[512];

	if (t->spool != NULL)
		return EXIT_DONE;
	t->spool = settings_spool(t->o.spool, t->o.conf, err, sizeof(err));
	return t->spool != NULL ? EXIT_DONE
				: qtool_fail(t, EXIT_CONFIG, "%s", err);
}

int
qtool_keys(struct qtool *t)
{
	char err[512];

	if (t->keys != NULL)
		return EXIT_DONE;
	switch (settings_keys(t->o.keyring, t->o.conf, t->o.passphrase_file,
	    &t->keys, err, sizeof(err))) {
	case 0:
		return EXIT_DONE;
	case 1:
		qtool_note(t, "%s; what is sealed stays locked", err);
		return EXIT_DONE;
	default:
		return qtool_fail(t, EXIT_CONFIG, "%s", err);
	}
}

int
qtool_open(struct qtool *t)
{
	struct view_options o = { .jobs = t->o.jobs };
	struct lock_owner owner;
	char err[512];
	int code = qtool_spool(t);

	if (code == EXIT_DONE)
		code = qtool_keys(t);
	if (code != EXIT_DONE)
		return code;
	o.path = t->spool;
	o.keys = t->keys;
	t->view = view_open(&o, err, sizeof(err));
	if (t->view == NULL)
		return qtool_fail(t, EXIT_NOINPUT, "%s", err);
	t->busy =
	    lock_look(view_layout(t->view)->root, &owner) == 0 && owner.held;
	if (view_journal(t->view)->alarm[0] != '\0')
		qtool_note(t, "%s", view_journal(t->view)->alarm);
	return EXIT_DONE;
}

int
qtool_lock(struct qtool *t, int *fd)
{
	struct lock_owner owner;
	char err[512];

	*fd =
	    lock_take(view_layout(t->view), "qtool", &owner, err, sizeof(err));
	if (*fd != -1)
		return EXIT_DONE;
	return qtool_fail(
	    t, owner.held ? EXIT_TEMPFAIL : EXIT_IOERR, "%s", err);
}

static void
print_help(FILE *to)
{
	struct buf *b = buf_new(HELP_MAX);

	buf_puts(b, synopsis);
	grammar_help(commands, ncommands, NULL, b);
	buf_puts(b,
	    "Words may be shortened. COMMAND --help tells more; -j prints JSON "
	    "lines.\n");
	fwrite(buf_data(b), 1, buf_len(b), to);
	buf_free(b);
}

static int
explain(const struct grammar_command *c)
{
	struct buf *b = buf_new(HELP_MAX);

	grammar_explain(c, "qtool", b);
	fwrite(buf_data(b), 1, buf_len(b), stdout);
	buf_free(b);
	return EXIT_DONE;
}

/* One of those every command has. False: it is the command's. */
static bool
take_option(struct qtool *t, int opt)
{
	uint64_t n;

	switch (opt) {
	case 'j':
		t->o.json = true;
		return true;
	case 'q':
		t->o.quiet = true;
		return true;
	case 'v':
		t->o.verbose = true;
		return true;
	case 'h':
		t->o.help = true;
		return true;
	case 'd':
		t->o.spool = optarg;
		return true;
	case 'c':
		t->o.conf = optarg;
		return true;
	case OPT_KEYRING:
		t->o.keyring = optarg;
		return true;
	case OPT_PASSPHRASE:
		t->o.passphrase_file = optarg;
		return true;
	case OPT_JOBS:
		if (!text_number(optarg, JOBS_MAX, &n) || n == 0) {
			fprintf(stderr,
			    "qtool: EX_USAGE: --jobs takes a number from 1 to "
			    "%d\n",
			    JOBS_MAX);
			exit(EXIT_USAGE);
		}
		t->o.jobs = (unsigned)n;
		return true;
	case OPT_VERSION:
		printf("qtool (spoolkit %s)\n", SPOOLKIT_VERSION);
		exit(EXIT_DONE);
	default:
		return false;
	}
}

/* Ours behind the command's, whose letters go first. */
static void
merge_options(struct qtool *t, const struct option *longs)
{
	size_t n = 0, i;

	for (; longs != NULL && longs[n].name != NULL; n++)
		t->longs[n] = longs[n];
	for (i = 0; i < sizeof(everywhere) / sizeof(everywhere[0]); i++)
		t->longs[n + i] = everywhere[i];
}

static bool
right_number(struct qtool *t, int n)
{
	const struct grammar_command *c = t->command;

	if (n >= 0 && (unsigned)n >= c->min && (unsigned)n <= c->max)
		return true;
	qtool_fail(t, EXIT_USAGE, "too %s arguments; usage: qtool %s%s%s",
	    (unsigned)n < c->min ? "few" : "many", c->words,
	    c->args[0] != '\0' ? " " : "", c->args);
	return false;
}

int
qtool_getopt(struct qtool *t, int argc, char *argv[], const char *letters,
    const struct option *longs)
{
	char all[96];
	int opt;

	snprintf(all, sizeof(all), "%s" LETTERS, letters);
	merge_options(t, longs);
	for (;;) {
		opt = getopt_long(argc, argv, all, t->longs, NULL);
		if (opt == '?') {
			qtool_fail(t, EXIT_USAGE, "see qtool %s --help",
			    t->command->words);
			return '?';
		}
		if (opt != -1 && !take_option(t, opt))
			return opt;
		if (opt == -1)
			break;
	}
	if (t->o.help)
		exit(explain(t->command));
	return right_number(t, argc - optind) ? -1 : '?';
}

static int
help(struct qtool *t, int argc, char *argv[])
{
	const struct grammar_command *c;
	struct buf *why = buf_new(4096);
	int used = 0, code = EXIT_DONE;

	if (argc == 0) {
		print_help(stdout);
	} else {
		c = grammar_words(commands, ncommands, argc, argv, &used, why);
		if (c != NULL)
			explain(c);
		else
			code = qtool_fail(t, EXIT_USAGE, "%s", buf_text(why));
	}
	buf_free(why);
	return code;
}

static int
run(struct qtool *t, int argc, char *argv[])
{
	static char name[] = "qtool";
	const struct qtool_action *a;
	struct buf *why;
	int used = 0, code;

	if (argc == 0 || t->o.help) {
		if (t->o.help)
			return help(t, argc, argv);
		print_help(stderr);
		return EXIT_USAGE;
	}
	why = buf_new(4096);
	t->command = grammar_words(commands, ncommands, argc, argv, &used, why);
	if (t->command == NULL) {
		code = qtool_fail(t, EXIT_USAGE, "%s", buf_text(why));
	} else if (t->command->bound == NULL) {
		code = help(t, argc - used, argv + used);
	} else {
		a = t->command->bound;
		/* 0: getopt_long(3) begins anew, with another order. Its
		 * complaints begin with the name. */
		optind = 0;
		argv[used - 1] = name;
		code = a->run(t, argc - used + 1, argv + used - 1);
	}
	buf_free(why);
	return code;
}

int
main(int argc, char *argv[])
{
	struct qtool t = { .o = { 0 } };
	int opt, code = -1;

	log_open("qtool", true);
	mono_open_test_clock();
	t.now = mono_wall();
	setvbuf(stdout, NULL, _IOFBF, OUT_BUFFER);
	/* Up to the command; the rest is the command's to read. */
	while (code == -1 &&
	    (opt = getopt_long(argc, argv, "+" LETTERS, everywhere, NULL)) !=
		-1) {
		if (take_option(&t, opt))
			continue;
		fputs(synopsis, stderr); /* getopt has named the option */
		code = EXIT_USAGE;
	}
	if (code == -1)
		code = run(&t, argc - optind, argv + optind);
	if (fflush(stdout) == EOF && code == EXIT_DONE) {
		fprintf(stderr, "qtool: EX_IOERR: writing failed\n");
		code = EXIT_IOERR;
	}
	out_free(t.out);
	view_close(t.view);
	settings_forget(t.keys);
	free(t.spool);
	return code;
}

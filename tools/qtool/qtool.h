/*
 * qtool - one run of the tool: its options, the spool, what is printed
 *
 * A command is a row of commands.c and one file, whose run() reads its own
 * options with qtool_getopt(), opens what it needs and returns an exit code.
 * Reading commands open a view, which changes nothing; writing ones take the
 * lock of the spool first.
 */
#ifndef TOOLS_QTOOL_QTOOL_H
#define TOOLS_QTOOL_QTOOL_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/cli/exitcode.h"
#include "lib/cli/grammar.h"
#include "lib/cli/out.h"
#include "queue/keyring.h"
#include "queue/view.h"

#define QTOOL_OPTIONS 48 /* long ones of one command, ours included */
/* The long options of a command that have no letter count from the one up to
 * the other. */
#define QTOOL_OPTION_FIRST 256
#define QTOOL_OPTION_LAST 1024

struct qtool_options {
	bool json, quiet, verbose, help;
	const char *spool, *conf, *keyring, *passphrase_file;
	unsigned jobs; /* 0: one a processor */
};

struct qtool {
	struct qtool_options o;
	const struct grammar_command *command;
	char *spool; /* once qtool_spool() has found it */
	struct keyring *keys; /* after qtool_keys(); NULL: there is no ring */
	struct view *view;
	struct out *out;
	bool wide; /* tables of envelopes: to be set before qtool_begin() */
	const char *selector; /* the same; NULL: none */
	int64_t now; /* seconds since the epoch */
	bool busy; /* a daemon, or another tool, works on the spool */
	struct option longs[QTOOL_OPTIONS]; /* of the command at hand */
};

struct qtool_action {
	int (*run)(struct qtool *t, int argc, char *argv[]);
};

/* Prints an error line, and with -j its object; returns code. */
int qtool_fail(struct qtool *t, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Something to know, on stderr; not with -q. */
void qtool_note(struct qtool *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The next option of a command, as getopt_long has it, in any place among the
 * arguments; those that every command has are taken on the way. argv[0] is the
 * command's last word. -1: no more, optind is the first argument, and their
 * number fits; '?': wrong, and said so: return EXIT_USAGE. longs ends with a
 * row of zeros.
 */
int qtool_getopt(struct qtool *t, int argc, char *argv[], const char *letters,
    const struct option *longs);

/* Each: 0, or an exit code whose error was printed. */
int qtool_spool(struct qtool *t); /* finds t->spool */
int qtool_keys(struct qtool *t); /* t->keys, asking for a passphrase */
int qtool_open(struct qtool *t); /* t->view, with the keys there are */
/* Takes the lock of the spool for the rest of the run. */
int qtool_lock(struct qtool *t, int *fd);

/* Makes t->out; form is for people, -j overrides it. */
void qtool_begin(struct qtool *t, enum out_form form);
/* Ends it and returns code. */
int qtool_end(struct qtool *t, int code, uint64_t done, uint64_t skipped,
    const char *text);

#endif

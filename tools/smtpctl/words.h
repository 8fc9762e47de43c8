/*
 * words - the commands of smtpctl, bound to what runs them
 */
#ifndef TOOLS_SMTPCTL_WORDS_H
#define TOOLS_SMTPCTL_WORDS_H

#include <stddef.h>

#include "lib/cli/grammar.h"
#include "tools/smtpctl/session.h"

enum ids {
	IDS_NONE, /* no arguments, or not ids */
	IDS_PREFIX, /* ids or their beginnings: for reading */
	IDS_WHOLE, /* message or envelope ids */
	IDS_ALL /* the same, or the word all */
};

struct action {
	int (*run)(struct session *s, const struct action *a, int argc,
	    char *const argv[]);
	enum out_form form;
	enum ids ids;
	const char *command; /* for the daemon, where it is not the words */
	const char *arg; /* of the above */
	unsigned takes; /* of enum option_given */
};

extern const struct grammar_command words[];
extern const size_t nwords;

#endif

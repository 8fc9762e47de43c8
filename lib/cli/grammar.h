/*
 * grammar - command words from a table
 *
 * A command is one or more words and then arguments. Words may be shortened as
 * long as they are unambiguous; what is wrong is answered with what would have
 * been right. Help is printed from the same table. No state, no output of its
 * own: texts go to the caller's buffer.
 */
#ifndef LIB_CLI_GRAMMAR_H
#define LIB_CLI_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"

struct grammar_command {
	const char *words; /* "pause envelope" */
	const char *args; /* for people: "ID...|all"; "" for none */
	unsigned min, max; /* arguments */
	const char *about; /* one line */
	const char *more; /* further help, or NULL */
	const void *bound; /* whatever the tool binds to it */
};

#define GRAMMAR_MANY 0xffffffffu /* max: any number */

/*
 * The command argv[0..argc) begins with, and in *used how many of them are its
 * words. NULL when there is none, or when its arguments are too few or too
 * many; why then says what would have been right, without a line end.
 */
const struct grammar_command *grammar_find(const struct grammar_command *table,
    size_t n, int argc, char *const argv[], int *used, struct buf *why);

/* The same, whatever its arguments: for help. */
const struct grammar_command *grammar_words(const struct grammar_command *table,
    size_t n, int argc, char *const argv[], int *used, struct buf *why);

/* The one of names that word is, or begins unambiguously; -1 with a reason
 * as above. what names the kind: "subsystem". */
int grammar_choose(const char *const *names, size_t n, const char *what,
    const char *word, struct buf *why);

/* All commands, a line each; those whose words begin with topic when it is
 * not NULL. */
void grammar_help(const struct grammar_command *table, size_t n,
    const char *topic, struct buf *out);
/* One command wholly. */
void grammar_explain(
    const struct grammar_command *c, const char *program, struct buf *out);

#endif

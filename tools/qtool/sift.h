/*
 * sift - which envelopes a command is about
 *
 * Put together from a selector (selector.7) among the arguments, its short
 * options, and ids, also from standard input; then the spool is walked, and
 * what is meant is shown, in several threads, each with a part of its own as
 * in view.h.
 */
#ifndef TOOLS_QTOOL_SIFT_H
#define TOOLS_QTOOL_SIFT_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/qtool/qtool.h"
#include "tools/qtool/sight.h"

struct sift;

struct sift *sift_new(struct qtool *t);
void sift_free(struct sift *f); /* NULL is accepted */

/* For qtool_getopt(), in front of a command's own. */
#define SIFT_LETTERS "f:r:o:y:e:S:R:w:"
#define SIFT_LONGS                                                             \
	{                                                                      \
		"explain", no_argument, NULL, SIFT_EXPLAIN                     \
	}
enum {
	SIFT_EXPLAIN = QTOOL_OPTION_LAST - 1
};
#define SIFT_HELP                                                              \
	"Envelopes are named by a selector (selector(7)), or by ids: 12 hex\n" \
	"digits are a message, 16 an envelope, 6 or more the beginning of\n"   \
	"ids; - reads ids from standard input.\n"                              \
	"  -f ADDR  sender        -r ADDR   recipient     -o 3d    older\n"    \
	"  -y 1h    younger       -e TEXT   error         -S STATE state\n"    \
	"  -R ROUTE route         -w EXPR   selector      --explain"

/* 0: it was none of ours; 1: taken; -1: wrong, and said so. */
int sift_option(struct sift *f, int opt);
/* The arguments. Without any, and no option, everything is meant, unless
 * must. 0 or an exit code. */
int sift_arguments(struct sift *f, int argc, char *argv[], bool must);

bool sift_explains(const struct sift *f);
bool sift_is_all(const struct sift *f);

struct sift_visitor {
	void *(*begin)(void *ctx); /* in a worker */
	void (*sight)(void *part, const struct sight *s);
	bool (*end)(void *ctx, void *part); /* false: enough */
	void *ctx;
};

struct sift_sums {
	uint64_t seen, matched, locked;
	char kid[KEYRING_KID + 1]; /* one that is not at hand */
};

/* The walk draws a progress bar on a terminal. */
void sift_bar(struct sift *f);
/* want as for view_walk(), for the command's own sake. 0, or an exit code:
 * NOINPUT when an id names nothing. Says on stderr what is locked. */
int sift_walk(struct sift *f, const struct sift_visitor *to, unsigned want,
    struct sift_sums *sums);
/* Prints what --explain shows. */
void sift_explain(struct sift *f, const struct sift_sums *sums);

#endif

/*
 * tree - the names of a spool outside its buckets, and one bucket's names
 */
#ifndef TOOLS_QTOOL_TREE_H
#define TOOLS_QTOOL_TREE_H

#include <sys/stat.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/qtool/survey.h"

#define TREE_NAME_MAX 320 /* "queue/3f/" and the longest name there is */

struct tree_item {
	uint64_t id; /* evpid; of a message with recipient number 0 */
	enum inspect_kind kind;
	bool stray; /* in another's bucket */
	bool sound; /* may be opened */
	bool covered; /* nothing in it, and the journal has it */
	struct stat st;
	char file[]; /* relative to the spool */
};

/*
 * Reads a bucket's names, judges each by its name and attributes. Items come by
 * id, so that a message leads its envelopes; those in a wrong bucket and those
 * that are not ours are last. The caller frees each and the list.
 */
struct tree_item **tree_bucket(const struct survey_options *o, unsigned bucket,
    size_t *n, struct problems *p);

/* All that is not in a bucket. */
void tree_rest(const struct survey_options *o, struct problems *p);

#endif

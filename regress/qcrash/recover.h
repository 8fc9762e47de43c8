/*
 * recover - the real recovery of one spool, in a process of its own
 *
 * Opens it as the spooler does, loads, reads every body, settles, closes: in a
 * forked child with five seconds to live. Then the tree is held against what
 * was said of it.
 */
#ifndef REGRESS_QCRASH_RECOVER_H
#define REGRESS_QCRASH_RECOVER_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/queue.h"
#include "regress/qcrash/duty.h"
#include "regress/qcrash/outcome.h"
#include "regress/qcrash/qtrace.h"

struct recovery {
	struct queue_options options; /* path is set by recover() */
	const struct duty *duty; /* knows how long bodies are */
	struct qtrace_log *log; /* of what recovery does; NULL: none */
	bool verbose; /* the library's log goes to stderr */
};

/* o lies in memory that a child can write. Complaints of any kind are in it. */
void recover(const struct recovery *r, const char *dir, struct outcome *o);

/* NULL, or why the files below dir after it are not what o found (I4 to I6).
 * The text is static. */
const char *recover_tree(const char *dir, const struct outcome *o);

/* NULL, or how two recoveries of one spool differ. */
const char *recover_same(const struct outcome *a, const struct outcome *b);

#endif

/*
 * atrest - a spool for a tool that rewrites its files
 *
 * Locked, and its journal empty: files say everything. Where the journal still
 * holds something it is settled first, by the library, as a start and a stop of
 * the daemon would do it.
 */
#ifndef TOOLS_QTOOL_ATREST_H
#define TOOLS_QTOOL_ATREST_H

#include "tools/qtool/qtool.h"

struct atrest {
	struct layout layout;
	int lock;
};

/* 0, or an exit code whose error was printed. t->view is that of the spool at
 * rest. */
int atrest_open(struct atrest *a, struct qtool *t);
void atrest_close(struct atrest *a);

#endif

/*
 * keyfile - the files of keys that a configuration names
 *
 * The parent alone can read them. It hands what is in them to the spooler by
 * pipes, keeps nothing, and does not know what it means.
 */
#ifndef DAEMON_PARENT_KEYFILE_H
#define DAEMON_PARENT_KEYFILE_H

#include <stddef.h>

#include "daemon/conf/conf.h"
#include "daemon/edge/start.h"

struct keyfile {
	int fds[START_SECRETS]; /* to be read to their ends; -1: none */
};

/* What can be said without reading them. 0, or -1 with file:line: text in
 * err. */
int keyfile_check(const struct conf *c, char *err, size_t errlen);
/* The same, and the descriptors; all -1 when there are no keys. */
int keyfile_open(
    const struct conf *c, struct keyfile *k, char *err, size_t errlen);
void keyfile_close(struct keyfile *k);

#endif

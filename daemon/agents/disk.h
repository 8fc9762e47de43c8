/*
 * disk - what both kinds of mailbox need of the file system
 */
#ifndef DAEMON_AGENTS_DISK_H
#define DAEMON_AGENTS_DISK_H

#include <stddef.h>

#include "daemon/agents/verdict.h"

/* All of it, or -1 with v set. */
int disk_write(
    int fd, const char *data, size_t len, const char *path, struct verdict *v);
/* Opens a directory below dirfd. -1 with errno. */
int disk_opendir(int dirfd, const char *name, int flags);
/* Creates a directory (0700) below dirfd, unless it is there, and makes its
 * name durable. -1 with errno. */
int disk_mkdir(int dirfd, const char *name);
/* Opens the directory path, creating it and what is missing above it with
 * mode 0700; not the user's home. -1 with v set. */
int disk_make_path(const char *path, const char *home, struct verdict *v);

#endif

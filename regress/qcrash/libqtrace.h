/*
 * libqtrace - shared by its own files: the log, and the functions in front
 */
#ifndef REGRESS_QCRASH_LIBQTRACE_H
#define REGRESS_QCRASH_LIBQTRACE_H

#include <stdbool.h>
#include <sys/uio.h>

#include "regress/qcrash/qtrace.h"

#define QTRACE_NAME 128

/* An open descriptor below the root. */
struct qtrace_file {
	bool open, dir;
	uint64_t inode;
	char name[QTRACE_NAME];
};

void *qtrace_real(const char *name);
void qtrace_refuse(const char *what, const char *why) __attribute__((noreturn));
bool qtrace_on(void);

/* Around a call and its record; nothing else of the program runs between. */
void qtrace_enter(void);
void qtrace_leave(void);

/* NULL: the descriptor is none of ours. */
struct qtrace_file *qtrace_file(int fd);
void qtrace_opened(int fd, const char *name, bool dir, uint64_t inode);
/* The name below the root; false when it is elsewhere. */
bool qtrace_name(char name[QTRACE_NAME], int dirfd, const char *path);
/* Appends a record; its place. */
uint64_t qtrace_write(struct qtrace_record *r, const char *libc,
    const char *name, const char *other, const struct iovec *v, int n,
    size_t data);
/* The fault that is due for this call, or NULL. */
const struct qtrace_fault *qtrace_due(const char *libc, const char *name);
void qtrace_pause(bool all); /* as long as a flush takes */

#endif

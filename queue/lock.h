/*
 * lock - who works on a spool
 *
 * Looking takes nothing. A tool that writes takes the lock as the daemon does,
 * and keeps it until it ends; its line names it, so that others can say who is
 * in their way.
 */
#ifndef QUEUE_LOCK_H
#define QUEUE_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "queue/layout.h"

struct lock_owner {
	bool there; /* a LOCK file */
	bool held;
	long pid; /* as the line says; 0: it does not */
	char host[128];
	char program[64];
	int64_t since; /* when the line was written */
};

/* root is the spool's directory. -1 with errno when LOCK cannot be looked at;
 * a spool without the file is free. */
int lock_look(int root, struct lock_owner *o);

/*
 * Takes the lock for program. The fd, which holds it until it is closed; -1
 * with a sentence in err, and *o (may be NULL) tells whether somebody has it.
 */
int lock_take(const struct layout *l, const char *program, struct lock_owner *o,
    char *err, size_t errlen);

/* "spool locked by pid 4121 (smtpd on mx1) since 14:01:09Z" */
void lock_print(const struct lock_owner *o, char *text, size_t size);

#endif

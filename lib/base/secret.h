/*
 * secret - files that only their owner may see
 *
 * A secret's file is a regular one, not a symbolic link, of the caller's or of
 * root's, and its mode is 0400. Anything else is refused with the reason.
 */
#ifndef LIB_BASE_SECRET_H
#define LIB_BASE_SECRET_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Whole pages of zeros that are left out of core dumps and, where the system
 * lets us, never written to swap. size is what was asked for, both times. NULL
 * with errno. Freeing wipes.
 */
void *secret_room(size_t size);
void secret_room_free(void *room, size_t size); /* NULL is accepted */

/* The octets read; -1 with a sentence, without the path, in err. Data is wiped
 * then. A file of more than max octets is refused, and so is an empty one. */
ssize_t secret_read(
    const char *path, void *data, size_t max, char *err, size_t errlen);
/* The same of a descriptor that says nothing about modes: a memfd, a pipe. */
ssize_t secret_take(int fd, void *data, size_t max, char *err, size_t errlen);
/* What can be said without opening it: 0, or -1 with a sentence. What lies where
 * the caller may not look passes. */
int secret_check(const char *path, size_t max, char *err, size_t errlen);

#endif

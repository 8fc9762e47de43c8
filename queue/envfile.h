/*
 * envfile - what the library must know of an envelope's text
 *
 * Its id, and whether its check line is there and fits. All else is the
 * business of lib/mail/envelope.
 */
#ifndef QUEUE_ENVFILE_H
#define QUEUE_ENVFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENVFILE_MAX (128u * 1024) /* a longer file is no envelope */

enum envfile_state {
	ENVFILE_WHOLE,
	ENVFILE_TORN, /* no check line at its end */
	ENVFILE_EDITED /* a check line that does not fit */
};

enum envfile_state envfile_check(const char *text, size_t len);

/* The id line's value; 0 when there is none. */
uint64_t envfile_id(const char *text, size_t len);

/* The length of the first envelope of a record, 0 when there is no other. */
size_t envfile_first(const char *text, size_t len);

#endif

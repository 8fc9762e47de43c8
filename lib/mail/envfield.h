/*
 * envfield - the names of an envelope's text, and how each value is written
 *
 * One table row a name, in the order of writing; envelope.c walks it to read
 * and to print. Values are written with percent escapes for what is not plain
 * UTF-8 text, and for a space at either end.
 */
#ifndef LIB_MAIL_ENVFIELD_H
#define LIB_MAIL_ENVFIELD_H

#include <stddef.h>

#include "lib/base/buf.h"

struct envfield {
	const char *name;
	size_t at; /* offset of the member in struct envelope */
	unsigned flags;
	/* Reads a value as it stands in its line. NULL, or what is wrong. */
	const char *(*get)(void *member, const char *value, size_t len);
	/* Appends the line or lines, if there is anything to say. -1 when it
	 * does not fit, or a value that must be there is not (EINVAL). */
	int (*put)(struct buf *b, const struct envfield *f, const void *member);
};

#define ENVFIELD_NEEDED 1u /* the line must be there, with a value */
#define ENVFIELD_EVEN_ZERO 2u /* is written although it is zero */
#define ENVFIELD_REPEATS 4u /* may stand there more than once */
#define ENVFIELD_MAY_BE_EMPTY 8u /* is not, but its value */

#define ENVFIELDS 19u
extern const struct envfield envfields[ENVFIELDS];

int envfield_hex(char c); /* -1: not a hex digit */

#endif

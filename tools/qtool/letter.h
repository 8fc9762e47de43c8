/*
 * letter - what stands in a message, for selectors and for cat
 *
 * Read whole, up to a bound; what is beyond it is not looked at.
 */
#ifndef TOOLS_QTOOL_LETTER_H
#define TOOLS_QTOOL_LETTER_H

#include <stdint.h>

#include "queue/view.h"

#define LETTER_MAX (64u * 1024 * 1024)

struct letter;

/* NULL when it cannot be read. header: no more than the header is needed. */
struct letter *letter_open(struct view *v, uint64_t msgid, bool header);
void letter_free(struct letter *l); /* NULL is accepted */

/* The unfolded value of the first field of that name; NULL: there is none.
 * Lent until the next call. */
const char *letter_field(struct letter *l, const char *name);
/* All of it as one string; NUL octets have become spaces. */
const char *letter_text(const struct letter *l);

#endif

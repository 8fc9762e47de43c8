/*
 * content - what stands in a message, for selectors and for cat
 *
 * Read whole, up to a bound; what is beyond it is not looked at.
 */
#ifndef TOOLS_QTOOL_CONTENT_H
#define TOOLS_QTOOL_CONTENT_H

#include <stdint.h>

#include "queue/view.h"

#define CONTENT_MAX (64u * 1024 * 1024)

struct content;

/* NULL when it cannot be read. header: no more than the header is needed. */
struct content *content_open(struct view *v, uint64_t msgid, bool header);
void content_free(struct content *l); /* NULL is accepted */

/* The unfolded value of the first field of that name; NULL: there is none.
 * Lent until the next call. */
const char *content_field(struct content *l, const char *name);
/* All of it as one string; NUL octets have become spaces. */
const char *content_text(const struct content *l);
/* What stands behind the header. */
const char *content_body(const struct content *l);

#endif

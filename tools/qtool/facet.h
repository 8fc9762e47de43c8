/*
 * facet - one field of envelopes, as a key to count by
 *
 * The fields are those of selectors.
 */
#ifndef TOOLS_QTOOL_FACET_H
#define TOOLS_QTOOL_FACET_H

#include "tools/qtool/qtool.h"
#include "tools/qtool/sight.h"

#define FACET_NAME 96
#define FACET_TEXT 1024

struct facet {
	char name[FACET_NAME]; /* rcpt.domain */
	unsigned field; /* enum selector_field */
	char header[FACET_NAME]; /* of hdr."X-Name" */
};

/* 0, or an exit code: what is no field to count by is said. */
int facet_parse(struct facet *x, struct qtool *t, const char *name);
unsigned facet_want(const struct facet *x); /* for view_walk() */
/* Its value, "-" where there is none, cut to fit. Any thread. */
void facet_text(const struct facet *x, struct qtool *t, const struct sight *s,
    char text[FACET_TEXT]);

#endif

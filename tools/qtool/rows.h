/*
 * rows - envelopes as rows: in which order, with which fields
 *
 * Fields have the names of the JSON objects.
 */
#ifndef TOOLS_QTOOL_ROWS_H
#define TOOLS_QTOOL_ROWS_H

#include "tools/qtool/qtool.h"
#include "tools/qtool/sight.h"

struct rows;
struct rows_part; /* of one thread */

/* sort ("-age,rcpt") and fields ("evpid,rcpt") may be NULL. NULL and an exit
 * code when they name what is no field. Makes t->out. */
struct rows *rows_new(struct qtool *t, const char *sort, const char *fields,
    bool wide, int *code);
void rows_free(struct rows *r); /* NULL is accepted */
unsigned rows_want(const struct rows *r); /* for view_walk() */

struct rows_part *rows_part_new(void);
void rows_part_add(struct rows_part *p, const struct sight *s, bool busy);

/* Takes p. Unsorted, it shows at most so many rows; how many it did. */
uint64_t rows_add(struct rows *r, struct rows_part *p, uint64_t most);
/* Shows what was kept to be sorted. */
void rows_show(struct rows *r, uint64_t most);

#endif

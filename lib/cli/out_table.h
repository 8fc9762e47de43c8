/*
 * out_table - what the tables of out have in common; between them only
 */
#ifndef LIB_CLI_OUT_TABLE_H
#define LIB_CLI_OUT_TABLE_H

#include "lib/base/text.h"
#include "lib/cli/out_writer.h"

#define OUT_CELL_MAX 2048

struct out_layout {
	const char *type;
	const char *head; /* printed before the first row; NULL: none */
	void (*row)(struct out_shared *s, const struct row *r);
};

/* Remote text, cut to what is left of the line behind used columns. */
void out_put_rest(struct out_shared *s, unsigned used, const char *text);
/* A line of its own below a row, when there is something to say. */
void out_put_note(struct out_shared *s, const char *word, const char *text);
/* A span in five columns: 22h, not 22h10m; 12d, not 12d03h. */
const char *out_span_cell(char span[TEXT_SPAN_MAX], int64_t seconds);

/* Mail on its way out (out_outgoing.c). */
extern const struct out_layout out_outgoing[];
extern const size_t out_outgoing_n;

#endif

/*
 * row - a record taken apart, for the writers of out
 *
 * What it holds points into the record.
 */
#ifndef LIB_CLI_ROW_H
#define LIB_CLI_ROW_H

#include <stddef.h>
#include <stdint.h>

#include "lib/proto/record.h"

#define ROW_FIELDS 64 /* a record with more is malformed */

struct row {
	const char *type;
	struct record_field fields[ROW_FIELDS];
	size_t n;
};

/* -1 when the record is malformed. */
int row_read(struct row *r, const void *record, size_t len);

const struct record_field *row_field(const struct row *r, const char *name);
/* "" and 0 when there is no such field of that kind. */
const char *row_str(const struct row *r, const char *name);
uint64_t row_u64(const struct row *r, const char *name);

/* The second name of a time that is given as seconds since the epoch
 * (arrival_time: arrival); NULL for what is no time. */
const char *row_time_name(const char *name);

#endif

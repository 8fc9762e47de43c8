/*
 * out_writer - what a form of output does; between out and its writers only
 */
#ifndef LIB_CLI_OUT_WRITER_H
#define LIB_CLI_OUT_WRITER_H

#include "lib/cli/out.h"
#include "lib/cli/row.h"

struct out_stat { /* collected, to be shown in order */
	char *name;
	uint64_t value;
};

struct out_shared {
	struct out_options o;
	const void *layout; /* of the table whose head was printed last */
	uint64_t n; /* shown so far */
	uint64_t bytes; /* message sizes, for mailq */
	char last_msgid[24];
	struct out_stat *stats;
	size_t nstats;
};

struct out_writer {
	void (*begin)(struct out_shared *s);
	void (*row)(struct out_shared *s, const struct row *r);
	void (*line)(struct out_shared *s, const char *sub, uint64_t when_ms,
	    const char *text);
	void (*end)(struct out_shared *s, const struct out_end *e);
};

extern const struct out_writer out_list, out_detail, out_mailq, out_json;

#endif

#include "lib/cli/out.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/cli/out_writer.h"

struct out {
	struct out_shared s;
	const struct out_writer *writer;
};

struct out *
out_new(const struct out_options *o)
{
	static const struct out_writer *const writers[] = {
		[OUT_LIST] = &out_list,
		[OUT_DETAIL] = &out_detail,
		[OUT_MAILQ] = &out_mailq,
		[OUT_JSON] = &out_json,
	};
	struct out *out = mem_zalloc(sizeof(*out));

	out->s.o = *o;
	out->writer = writers[o->form];
	if (out->writer->begin != NULL)
		out->writer->begin(&out->s);
	return out;
}

void
out_free(struct out *out)
{
	size_t i;

	if (out == NULL)
		return;
	for (i = 0; i < out->s.nstats; i++)
		free(out->s.stats[i].name);
	free(out->s.stats);
	free(out);
}

int
out_record(struct out *out, const void *record, size_t len)
{
	struct row r;

	if (row_read(&r, record, len) == -1)
		return -1;
	out->s.n++;
	out->writer->row(&out->s, &r);
	return 0;
}

void
out_line(struct out *out, const char *sub, uint64_t when_ms, const char *text)
{
	out->s.n++;
	out->writer->line(&out->s, sub, when_ms, text);
}

uint64_t
out_count(const struct out *out)
{
	return out->s.n;
}

void
out_finish(struct out *out, const struct out_end *e)
{
	out->writer->end(&out->s, e);
}

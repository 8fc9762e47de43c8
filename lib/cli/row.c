#include "lib/cli/row.h"

#include <string.h>

int
row_read(struct row *r, const void *record, size_t len)
{
	struct unpack u;

	unpack_init(&u, record, len);
	r->type = record_type(&u);
	for (r->n = 0; r->n < ROW_FIELDS; r->n++)
		if (!record_next(&u, &r->fields[r->n]))
			break;
	return unpack_done(&u);
}

const struct record_field *
row_field(const struct row *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (strcmp(r->fields[i].name, name) == 0)
			return &r->fields[i];
	return NULL;
}

const char *
row_str(const struct row *r, const char *name)
{
	const struct record_field *f = row_field(r, name);

	return f != NULL && f->kind == RECORD_STR ? f->str : "";
}

uint64_t
row_u64(const struct row *r, const char *name)
{
	const struct record_field *f = row_field(r, name);

	if (f == NULL)
		return 0;
	if (f->kind == RECORD_I64)
		return f->i64 > 0 ? (uint64_t)f->i64 : 0;
	return f->kind == RECORD_U64 ? f->u64 : 0;
}

const char *
row_time_name(const char *name)
{
	static const struct {
		const char *epoch, *text;
	} times[] = {
		{ "arrival_time", "arrival" },
		{ "expires", "expires_at" },
		{ "last_try", "last_try_at" },
		{ "next_try", "next_try_at" },
		{ "started", "started_at" },
		{ "since", "since_at" },
		{ "until", "until_at" },
		{ "last_connect", "last_connect_at" },
		{ "last_error", "last_error_at" },
	};
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (strcmp(times[i].epoch, name) == 0)
			return times[i].text;
	return NULL;
}

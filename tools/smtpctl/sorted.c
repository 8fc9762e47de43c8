#include "tools/smtpctl/sorted.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/cli/exitcode.h"
#include "lib/proto/ctl_client.h"
#include "lib/proto/record.h"
#include "tools/smtpctl/request.h"

struct row {
	char *name; /* its first text; "" for what has none */
	size_t at; /* in the order of coming */
	uint8_t *record;
	size_t len;
};

struct rows {
	struct row *all;
	size_t n;
};

/* That of the daemon as a whole comes first. */
static char *
name_of(const void *record, size_t len)
{
	struct record_field f;
	struct unpack u;
	const char *type;

	unpack_init(&u, record, len);
	type = record_type(&u);
	if (type == NULL || strcmp(type, "status") == 0 ||
	    !record_next(&u, &f) || f.kind != RECORD_STR)
		return mem_strdup("");
	return mem_strdup(f.str);
}

static int
keep(struct session *s, void *arg, const void *record, size_t len)
{
	struct rows *rows = arg;
	struct row *r;

	(void)s;
	if ((rows->n & (rows->n - 1)) == 0) /* a power of two: it is full */
		rows->all = mem_rearray(rows->all,
		    rows->n == 0 ? 1 : 2 * rows->n, sizeof(*rows->all));
	r = &rows->all[rows->n];
	r->name = name_of(record, len);
	r->at = rows->n++;
	r->record = mem_zarray(len, 1);
	memcpy(r->record, record, len);
	r->len = len;
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int d = strcmp(x->name, y->name);

	if (d != 0)
		return d;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int
show(struct session *s, const struct rows *rows)
{
	size_t i;

	for (i = 0; i < rows->n; i++)
		if (out_record(s->out, rows->all[i].record, rows->all[i].len) ==
		    -1)
			return session_fail(
			    s, EXIT_PROTOCOL, "the daemon sent a bad record");
	return EXIT_DONE;
}

int
sorted_run(
    struct session *s, const struct action *a, int argc, char *const argv[])
{
	struct request_sums sum = { 0 };
	struct rows rows = { NULL, 0 };
	size_t i;
	int code = session_open(s);

	if (code != EXIT_DONE)
		return code;
	(void)ctl_client_ask(s->client, s->command, s->o.reason, 0,
	    (const char *const *)argv, (size_t)argc);
	code = request_answer(s, &sum, true, keep, &rows);
	if (code == EXIT_DONE) {
		if (rows.n > 0)
			qsort(rows.all, rows.n, sizeof(*rows.all), by_name);
		code = show(s, &rows);
	}
	for (i = 0; i < rows.n; i++) {
		free(rows.all[i].name);
		free(rows.all[i].record);
	}
	free(rows.all);
	return code == EXIT_DONE ? request_finish(s, a, &sum) : code;
}

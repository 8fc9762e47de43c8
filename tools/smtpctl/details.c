#include "tools/smtpctl/details.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/cli/exitcode.h"
#include "lib/cli/row.h"
#include "lib/mail/envelope.h"
#include "lib/proto/ctl_client.h"
#include "tools/smtpctl/request.h"

#define RECORD_MAX (2 * ENVELOPE_TEXT_MAX)

struct found {
	char (*ids)[IDENT_TEXT_MAX];
	size_t n;
};

static int
keep_id(struct session *s, void *arg, const void *record, size_t len)
{
	struct found *f = arg;
	struct row r;

	(void)s;
	if (row_read(&r, record, len) == -1)
		return -1;
	if (strcmp(r.type, "envelope") != 0)
		return 0;
	f->ids = mem_rearray(f->ids, f->n + 1, sizeof(f->ids[0]));
	strlcpy(f->ids[f->n++], row_str(&r, "evpid"), sizeof(f->ids[0]));
	return 0;
}

static void
put_text(struct buf *b, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0')
		record_str(b, name, value);
}

static void
put_envelope(struct buf *b, const struct envelope *e)
{
	char id[IDENT_TEXT_MAX];

	record_str(b, "evpid", ident_evpid_text(id, e->id));
	record_str(b, "msgid", ident_msgid_text(id, ident_msgid(e->id)));
	record_u64(b, "gen", e->generation);
	record_str(b, "state", envelope_state_name(e->state));
	record_str(b, "kind", envelope_kind_name(e->kind));
	put_text(b, "action", e->action);
	record_str(b, "sender", e->sender != NULL ? e->sender : "");
	put_text(b, "rcpt", e->recipient);
	put_text(b, "dest", e->destination);
	put_text(b, "from", e->from);
	record_i64(b, "arrival_time", e->arrived);
	record_i64(b, "expires", e->expires);
	record_u64(b, "tries", e->tries);
	record_i64(b, "last_try", e->last_try);
	record_i64(b, "next_try", e->next_try);
	put_text(b, "error", e->error);
	put_text(b, "dsn", e->dsn);
	put_text(b, "hold_reason", e->hold);
	record_u64(b, "suspect", e->suspect);
}

/* With -j: the text's fields, and the text where it cannot be read. */
static int
show_object(struct session *s, const char *text)
{
	struct buf *b = buf_new(RECORD_MAX);
	struct envelope e;
	char reason[256] = "";
	int rc;

	record_begin(b, "envelope");
	if (envelope_parse(&e, text, strlen(text), reason, sizeof(reason)) !=
	    ENVELOPE_BROKEN) {
		put_envelope(b, &e);
	} else {
		record_str(b, "text", text);
		record_str(b, "broken", reason);
	}
	envelope_clear(&e);
	rc = out_record(s->out, buf_data(b), buf_len(b));
	buf_free(b);
	return rc;
}

static int
show_text(struct session *s, void *arg, const void *record, size_t len)
{
	bool *first = arg;
	struct row r;

	if (!s->o.json) {
		if (!*first)
			putchar('\n');
		*first = false;
		return out_record(s->out, record, len);
	}
	if (row_read(&r, record, len) == -1)
		return -1;
	if (strcmp(r.type, "message") != 0)
		return out_record(s->out, record, len);
	return show_object(s, row_str(&r, "text"));
}

static int
ask(struct session *s, const char *command, const char *const *args, size_t n,
    struct request_sums *sum, request_row row, void *arg)
{
	(void)ctl_client_ask(s->client, command, s->o.reason, 0, args, n);
	return request_answer(s, sum, true, row, arg);
}

static int
show_found(struct session *s, const struct action *a, const struct found *f)
{
	struct request_sums all = { 0 }, sum;
	const char *id;
	bool first = true;
	size_t i;
	int code;

	for (i = 0; i < f->n; i++) {
		memset(&sum, 0, sizeof(sum));
		id = f->ids[i];
		code = ask(s, s->command, &id, 1, &sum, show_text, &first);
		if (code != EXIT_DONE)
			return code;
		if (sum.status > all.status) {
			all.status = sum.status;
			snprintf(all.text, sizeof(all.text), "%s: %.900s", id,
			    sum.text);
		}
		all.done += sum.done;
		all.skipped += sum.skipped;
	}
	return request_finish(s, a, &all);
}

int
details_run(
    struct session *s, const struct action *a, int argc, char *const argv[])
{
	struct request_sums sum = { 0 };
	struct found f = { .n = 0 };
	char err[256];
	int code;

	if (request_check(a->ids, argc, argv, err, sizeof(err)) != NULL)
		return session_fail(s, EXIT_USAGE, err);
	if (argc > CTL_ARGS_MAX)
		return session_fail(s, EXIT_USAGE, "too many ids");
	if (argc == 1 && strcmp(argv[0], "all") == 0)
		argc = 0;
	code = session_open(s);
	if (code == EXIT_DONE)
		code = ask(s, "show queue", (const char *const *)argv,
		    (size_t)argc, &sum, keep_id, &f);
	if (code == EXIT_DONE)
		code = sum.status >= EXIT_REFUSED ? request_finish(s, a, &sum)
						  : show_found(s, a, &f);
	free(f.ids);
	return code;
}
